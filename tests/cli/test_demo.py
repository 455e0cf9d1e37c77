"""``kkjupyter demo``: a notebook without a front end, and JupyterLab."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from kkjupyter.cli import demo, main

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[subprocess.Popen[str]] = []

    def start(*options: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "kkjupyter.cli", "demo", "--dir", str(tmp_path), *options],
            env={**os.environ, "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime")},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # so that Ctrl-C can be sent to all of it
        )
        running.append(process)
        return process

    yield start
    for process in running:
        for child in children(process):
            child.kill()
        process.kill()
        process.communicate()


def children(process: subprocess.Popen[str]) -> list[psutil.Process]:
    try:
        found: list[psutil.Process] = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return found


def arguments(process: psutil.Process) -> list[str]:
    try:
        found: list[str] = process.cmdline()
    except psutil.NoSuchProcess:  # a helper of the lab's that has just ended
        return []
    return found


def write_notebook(directory: Path, *sources: str, tags: tuple[str, ...] = ()) -> None:
    """The user's own version of the quickstart; the command must not replace it."""
    cells = [new_code_cell(source, metadata={"tags": list(tags)}) for source in sources]
    nbformat.write(new_notebook(cells=cells), directory / "01_quickstart.ipynb")


def executed(directory: Path) -> list[list[str]]:
    """The kinds of output of each cell of the saved copy."""
    document = nbformat.read(directory / "01_quickstart.executed.ipynb", as_version=4)
    return [[output.output_type for output in cell.outputs] for cell in document.cells]


@pytest.mark.parametrize(
    ("sources", "options", "complaint", "outputs"),
    [
        (("print(1)", "1/0", "print(2)"), [], "a cell failed: 1/0", [["stream"], ["error"], []]),
        (
            ("import time; time.sleep(60)",),
            ["--cell-timeout", "1"],
            "a cell took longer than 1 s: import time",
            [["error"]],
        ),
        (("import os; os._exit(1)",), [], "the kernel died", [[]]),
    ],
)
def test_a_cell_that_fails_ends_the_run_and_what_came_is_saved(
    start: Start,
    tmp_path: Path,
    sources: tuple[str, ...],
    options: list[str],
    complaint: str,
    outputs: list[list[str]],
) -> None:
    write_notebook(tmp_path, *sources)
    process = start("--headless", *options)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 1, out
    assert f"01_quickstart.ipynb: {complaint}" in out
    assert executed(tmp_path) == outputs


def test_a_cell_may_be_meant_to_fail(start: Start, tmp_path: Path) -> None:
    write_notebook(tmp_path, "1/0", "print('after')", tags=("raises-exception",))
    process = start("--headless")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0, out
    assert executed(tmp_path) == [["error"], ["stream"]]


def test_ctrl_c_ends_the_kernel_too(start: Start, tmp_path: Path) -> None:
    write_notebook(tmp_path, "print('started', flush=True)\nimport time; time.sleep(60)")
    process = start("--headless")
    assert process.stdout is not None
    assert any(line == "started\n" for line in process.stdout)
    kernels = children(process)
    assert kernels
    os.killpg(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert not any(kernel.is_running() for kernel in kernels)
    assert executed(tmp_path) == [["stream", "error"]]


def test_jupyterlab_opens_on_the_copied_notebook(start: Start, tmp_path: Path) -> None:
    process = start("--no-browser", "--port", "8933")
    assert process.stdout is not None
    found = None
    seen: list[str] = []
    for line in process.stdout:
        seen.append(line)
        found = re.search(
            r"JupyterLab: (http://\S+/lab/tree/01_quickstart\.ipynb)\?token=(\w+)", line
        )
        if found:
            break
    assert found, "".join(seen)
    assert (tmp_path / "01_quickstart.ipynb").is_file()
    address, token = found[1], found[2]
    api = address.split("/lab/")[0] + "/api/contents/01_quickstart.ipynb"
    with urllib.request.urlopen(f"{api}?token={token}", timeout=10) as reply:
        assert reply.status == 200
    with pytest.raises(urllib.error.HTTPError, match="403"):
        urllib.request.urlopen(api, timeout=10)
    labs = children(process)
    assert not any(token in argument for lab in labs for argument in arguments(lab))
    os.killpg(process.pid, signal.SIGINT)  # what Ctrl-C in a terminal does
    process.communicate(timeout=30)
    assert process.returncode == 0
    assert ended(labs)


def ended(processes: list[psutil.Process], within_s: float = 5) -> bool:
    deadline_s = time.monotonic() + within_s
    while any(process.is_running() for process in processes):
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.05)
    return True


def test_without_jupyterlab_it_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(demo.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert main(["demo", "--dir", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "JupyterLab is not installed: python -m pip install jupyterlab" in error
    assert "--headless" in error


def test_a_directory_that_cannot_be_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert main(["demo", "--dir", str(tmp_path / "file" / "below")]) == 2
    assert "cannot write to" in capsys.readouterr().err
