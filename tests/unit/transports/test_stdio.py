"""Programs started by us, and this process as such a program, with real processes and pipes."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest
from support.waiting import auntil

import kkjupyter as kk
from kkjupyter.transports.stdio import client as stdio
from kkjupyter.transports.stdio import process_group
from kkjupyter.transports.stdio.client import StdioTransport, spawn_stdio
from kkjupyter.transports.stdio.commands import command_url
from kkjupyter.transports.stdio.server import FilesTransport

PATIENCE_S = 15.0
MIB = 1024 * 1024

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals and groups of POSIX")

ECHO = """
import sys
while data := sys.stdin.buffer.raw.read(65536):
    sys.stdout.buffer.write(data)
    sys.stdout.flush()
"""


class Log:
    """An owner that writes down what it is told."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.received_bytes = 0
        self.ends: list[str] = []
        self.writable_again = 0

    def data_received(self, chunks: Sequence[bytes]) -> None:
        self.received += chunks
        self.received_bytes += sum(map(len, chunks))

    def writable(self) -> None:
        self.writable_again += 1

    def closed(self, reason: str) -> None:
        self.ends.append(reason)

    @property
    def text(self) -> str:
        return b"".join(self.received).decode()


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def run(main: Callable[[], Awaitable[None]]) -> None:
    """Run a test's coroutine; nothing it started may be left."""

    async def bounded() -> None:
        async with asyncio.timeout(50):
            await main()
        # Unclosed transports and pending tasks would be told as warnings, which are errors.
        await auntil(lambda: len(asyncio.all_tasks()) == 1, PATIENCE_S)
        assert not process_group._running

    try:
        asyncio.run(bounded())
    finally:  # what a test that fails has left is not the next one's fault
        for group in list(process_group._running):
            group.kill()
            group.forget()


async def started(code: str) -> tuple[StdioTransport, Log]:
    transport = await spawn_stdio(python(code))
    log = Log()
    transport.open(log)
    return transport, log


async def ended(log: Log) -> str:
    await auntil(lambda: log.ends, PATIENCE_S)
    return log.ends[0]


async def settled(read: Callable[[], int]) -> int:
    """What ``read()`` says once it has begun to count and stopped."""
    before = 0
    for _ in range(int(PATIENCE_S / 0.2)):
        count = read()
        if count and count == before:
            return count
        before = count
        await asyncio.sleep(0.2)
    raise AssertionError(f"still counting at {before}")


