"""``kkjupyter call`` as a process of its own, against a real endpoint."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from support.waiting import until

import kkjupyter as kk
from kkjupyter.demo.api import DemoApi

TOKEN = "a-token-for-tests"
ENVIRONMENT = {**os.environ, "KK_TEST_TOKEN": TOKEN, "PYTHONIOENCODING": "utf-8"}


class Api(DemoApi):
    """The demo endpoint, and what it has no use for."""

    async def never(self) -> None:
        await asyncio.sleep(3600)

    def nothing(self) -> None:
        return None

    async def stammer(self) -> AsyncIterator[str]:
        yield "I"
        yield " was"
        raise ValueError("lost the thread")

    async def hostile_error(self, where: str) -> Any:
        text = "\x1b]0;title\x07\x1b[2J\x1b[31mred\x9b5m\r\b"
        if where == "cause":
            raise ValueError("outer") from KeyError(text)
        raise type(text if where == "name" else "E", (Exception,), {})(text)

    def hostile(self) -> str:
        return "half an emoji: \ud83d"


@pytest.fixture
def server() -> Iterator[Any]:
    with kk.serve(Api(), token=TOKEN) as server:
        yield server


@pytest.fixture
def start(server: Any) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    running: list[subprocess.Popen[str]] = []

    def start(expression: str, *options: str) -> subprocess.Popen[str]:
        argv = [sys.executable, "-m", "kkjupyter.cli", "call", server.url, expression, *options]
        argv += ["--token-env", "KK_TEST_TOKEN"]
        process = subprocess.Popen(
            argv,
            env=ENVIRONMENT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        running.append(process)
        return process

    yield start
    for process in running:
        process.kill()
        process.communicate()


@pytest.fixture
def call(start: Callable[..., subprocess.Popen[str]]) -> Callable[..., tuple[int, str, str]]:
    def call(expression: str, *options: str) -> tuple[int, str, str]:
        process = start(expression, *options)
        out, err = process.communicate(timeout=30)
        return process.returncode, out, err

    return call


def becomes_idle(server: Any) -> bool:
    """Whether nothing is worked on any more, within a second."""
    deadline_s = time.monotonic() + 1
    while server.running and time.monotonic() < deadline_s:
        time.sleep(0.01)
    return server.running == 0


@pytest.mark.parametrize("where", ["message", "name", "cause"])
def test_errors_steer_no_terminal(call: Callable[..., tuple[int, str, str]], where: str) -> None:
    code, out, err = call(f"hostile_error({where!r})")
    assert (code, out) == (1, "")
    assert err.startswith("kkjupyter: ")
    assert ("red" in err) is (where != "cause")
    assert not [char for char in err if not char.isprintable() and char != "\n"]


# -- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "options", "out"),
    [
        ("countdown(5, pause_s=0)", [], "5\n4\n3\n2\n1\n0\n"),
        ("data.stream(3, pause_s=0)", [], "item-0\nitem-1\nitem-2\n"),
        ("data.stream(3, pause_s=0)", ["--json"], '"item-0"\n"item-1"\n"item-2"\n'),
        ("data.stream(3, pause_s=0)", ["--text"], "item-0item-1item-2\n"),
        ("math.add(40, 2)", [], "42\n"),
        ("settings.theme", [], "light\n"),
        ("settings", ["--json"], '{"theme": "light", "language": "en", "fontSize": 14}\n'),
        ("nothing()", [], ""),
        ("nothing()", ["--json"], "null\n"),
        ("hostile()", ["--json"], '"half an emoji: \\ud83d"\n'),
        ("hostile()", [], "half an emoji: ?\n"),
        ("ticks(pause_s=0)", ["--take", "3"], "0\n1\n2\n"),
        ("countdown(1, pause_s=0)", ["--take", "9"], "1\n0\n"),
    ],
)
def test_values_come_to_stdout(
    call: Callable[..., tuple[int, str, str]],
    server: Any,
    expression: str,
    options: list[str],
    out: str,
) -> None:
    assert call(expression, *options) == (0, out, "")
    assert becomes_idle(server)


def test_chat_reads_as_prose(call: Callable[..., tuple[int, str, str]]) -> None:
    code, out, err = call("chat('Tell me a story', pause_s=0)", "--text")
    assert (code, err) == (0, "")
    assert len(out.split()) > 20
    assert out.endswith("\n")
    assert not out.endswith("\n\n")


def test_rows_are_lines_of_json(call: Callable[..., tuple[int, str, str]]) -> None:
    _, out, _ = call("rows(4, pause_s=0)", "--json")
    assert [json.loads(line)["minute"] for line in out.splitlines()] == [0, 1, 2, 3]


# -- ends -----------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_cancels_what_has_come_stays(
    start: Callable[..., subprocess.Popen[str]], server: Any, number: int, code: int
) -> None:
    process = start("ticks(pause_s=0.02)")
    assert process.stdout is not None
    # They are read while the stream goes on: each value was flushed.
    assert [process.stdout.readline() for _ in range(3)] == ["0\n", "1\n", "2\n"]
    assert process.poll() is None
    process.send_signal(number)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, err) == (code, "")
    numbers = [int(line) for line in out.splitlines()]
    assert numbers == list(range(3, 3 + len(numbers)))
    assert becomes_idle(server)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
def test_ctrl_c_cancels_a_stream_that_waits(
    start: Callable[..., subprocess.Popen[str]], server: Any, tmp_path: Any
) -> None:
    process = start(f"watchFiles({str(tmp_path)!r})")
    with server.connect() as api:  # not `running`: finding out the protocol is a call, too
        until(lambda: api.openWatchers().result() == 1, 20)
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    assert becomes_idle(server)


def test_a_reader_who_goes_away_cancels_quietly(
    start: Callable[..., subprocess.Popen[str]], server: Any
) -> None:
    process = start("ticks(pause_s=0.01)")
    assert process.stdout is not None
    assert process.stderr is not None
    assert process.stdout.readline() == "0\n"
    process.stdout.close()
    assert process.wait(10) == 141
    assert process.stderr.read() == ""
    assert becomes_idle(server)


def test_a_remote_error_follows_the_values_before_it(
    call: Callable[..., tuple[int, str, str]],
) -> None:
    code, out, err = call("failingStream()")
    assert (code, out) == (1, "1\n2\n")
    assert err == "kkjupyter: RuntimeError: something went wrong\n"


def test_an_unfinished_line_of_text_is_ended_before_an_error(
    call: Callable[..., tuple[int, str, str]],
) -> None:
    code, out, err = call("stammer()", "--text")
    assert (code, out) == (1, "I was\n")
    assert err == "kkjupyter: ValueError: lost the thread\n"


def test_a_server_that_closes_in_mid_stream(
    start: Callable[..., subprocess.Popen[str]], server: Any
) -> None:
    process = start("ticks(pause_s=0.02)")
    assert process.stdout is not None
    assert process.stdout.readline() == "0\n"
    server.close()
    _, err = process.communicate(timeout=10)
    assert process.returncode == 3
    assert err.startswith(f"kkjupyter: connection to {server.url} lost")


@pytest.mark.parametrize(
    ("expression", "options", "code", "complaint"),
    [
        ("nope()", [], 1, "nope is not a function"),
        ("never()", ["--timeout", "0.2"], 4, "never: no reply within 0.2 s"),
        ("countdown(n)", [], 2, "the argument 'n' is not a literal"),
        ("add(1, 2)", ["--header", "no colon"], 2, "--header needs 'Name: value'"),
        ("add(1, 2)", ["--protocol", "morse"], 2, "morse"),
    ],
)
def test_what_goes_wrong_is_told_in_one_line(
    call: Callable[..., tuple[int, str, str]],
    expression: str,
    options: list[str],
    code: int,
    complaint: str,
) -> None:
    returned, out, err = call(expression, *options)
    assert (returned, out) == (code, "")
    assert complaint in err
    assert err.startswith("kkjupyter: ")
    assert err.count("\n") == 1


def run(*argv: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "kkjupyter.cli", "call", *argv],
        env={**ENVIRONMENT, **variables},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_nobody_listens() -> None:
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))  # bound, but not listening
        url = f"ws://127.0.0.1:{placeholder.getsockname()[1]}"
        done = run(url, "add(1, 2)")
    assert done.returncode == 3
    assert done.stderr.startswith(f"kkjupyter: cannot connect to {url}: ")


def test_a_wrong_token_is_told_and_not_shown(server: Any) -> None:
    done = run(server.url, "add(1, 2)", "--token-env", "WRONG", WRONG="wr0ng-secret")
    assert done.returncode == 3
    assert "token" in done.stderr
    assert "wr0ng-secret" not in done.stderr + done.stdout
    assert run(server.url, "add(1, 2)", "--token-env", "NOT_SET_AT_ALL").returncode == 2


def test_a_header_can_carry_the_token(server: Any) -> None:
    done = run(server.url, "add(1, 2)", "--header", "Authorization: Bearer env:KK_TEST_TOKEN")
    assert (done.returncode, done.stdout) == (0, "3\n")
