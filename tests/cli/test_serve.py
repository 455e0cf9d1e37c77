"""``kkjupyter serve`` as a process of its own."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import kkjupyter as kk

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[subprocess.Popen[str]] = []

    def start(*argv: str) -> subprocess.Popen[str]:
        # The package must be found although the current directory is another one.
        package_path = str(Path(next(iter(kk.__path__))).parent)
        process = subprocess.Popen(
            [sys.executable, "-m", "kkjupyter.cli", "serve", *argv],
            env={**os.environ, "PYTHONPATH": package_path, "KK_TEST_TOKEN": "from-the-env"},
            cwd=tmp_path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


def address(process: subprocess.Popen[str]) -> str:
    """Where it says that it serves."""
    assert process.stdout is not None
    line = process.stdout.readline()
    found = re.fullmatch(r"serving \S+ at (ws://127\.0\.0\.1:\d+)\n", line)
    assert found, (line, process.stderr and process.stderr.read())
    return found[1]


def token(process: subprocess.Popen[str]) -> str:
    """The token it made."""
    assert process.stdout is not None
    found = re.fullmatch(r"token: (\S+)\n", process.stdout.readline())
    assert found
    return found[1]


def test_it_makes_a_token_and_serves_until_interrupted(start: Start) -> None:
    process = start("kkjupyter.demo:make_api", "--port", "0")
    url = address(process)
    api = kk.connect(url, token=token(process))
    assert list(api.countdown(2, pause_s=0)) == [2, 1, 0]
    with pytest.raises(kk.ConnectError, match="token"):
        kk.connect(url)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    kk.close(api)


def test_a_file_beside_which_other_modules_stand(start: Start, tmp_path: Path) -> None:
    (tmp_path / "helper.py").write_text("def double(n): return 2 * n\n")
    (tmp_path / "tools.py").write_text(
        "from helper import double\n"
        "class Tools:\n"
        "    def double(self, n): return double(n)\n"
        "    def _private(self): return 1\n"
    )
    process = start("tools.py:Tools", "--port", "0", "--no-token")
    api = kk.connect(address(process))
    assert api.double(21).result() == 42
    with pytest.raises(kk.RemoteError):
        api["_private"]().result()
    kk.close(api)
    process = start("tools:Tools", "--port", "0", "--token-env", "KK_TEST_TOKEN")
    api = kk.connect(address(process), token="from-the-env")
    assert api.double(4).result() == 8
    kk.close(api)


@pytest.mark.parametrize(
    ("argv", "code", "complaint"),
    [
        (["nowhere:api"], 2, "no module named 'nowhere'"),
        (["kkjupyter.demo:make_api", "--host", "0.0.0.0", "--no-token"], 2, "without a token"),
        (["kkjupyter.demo:make_api", "--token-env", "NOT_SET_AT_ALL"], 2, "NOT_SET_AT_ALL"),
    ],
)
def test_what_goes_wrong_is_told_in_one_line(
    start: Start, argv: list[str], code: int, complaint: str
) -> None:
    process = start(*argv, "--port", "0")
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (code, "")
    assert complaint in err
    assert err.count("\n") == 1


def test_a_port_that_is_taken(start: Start) -> None:
    with kk.demo() as server:
        process = start("kkjupyter.demo:make_api", "--port", str(server.port))
        _, err = process.communicate(timeout=30)
    assert process.returncode == 3
    assert "cannot listen" in err