def is_running(pid: int) -> bool:
    """Whether there is such a process; a zombie counts."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


# ---- bytes both ways


def test_bytes_both_ways_and_a_clean_end() -> None:
    async def main() -> None:
        transport, log = await started(ECHO)
        transport.send([b"one\n", b"two\n"])
        await auntil(lambda: log.text == "one\ntwo\n", PATIENCE_S)
        await transport.close()
        await transport.close()
        assert log.ends == ["closed"]
        assert not is_running(transport.pid)
        transport.send([b"too late"])
        transport.abort()

    run(main)


def test_ten_megabytes_both_ways() -> None:
    async def main() -> None:
        transport, log = await started(ECHO)
        message = os.urandom(MIB) * 10
        transport.send([message])
        assert not transport.writable
        await auntil(lambda: log.received_bytes == len(message), PATIENCE_S)
        assert b"".join(log.received) == message
        assert transport.writable
        assert log.writable_again == 1
        await transport.close()

    run(main)


def test_what_came_before_the_owner_is_not_lost() -> None:
    async def main() -> None:
        transport = await spawn_stdio(python("print('early', flush=True)"))
        await auntil(lambda: transport._exited.is_set(), PATIENCE_S)
        log = Log()
        transport.open(log)
        assert await ended(log) == "the program ended with exit status 0"
        assert log.text == "early\n"

    run(main)


# ---- backpressure


def test_a_program_that_does_not_read_is_felt(tmp_path: Path) -> None:
    may_read = tmp_path / "may read"

    async def main() -> None:
        transport, log = await started(
            "import os, sys, time\n"
            "print('up', flush=True)\n"
            f"while not os.path.exists({str(may_read)!r}): time.sleep(0.01)\n"
            "while data := sys.stdin.buffer.raw.read(65536): pass\n"
            "print('read all', flush=True)\n"
        )
        # Nothing is read: the pipe fills, then the queue.
        sent_bytes = 0
        while transport.writable:
            transport.send([b"x" * 1024])
            sent_bytes += 1024
            assert sent_bytes < MIB
        may_read.touch()
        await auntil(lambda: transport.writable, PATIENCE_S)
        assert log.writable_again == 1
        transport._stdin().close()
        await auntil(lambda: "read all" in log.text, PATIENCE_S)
        await ended(log)

    run(main)


def test_a_reader_who_pauses_stops_the_program(tmp_path: Path) -> None:
    written = tmp_path / "written"

    async def main() -> None:
        transport, log = await started(
            "import os\n"
            f"progress = os.open({str(written)!r}, os.O_CREAT | os.O_WRONLY)\n"
            "for n in range(1, 161):\n"
            "    os.write(1, b'x' * 65536)\n"
            "    os.pwrite(progress, b'%d\\n' % n, 0)\n"
        )
        await auntil(lambda: log.received_bytes > 0, PATIENCE_S)
        transport.pause_reading()
        transport.pause_reading()
        await asyncio.sleep(0)  # what was on its way
        at_pause = log.received_bytes
        reached = await settled(lambda: int(written.read_text() or 0))
        assert log.received_bytes == at_pause
        assert reached * 65536 - at_pause < 2 * MIB
        transport.resume_reading()
        assert await ended(log) == "the program ended with exit status 0"
        assert log.received_bytes == 160 * 65536

    run(main)


def test_the_end_waits_for_a_reader_who_has_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stdio, "_DRAIN_S", 0.01)

    async def main() -> None:
        transport = await spawn_stdio(python("input(); print('x' * 40_000)"))
        log = Log()
        transport.open(log)
        transport.pause_reading()
        transport.send([b"now\n"])  # not before: what was read earlier would be told at once
        await auntil(lambda: transport._exited.is_set(), PATIENCE_S)
        await asyncio.sleep(0.1)
        assert not log.ends
        transport.resume_reading()
        await ended(log)
        assert log.received_bytes == 40_001

    run(main)


def test_stderr_never_holds_the_program_up_and_its_end_is_kept() -> None:
    async def main() -> None:
        transport, log = await started(
            "import os\n"
            "for n in range(160): os.write(2, b'%6d' % n + b'y' * 65530)\n"
            "os.write(2, b'\\n\\x1b[31mthe end \\xc3\\xa9\\xff\\x1b[0m\\n')\n"
            "os.write(1, b'done')\n"
            "os.read(0, 1)\n"
        )
        await auntil(lambda: log.text == "done", PATIENCE_S)
        await auntil(lambda: "the end" in transport.stderr_tail, PATIENCE_S)
        assert transport.stderr_tail.splitlines()[-1] == "the end é\ufffd"
        assert len(transport.stderr_tail) <= stdio.STDERR_TAIL_BYTES
        assert sum(map(len, transport._stderr)) < 2 * stdio.STDERR_TAIL_BYTES
        await transport.close()

    run(main)


# ---- how it ends


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("raise SystemExit(3)", "the program ended with exit status 3"),
        ("pass", "the program ended with exit status 0"),
        (
            "import sys; sys.exit('no such model')",
            "the program ended with exit status 1; its stderr: no such model",
        ),
        (
            "import sys; print('one\\ntwo', file=sys.stderr); sys.exit(9)",
            "the program ended with exit status 9; the end of its stderr:\n    one\n    two",
        ),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            "the program was ended by SIGKILL",
        ),
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
            "the program was ended by SIGSEGV",
        ),
        (
            "import os, time; os.close(0); time.sleep(0.05); os._exit(7)",
            "the program ended with exit status 7",
        ),
    ],
)
def test_the_reason_says_how_the_program_ended(code: str, reason: str) -> None:
    async def main() -> None:
        transport, log = await started(code)
        assert await ended(log) == reason
        assert not is_running(transport.pid)
        await transport.close()
        assert len(log.ends) == 1

    run(main)


@pytest.mark.parametrize(("fd", "name"), [(0, "stdin"), (1, "stdout")])
def test_a_program_that_closes_a_pipe_and_lives_on_is_ended(
    fd: int, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stdio, "LOST_GRACE_S", 0.1)

    async def main() -> None:
        transport, log = await started(
            f"import os, time; os.write(2, b'hm'); os.close({fd}); time.sleep(60)"
        )
        assert await ended(log) == f"the program closed its {name}; its stderr: hm"
        assert not is_running(transport.pid)

    run(main)


STUBBORN = """
import os, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
os.write(1, b'up')
time.sleep(60)
"""


@pytest.mark.slow
def test_a_program_that_ignores_all_requests_is_killed() -> None:
    async def main() -> None:
        transport, log = await started(STUBBORN)
        await auntil(lambda: log.received, PATIENCE_S)
        began_s = time.monotonic()
        await transport.close()
        took_s = time.monotonic() - began_s
        assert stdio.EOF_GRACE_S + stdio.TERMINATE_GRACE_S <= took_s + 0.05 < 5
        assert log.ends == ["closed"]
        assert not is_running(transport.pid)

    run(main)


def test_a_program_is_given_the_time_to_end_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stdio, "EOF_GRACE_S", PATIENCE_S)

    async def main() -> None:
        transport, log = await started(
            "import os, pathlib\n"
            "os.write(1, b'up')\n"
            "os.read(0, 1)\n"
            f"pathlib.Path({str(tmp_path / 'bye')!r}).touch()\n"
        )
        await auntil(lambda: log.received, PATIENCE_S)
        await transport.close()
        assert (tmp_path / "bye").exists()

    run(main)


def test_closing_reads_on_so_that_a_busy_program_can_end() -> None:
    async def main() -> None:
        transport, log = await started("import os\nwhile True: os.write(1, b'x' * 65536)")
        await auntil(lambda: log.received, PATIENCE_S)
        transport.pause_reading()
        await transport.close()
        assert not is_running(transport.pid)

    run(main)


@pytest.mark.slow
def test_abort_tells_at_once_and_ends_the_program_soon() -> None:
    async def main() -> None:
        transport, log = await started(STUBBORN)
        await auntil(lambda: log.received, PATIENCE_S)
        transport.send([b"x" * MIB])
        transport.abort()
        transport.abort()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert log.ends == ["closed"]
        assert is_running(transport.pid)
        await auntil(lambda: not is_running(transport.pid), PATIENCE_S)
        assert len(log.ends) == 1

    run(main)


@pytest.mark.slow
def test_an_abort_lets_close_return() -> None:
    """As when what a program says last is that it has had enough."""

    async def main() -> None:
        transport, log = await started(STUBBORN)
        await auntil(lambda: log.received, PATIENCE_S)
        closing = asyncio.create_task(transport.close())
        await asyncio.sleep(0)
        transport.abort()
        await closing
        assert log.ends == ["closed"]
        await auntil(lambda: not is_running(transport.pid), PATIENCE_S)

    run(main)


def test_cancelling_close_aborts() -> None:
    async def main() -> None:
        transport, log = await started(STUBBORN)
        await auntil(lambda: log.received, PATIENCE_S)
        closing = asyncio.create_task(transport.close())
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not log.ends
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        await asyncio.sleep(0)
        assert log.ends == ["closed"]
        await auntil(lambda: not is_running(transport.pid), PATIENCE_S)

    run(main)


@pytest.mark.slow
def test_what_a_program_has_started_ends_with_it() -> None:
    async def main() -> None:
        transport, log = await started(
            "import os, subprocess, sys, time\n"
            f"helper = subprocess.Popen([sys.executable, '-c', {STUBBORN!r}])\n"
            "os.write(1, b'%d ' % helper.pid)\n"
            "time.sleep(60)\n"
        )
        await auntil(lambda: log.text.endswith("up"), PATIENCE_S)
        helper = int(log.text.split()[0])
        assert is_running(helper)
        await transport.close()
        await auntil(lambda: not is_running(helper) or _is_zombie(helper), PATIENCE_S)

    run(main)


def _is_zombie(pid: int) -> bool:
    """Dead, and not yet collected by whatever adopts orphans here."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_ctrl_c_for_us_does_not_reach_the_program() -> None:
    async def main() -> None:
        transport, log = await started(
            "import os; os.write(1, b'%d' % os.getsid(0)); os.read(0, 1)"
        )
        await auntil(lambda: log.received, PATIENCE_S)
        assert int(log.text) == transport.pid != os.getsid(0)
        await transport.close()

    run(main)


