"""A Jupyter server and a Chromium for all browser tests of a worker; a notebook for each."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest
from playwright.sync_api import expect, sync_playwright
from support.browser.jupyter_server import FrontEnd, JupyterServer, make_notebook
from support.browser.lab import Lab, Pages, Theme, launch_chromium
from support.kernels.kernel import NEWEST
from support.waiting import PATIENCE_S

ARTIFACTS = Path(__file__).resolve().parent.parent.parent / ".artifacts"

OpenNotebook = Callable[..., Lab]
_failed = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def start_jupyter(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Callable[..., JupyterServer]:
    """``start_jupyter(lab_extension=False)`` -> a server of the JupyterLab that was asked for."""
    python = pytestconfig.getoption("--jupyter")

    def start(*, lab_extension: bool) -> JupyterServer:
        home = tmp_path_factory.mktemp("jupyter")
        return JupyterServer.start(home, lab_extension=lab_extension, python=python)

    return start


@pytest.fixture(scope="session")
def jupyter_server(start_jupyter: Callable[..., JupyterServer]) -> Iterator[JupyterServer]:
    with start_jupyter(lab_extension=True) as server:
        yield server


@pytest.fixture(scope="session")
def pages() -> Iterator[Pages]:
    expect.set_options(timeout=PATIENCE_S * 1_000)  # its own 5 s are too few on a busy machine
    with sync_playwright() as playwright:
        browser = launch_chromium(playwright)
        yield Pages(browser)
        browser.close()


@pytest.fixture
def artifacts() -> Path:
    """Where pictures go: .artifacts/ at the top of the repository."""
    ARTIFACTS.mkdir(exist_ok=True)
    return ARTIFACTS


@pytest.fixture
def open_notebook(
    jupyter_server: JupyterServer, pages: Pages, request: pytest.FixtureRequest
) -> Iterator[OpenNotebook]:
    """``open_notebook(["1 + 1"], kernel="7.3.0", front_end="notebook", theme="dark")`` -> Lab.

    Each call makes a notebook of its own; pages and kernels end with the test. A test that fails
    leaves a picture of each page in .artifacts/.
    """
    opened: list[Lab] = []
    test_name = re.sub(r"[^\w.-]+", "-", request.node.name).strip("-")

    def open_one(
        cells: Sequence[str],
        *,
        kernel: str = NEWEST,
        front_end: FrontEnd = "lab",
        theme: Theme = "light",
        width_px: int | None = None,
    ) -> Lab:
        name = f"{test_name}-{len(opened)}"
        jupyter_server.write(name, make_notebook(cells, kernel))
        lab = Lab(jupyter_server, pages, name, front_end)
        opened.append(lab)
        lab.open()
        lab.set_theme(theme)
        if width_px is not None:
            lab.set_width(width_px)
        return lab

    yield open_one
    for lab in opened:
        if request.node.stash.get(_failed, False):
            lab.screenshot(ARTIFACTS / f"failed-{lab.name}.png")
            lab.is_page_kept = False
        lab.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report = yield
    if report.when == "call":
        item.stash[_failed] = report.failed
    return report
