"""``kk.connect([...])``: what a command may be, and what becomes of the program's words."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.waiting import until

import kkjupyter as kk

PACKAGE_PATH = str(Path(next(iter(kk.__path__))).parent)
PATIENCE_S = 15.0

SERVER = """
import asyncio, os, sys
from kkjupyter.server.exposed.reach import Reach
from kkjupyter.server.exposed.offer import Exposed
from kkjupyter.server.listeners.stdio import take_stdio
stdio = take_stdio()
class Api:
    def pid(self): return os.getpid()
    def echo(self, value): return value
    def prints(self): print("said by a print", flush=True); os.system("echo by a program"); return 1
    def reads(self): return sys.stdin.read() + os.popen("cat").read()
    def noise(self): os.write(stdio._transport._write_fd, b'loud\\n{"level":30}\\n'); return 2
    def where(self): return [os.getcwd(), os.environ.get("KK_WHERE")]
    def dies(self, status): print("out of memory", file=sys.stderr, flush=True); os._exit(status)
    async def ticks(self):
        for n in range(10**9):
            yield n
            await asyncio.sleep(0)
    async def items(self, count, size):
        for n in range(count):
            yield "é" * size
stdio.serve(Exposed(Reach(Api())))
stdio.close()
"""


@pytest.fixture(params=["classic", "compact", None], ids=str)
def api(request: pytest.FixtureRequest) -> Iterator[Any]:
    with kk.connect(
        [sys.executable, "-c", SERVER],
        env={"PYTHONPATH": PACKAGE_PATH},
        protocol=request.param,
    ) as api:
        yield api


def test_calls_streams_and_a_cancel(api: Any) -> None:
    assert api.echo("é😀\u2028").result() == "é😀\u2028"
    for expected, number in enumerate(api.ticks()):
        assert number == expected
        if number == 200:
            break
    assert [len(item) for item in api.items(20, 50_000)] == [50_000] * 20
    assert api.echo(1).result() == 1


@pytest.mark.slow
def test_ten_megabytes_there_and_back(api: Any) -> None:
    text = "é😀" * 1_700_000
    assert api.echo(text).result() == text


BYTE_BY_BYTE = """
import json, os, sys
for line in sys.stdin.buffer:
    assert line.isascii()
    asked = json.loads(line)
    answer = {"id": asked["id"], "method": "", "args": {"result": asked["args"][0]},
              "type": "response", "version": "json"}
    for byte in json.dumps(answer, ensure_ascii=False).encode() + b"\\n":
        os.write(1, bytes([byte]))