EXIT = """
import asyncio, sys, threading
from kkjupyter.transports.stdio.client import spawn_stdio
class Owner:
    def data_received(self, chunks): up.set()
    def writable(self): pass
    def closed(self, reason): pass
async def main():
    transport = await spawn_stdio([sys.executable, "-c", sys.argv[1]])
    transport.open(Owner())
    print(transport.pid, flush=True)
    await asyncio.sleep(60)
up = threading.Event()
threading.Thread(target=lambda: asyncio.run(main()), daemon=True).start()
assert up.wait(20)
"""


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        ("", STUBBORN),
        ("import time; time.sleep(60)", "import os; os.write(1, b'up'); os.read(0, 1)"),
    ],
    ids=["it exits, and the program ignores SIGTERM", "it is killed, and the program sees EOF"],
)
@pytest.mark.slow
def test_no_program_outlives_the_interpreter(ends: str, code: str) -> None:
    async def main() -> None:
        process = await asyncio.create_subprocess_exec(
            *[sys.executable, "-c", EXIT + ends, code],
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(Path(next(iter(kk.__path__))).parent)},
        )
        assert process.stdout is not None
        pid = int(await process.stdout.readline())
        if ends:
            process.send_signal(signal.SIGKILL)
        async with asyncio.timeout(PATIENCE_S):
            await process.wait()
        await auntil(lambda: not is_running(pid) or _is_zombie(pid), PATIENCE_S)

    run(main)


