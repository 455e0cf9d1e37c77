"""What every test run shares."""

from __future__ import annotations

import gc
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# An assertion that fails in what tests share is explained as in the tests themselves.
pytest.register_assert_rewrite("support", "wire.peers")

# How long one example takes says something of the machine only.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--fail-on-skip",
        action="store_true",
        help="end with a failure if a test was skipped (what `make test` uses)",
    )
    parser.addoption(
        "--one-codec",
        action="store_true",
        help="contract tests: each transport and protocol with one codec only",
    )
    parser.addoption(
        "--jupyter",
        type=Path,
        default=Path(sys.executable),
        metavar="PYTHON",
        help="browser tests: whose JupyterLab and Notebook they look at",
    )


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    if config.getoption("--fail-on-skip") and terminalreporter.stats.get("skipped"):
        terminalreporter.write_line("tests were skipped: --fail-on-skip makes that a failure")


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Take what stays to the end, modules and thousands of tests, out of the garbage collector.

    It would look through all of that again and again, for a second at a time on a busy machine,
    and stop every thread meanwhile: the one that is being timed, too.
    """
    gc.collect()
    gc.freeze()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter is not None and reporter.stats.get("skipped")
    if session.config.getoption("--fail-on-skip") and skipped and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    """Close the connections a test has left open: the next one may look at all there are."""
    before = {session.number for session in _open_sessions()}
    yield
    left = [session for session in _open_sessions() if session.number not in before]
    if left:
        from kkjupyter.runtime.waiting import run_blocking

        for session in left:
            run_blocking(session.close())


@pytest.fixture(autouse=True)
def log_lines_counted_anew() -> None:
    """What the test before has logged within this second does not count."""
    if logs := sys.modules.get("kkjupyter.runtime.logs"):
        for name in [*logging.root.manager.loggerDict]:
            for one in logging.getLogger(name).filters if name.startswith("kkjupyter") else ():
                if isinstance(one, logs.LineLimit):
                    one.begin_anew()


def _open_sessions() -> list[Any]:
    # Tests that connect to nothing need not pay for the import.
    sessions = sys.modules.get("kkjupyter.client.session")
    return sessions.open_sessions() if sessions is not None else []