"""


def test_a_character_may_be_cut_anywhere() -> None:
    with kk.connect([sys.executable, "-c", BYTE_BY_BYTE], protocol="classic", codec="json") as api:
        assert api.echo("aé日😀\u2028").result() == "aé日😀\u2028"


@pytest.mark.slow
def test_what_served_code_prints_and_reads_is_not_the_wire(api: Any) -> None:
    assert api.prints().result() == 1
    assert api.reads().result() == ""
    assert api.prints().result() == 1


@pytest.mark.slow
def test_noise_between_messages_is_reported(api: Any, caplog: pytest.LogCaptureFixture) -> None:
    api.echo(1).result()
    assert api.noise().result() == 2
    assert "stdio:" in caplog.text
    assert "loud" in caplog.text


def test_noise_before_the_first_message_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    code = "print('Server listening...', flush=True)" + SERVER
    with kk.connect([sys.executable, "-c", code], env={"PYTHONPATH": PACKAGE_PATH}) as api:
        assert api.echo(1).result() == 1
    assert "Server listening..." in caplog.text


@pytest.mark.slow
def test_a_program_that_dies_says_why_and_is_started_anew(api: Any) -> None:
    first = api.pid().result()
    with pytest.raises(kk.ConnectionLost) as caught:
        api.dies(3).result()
    assert caught.value.reason == "the program ended with exit status 3; its stderr: out of memory"
    second = api.pid().result()
    assert first != second


@pytest.mark.slow
def test_closing_ends_the_program(api: Any) -> None:
    pid = api.pid().result()
    stream = iter(api.ticks())
    next(stream)
    kk.close(api)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_forgotten_connection_ends_the_program() -> None:
    api = kk.connect([sys.executable, "-c", SERVER], env={"PYTHONPATH": PACKAGE_PATH})
    pid = api.pid().result()
    del api
    gc.collect()
    until(lambda: not _exists(pid), PATIENCE_S)


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_directory_and_environment(tmp_path: Path) -> None:
    with kk.connect(
        (Path(sys.executable), "-c", SERVER),  # type: ignore[arg-type]
        cwd=tmp_path,
        env={"PYTHONPATH": PACKAGE_PATH, "KK_WHERE": "here"},
    ) as api:
        assert api.where().result() == [str(tmp_path), "here"]


@pytest.mark.parametrize("protocol", ["classic", None])
def test_a_program_that_ends_at_once(protocol: str | None) -> None:
    code = "import sys; sys.exit('no model given')"
    with pytest.raises((kk.ConnectError, kk.ConnectionLost)) as caught:
        kk.connect([sys.executable, "-c", code], protocol=protocol).anything().result()
    assert "exit status 1" in str(caught.value)
    assert "no model given" in str(caught.value)


@pytest.mark.parametrize(
    ("target", "options", "text"),
    [
        ([], {}, "the command is empty"),
        ((), {}, "the command is empty"),
        ([""], {}, "has no program"),
        (["node", 5], {}, r"part 2 of the command must be text, not a int; use str\("),
        (["node", b"x"], {}, "part 2 of the command must be text, not a bytes"),
        (["node", "a\0b"], {}, "part 2 of the command contains a null character"),
        (["node", "\ud800"], {}, "characters that cannot be passed on"),
        (["node"], {"token": "x"}, "token= is for ws://"),
        (["node"], {"headers": {"a": "b"}}, "headers= is for ws://"),
        (["node"], {"env": 5}, "env must be a mapping"),
        (["node"], {"env": {"A": 5}}, "env: 'A' must be text with a text value"),
        (["node"], {"env": {"A=B": "c"}}, "cannot be the name of a variable"),
        (["node"], {"env": {"A": "\0"}}, "the value of 'A' contains a null character"),
        (["node"], {"cwd": 5}, "cwd must be a path, not a int"),
        (["node"], {"cwd": "\0"}, "cwd contains a null character"),
        ("node server.mjs", {}, r"a command is a list.*\['node', 'server.mjs'\]"),
        ("ws://127.0.0.1:1", {"cwd": "."}, "cwd is for a command"),
        ("ws://127.0.0.1:1", {"env": {}}, "env is for a command"),
    ],
)
def test_what_cannot_be_right_is_told_before_anything_starts(
    target: Any, options: dict[str, Any], text: str
) -> None:
    with pytest.raises(kk.UsageError, match=text):
        kk.connect(target, **options)


def test_no_such_program() -> None:
    with pytest.raises(kk.ConnectError, match="program 'no-such-thing' is not on the PATH"):
        kk.connect(["no-such-thing"])


EXITS = {
    "a connection": "",
    "a stream": "loop = iter(api.ticks()); next(loop)",
    "a call under way": "call = api.reads()",
}


@pytest.mark.parametrize("what", EXITS)
@pytest.mark.slow
def test_the_interpreter_exits_quickly_and_silently(what: str) -> None:
    program = (
        "import kkjupyter as kk, logging, sys, time\n"
        # In development mode the loop tells of every slow step; on a busy machine any may be slow.
        "logging.getLogger('asyncio').addFilter(lambda r: 'took %.3f seconds' not in str(r.msg))\n"
        f"api = kk.connect([sys.executable, '-c', {SERVER!r}])\n"
        "print(api.pid().result())\n"
        f"{EXITS[what]}\n"
        "print(time.time(), flush=True)"
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "PYTHONPATH": PACKAGE_PATH},
        check=False,
    )
    ended_s = time.time()
    assert (done.stderr, done.returncode) == ("", 0)
    pid, began_s = done.stdout.split()
    assert ended_s - float(began_s) < 3
    until(lambda: not _exists(int(pid)), PATIENCE_S)