# ---- what cannot be started


def _script(tmp_path: Path, text: str, mode: int) -> str:
    path = tmp_path / "script"
    path.write_text(text)
    path.chmod(mode)
    return str(path)


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda p: ["no-such-program-at-all"], "program 'no-such-program-at-all' is not on"),
        (lambda p: [str(p / "nothing")], "no such file"),
        (lambda p: [_script(p, "#!/bin/sh\n", 0o644)], "name its interpreter first"),
        (lambda p: [_script(p, "words", 0o755)], "is not a program; name its interpreter first"),
        (lambda p: [_script(p, "#!/no/such/interp\n", 0o755)], "interpreter that"),
        (lambda p: [str(p)], "may not be executed"),
    ],
)
def test_a_program_that_cannot_be_started_is_an_error_in_words(
    make: Callable[[Path], list[str]], reason: str, tmp_path: Path
) -> None:
    async def main() -> None:
        with pytest.raises(kk.ConnectError) as caught:
            await spawn_stdio(make(tmp_path))
        assert reason in caught.value.reason
        assert caught.value.url.startswith("stdio:")

    run(main)


def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(kk.ConnectError, match=r"cwd '.*nowhere' is not a directory"):
            await spawn_stdio(python("pass"), cwd=str(tmp_path / "nowhere"))

    run(main)


def test_directory_and_environment(tmp_path: Path) -> None:
    async def main() -> None:
        transport = await spawn_stdio(
            python("import os; print(os.getcwd(), os.environ['KK_X'], 'PATH' in os.environ)"),
            cwd=str(tmp_path),
            env={"KK_X": "é"},
        )
        log = Log()
        transport.open(log)
        await ended(log)
        assert log.text == f"{tmp_path} é True\n"

    run(main)


