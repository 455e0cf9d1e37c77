"""``kkjupyter serve`` as a process of its own."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.servers.buses import BROKERS, service_url
from support.waiting import until

import kkjupyter as kk

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    running: list[subprocess.Popen[str]] = []

    def start(*argv: str, stdin: Any = subprocess.PIPE) -> subprocess.Popen[str]:
        # The package must be found although the current directory is another one.
        package_path = str(Path(next(iter(kk.__path__))).parent)
        process = subprocess.Popen(
            [sys.executable, "-m", "kkjupyter.cli", "serve", *argv],
            env={**os.environ, "PYTHONPATH": package_path, "KK_TEST_TOKEN": "from-the-env"},
            cwd=tmp_path,
            stdin=stdin,
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
    found = re.fullmatch(r"serving \S+ at ((?:ws|http)://127\.0\.0\.1:\d+)\n", line)
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


EDITOR = """
class Editor:
    def __init__(self):
        self.settings = {"theme": "light"}
        self.root = "/srv"

    def fails(self, text):
        raise ValueError(text)
"""


@pytest.mark.parametrize("how", ["websocket", "http", "stdio"])
@pytest.mark.parametrize("debug", [False, True])
def test_what_clients_may_set_and_see(
    start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, debug: bool
) -> None:
    (tmp_path / "editor.py").write_text(EDITOR)
    argv = ["editor:Editor", "--writable", "settings", *(["--debug"] if debug else [])]
    log = None
    if how == "stdio":
        monkeypatch.chdir(tmp_path)
        program = [sys.executable, "-m", "kkjupyter.cli", "serve", *argv, "--stdio"]
        package_path = str(Path(next(iter(kk.__path__))).parent)
        api = kk.connect(program, env={"PYTHONPATH": package_path})
    else:
        flags = ["--http"] if how == "http" else []
        log = start(*argv, "--port", "0", "--no-token", *flags)
        api = kk.connect(address(log), protocol="compact")
    with api:
        api.settings.theme = "dark"
        assert kk.get(api.settings.theme) == "dark"
        with pytest.raises(kk.RemoteError, match=r'writable=\["root"\]'):
            api.root = "/etc"
        with pytest.raises(kk.RemoteError, match="ValueError") as caught:
            api.fails("\x1b]0;title\x07\x1b[2Jtold").result(timeout_s=10)
        assert ("editor.py" in (caught.value.stack or "")) is debug
    if log is not None:
        log.send_signal(signal.SIGINT)
        _, err = log.communicate(timeout=10)
        assert "fails failed\nTraceback" in err
        assert "ValueError: told" in err
        assert "\x1b" not in err


def test_over_http(start: Start) -> None:
    process = start("kkjupyter.demo:make_api", "--http", "--port", "0")
    url = address(process)
    assert url.startswith("http://")
    secret = token(process)
    for protocol in ("classic", "compact"):
        with (
            kk.connect(url, protocol=protocol, token=secret) as api,
            pytest.raises(kk.RemoteError, match="does not support async iterable streams"),
        ):
            api.countdown(2).result()


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


TOOLS = """
import asyncio, os, pathlib, sys
print("said while it is imported")
class Tools:
    def double(self, n):
        print("said by a handler")
        os.system("echo said by a program")
        return 2 * n
    def status(self):
        return [sys.stdin.read(), os.getpid()]
    async def ticks(self):
        try:
            for n in range(10**9):
                yield n
                await asyncio.sleep(0.001)
        finally:
            with open("ends", "a") as ends:
                ends.write("async ")
    def sync_ticks(self):
        try:
            for n in range(10**9):
                yield n
        finally:
            with open("ends", "a") as ends:
                ends.write("sync ")