@pytest.mark.parametrize(
    ("command", "url"),
    [
        (["/usr/bin/node", "server.mjs"], "stdio:node server.mjs"),
        (["x", "--token", "abc", "go"], "stdio:x --token … go"),
        (
            ["x", "--api-key=abc", "--secret", "--port", "1"],
            "stdio:x --api-key=… --secret --port 1",
        ),
        (["x", "Authorization: Bearer abc"], "stdio:x Authorization: …"),
        (["env", "DB_PASSWORD=abc", "x"], "stdio:env DB_PASSWORD=… x"),
        (["x", "postgres://me:abc@host/db?sslkey=abc"], "stdio:x postgres://host/db?…"),
        (["x", "--url=https://me:abc@host/"], "stdio:x --url=https://host/"),
        (["x", "sk-1abc2def3abc4def5abc6"], "stdio:x …"),
        (["x", "-c", "print(1)\n  print(2)"], "stdio:x -c print(1) print(2)"),
        (["x", "a" * 50], "stdio:x " + "a" * 39 + "…"),
    ],
)
def test_how_a_command_is_shown(command: list[str], url: str) -> None:
    assert command_url(command) == url


# ---- this process as the program


class Files:
    """A FilesTransport and the other ends of its files."""

    def __init__(self) -> None:
        read_fd, self.stdin = os.pipe()
        self.stdout, write_fd = os.pipe()
        self.transport = FilesTransport(read_fd, write_fd, "test")
        self.log = Log()
        self.transport.open(self.log)

    async def until_idle(self) -> None:
        """Until the threads are gone."""
        names = {"kkjupyter-stdin", "kkjupyter-stdout"}
        await auntil(lambda: not names & {t.name for t in threading.enumerate()}, PATIENCE_S)


def test_files_both_ways_until_the_other_side_ends() -> None:
    async def main() -> None:
        files = Files()
        os.write(files.stdin, b"one\n")
        await auntil(lambda: files.log.text == "one\n", PATIENCE_S)
        files.transport.send([b"two\n", b"three\n"])
        assert await asyncio.to_thread(os.read, files.stdout, 100) == b"two\nthree\n"
        os.write(files.stdin, b"last\n")
        os.close(files.stdin)
        await files.transport.wait_closed()
        assert files.log.ends == ["closed by the other side"]
        assert files.log.text == "one\nlast\n"
        await files.until_idle()
        assert os.read(files.stdout, 1) == b""
        os.close(files.stdout)

    run(main)


def test_files_feel_a_peer_that_does_not_read() -> None:
    async def main() -> None:
        files = Files()
        sent_bytes = 0
        while files.transport.writable:
            files.transport.send([b"x" * 65536])
            sent_bytes += 65536
            assert sent_bytes < 2 * MIB
        assert files.log.writable_again == 0

        def read_all() -> int:
            got = 0
            while got < sent_bytes:
                got += len(os.read(files.stdout, MIB))
            return got

        assert await asyncio.to_thread(read_all) == sent_bytes
        await auntil(lambda: files.log.writable_again == 1, PATIENCE_S)
        assert files.transport.writable
        await files.transport.close()
        os.close(files.stdin)
        await files.until_idle()
        os.close(files.stdout)

    run(main)


def test_files_that_are_not_read_stop_the_peer() -> None:
    async def main() -> None:
        files = Files()
        files.transport.pause_reading()
        written = [0]

        def write_all() -> None:
            for _ in range(64):
                written[0] += os.write(files.stdin, b"x" * 65536)
            os.close(files.stdin)

        writer = threading.Thread(target=write_all)
        writer.start()
        assert await settled(lambda: written[0]) < MIB
        assert files.log.received_bytes == 0
        files.transport.resume_reading()
        await files.transport.wait_closed()
        await asyncio.to_thread(writer.join)
        assert files.log.received_bytes == 64 * 65536
        await files.until_idle()
        os.close(files.stdout)

    run(main)


def test_a_peer_that_reads_no_more_ends_the_connection() -> None:
    async def main() -> None:
        files = Files()
        os.close(files.stdout)
        files.transport.send([b"anybody?"])
        await files.transport.wait_closed()
        assert files.log.ends == ["closed by the other side"]
        os.close(files.stdin)
        await files.until_idle()

    run(main)


def test_closing_writes_what_was_sent() -> None:
    async def main() -> None:
        files = Files()
        files.transport.send([b"x" * 32_768])
        await files.transport.close()
        await files.transport.close()
        assert files.log.ends == ["closed"]
        assert os.read(files.stdout, MIB) == b"x" * 32_768
        os.close(files.stdin)
        await files.until_idle()
        os.close(files.stdout)

    run(main)