"""


def stdio_command(*argv: str) -> list[str]:
    return [sys.executable, "-m", "kkjupyter.cli", "serve", *argv, "--stdio"]


def ends_of(folder: Path) -> list[str]:
    """Which generators of TOOLS have ended."""
    return sorted((folder / "ends").read_text().split())


def package_env() -> dict[str, str]:
    return {"PYTHONPATH": str(Path(next(iter(kk.__path__))).parent)}


@pytest.mark.parametrize("protocol", ["classic", "compact", None], ids=str)
def test_stdio_serves_whoever_started_it(
    protocol: str | None, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "tools.py").write_text(TOOLS)
    api = kk.connect(
        stdio_command("tools.py:Tools"), cwd=tmp_path, env=package_env(), protocol=protocol
    )
    assert api.double(21).result() == 42
    for expected, number in enumerate(api.ticks()):
        assert number == expected
        if number == 5:
            break
    for number in api.sync_ticks():
        if number == 5:
            break
    text, pid = api.status().result()
    assert text == ""
    until(lambda: ends_of(tmp_path) == ["async", "sync"], 10)
    kk.close(api)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert caplog.text == ""


def test_stdio_ends_with_stdin_and_so_do_the_generators(start: Start, tmp_path: Path) -> None:
    (tmp_path / "tools.py").write_text(TOOLS)
    process = start("tools.py:Tools", "--stdio")
    assert process.stdin is not None
    assert process.stdout is not None
    for name in ("ticks", "sync_ticks"):
        message = {"id": name, "method": name, "args": [], "type": "request", "version": "json"}
        process.stdin.write(json.dumps(message) + "\n")
        process.stdin.flush()
        first_item = f'{{"id":"{name}",".*stream-chunk'
        while not re.match(first_item, process.stdout.readline()):
            pass
    out, err = process.communicate(timeout=30)  # closes stdin
    assert process.returncode == 0
    # What was read ahead of the lines above is lost to communicate(): it may begin within a line.
    assert all(line.startswith("{") for line in out.splitlines()[1:])
    assert "said while it is imported" in err
    assert ends_of(tmp_path) == ["async", "sync"]


def test_stdio_from_a_plain_file_and_an_interrupt(start: Start, tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with (tmp_path / "empty").open() as empty:
        process = start("kkjupyter.demo:make_api", "--stdio", stdin=empty)
        assert process.communicate(timeout=30) == ("", "")
    assert process.returncode == 0
    process = start("kkjupyter.demo:make_api", "--stdio")
    assert process.stdin is not None
    assert process.stdout is not None
    message = {"id": "1", "method": "countdown", "args": [1, {"pause_s": 0}], "type": "request"}
    process.stdin.write(json.dumps(message) + "\n")
    process.stdin.flush()
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    assert process.stderr is not None
    assert process.stderr.read() == "stopped\n"


def test_stdio_answers_what_was_piped_in(start: Start, tmp_path: Path) -> None:
    (tmp_path / "tools.py").write_text(TOOLS)
    process = start("tools.py:Tools", "--stdio")
    request = '{"t":"q","id":"1","op":"call","p":["double"],"a":[21]}\n'
    out, _ = process.communicate(request, timeout=30)
    assert json.loads(out) == {"t": "r", "id": "1", "v": 42}
    assert process.returncode == 0


@pytest.mark.parametrize(
    "flags",
    [
        *(["--port", "0"], ["--host", "127.0.0.1"], ["--token", "x"]),
        *(["--token-env", "KK_TEST_TOKEN"], ["--no-token"], ["--insecure"], ["--resume", "9"]),
    ],
)
def test_stdio_goes_with_nothing_that_listens(start: Start, flags: list[str]) -> None:
    process = start("kkjupyter.demo:make_api", "--stdio", *flags)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (2, "")
    assert f"{flags[0]} cannot be used with --stdio" in err


@pytest.mark.parametrize("bus", BROKERS)
def test_on_a_bus_it_shares_the_work_and_says_farewell(start: Start, bus: str) -> None:
    url = service_url(bus)
    for _ in range(2):
        process = start("kkjupyter.demo:make_api", "--on", url, "--workers", "shared")
        assert process.stdout is not None
        assert process.stdout.readline() == f"serving kkjupyter.demo:make_api at {url}\n"
    with kk.connect(url) as api:
        until(lambda: len(api._kk_session._candidates) == 2)
        assert list(api.countdown(2, pause_s=0)) == [2, 1, 0]
        process.send_signal(signal.SIGINT)
        until(lambda: len(api._kk_session._candidates) == 1)
        assert list(api.countdown(2, pause_s=0)) == [2, 1, 0]
    assert process.wait(10) == 0


@pytest.mark.parametrize(
    "flags", [["--port", "0"], ["--host", "127.0.0.1"], ["--no-token"], ["--insecure"]]
)
def test_a_bus_goes_with_nothing_that_listens(start: Start, flags: list[str]) -> None:
    process = start("kkjupyter.demo:make_api", "--on", "nats://127.0.0.1:1/lab", *flags)
    out, err = process.communicate(timeout=30)
    assert (process.returncode, out) == (2, "")
    assert f"{flags[0]} cannot be used with --on" in err


def test_workers_are_for_a_bus(start: Start) -> None:
    process = start("kkjupyter.demo:make_api", "--port", "0", "--workers", "shared")
    _, err = process.communicate(timeout=30)
    assert process.returncode == 2
    assert "workers= is for a service on a bus" in err


def test_what_stdio_cannot_serve_is_told_on_stderr() -> None:
    with pytest.raises(kk.ConnectError, match=r"exit status 2.*no module named 'nowhere'"):
        kk.connect(stdio_command("nowhere:api"), env=package_env())


def test_a_port_that_is_taken(start: Start) -> None:
    with kk.demo() as server:
        process = start("kkjupyter.demo:make_api", "--port", str(server.port))
        _, err = process.communicate(timeout=30)
    assert process.returncode == 3
    assert "cannot listen" in err
