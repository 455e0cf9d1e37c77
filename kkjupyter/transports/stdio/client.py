"""A connection to a program that we start, over its stdin and stdout.

Its stderr is always read, so that a program that writes much is never blocked. The end of it is
kept, because it says best why a program ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections import deque
from collections.abc import Mapping, Sequence
from typing import cast

from kkjupyter.errors import ConnectError
from kkjupyter.plaintext import plain
from kkjupyter.transports.base import Owner
from kkjupyter.transports.stdio.commands import command_url, end_reason, quoted, start_reason
from kkjupyter.transports.stdio.process_group import ProcessGroup, is_stopped, spawn_options

__all__ = ["StdioTransport", "spawn_stdio"]

STDERR_TAIL_BYTES = 8 * 1024
# How long a program may take to end by itself after a pipe of it was closed, by us or by itself.
EOF_GRACE_S = 0.3
LOST_GRACE_S = 1.0
# And how long after SIGTERM.
TERMINATE_GRACE_S = 0.7
# SIGKILL works at once, except on a program that hangs in the operating system itself.
_KILL_GRACE_S = 1.0
# The rest in the pipes of a program that has ended is read at once, unless other programs that it
# started keep the pipes open.
_DRAIN_S = 0.5
# How long it may be stopped (SIGSTOP, Ctrl-Z). It may be silent without limit: it may compute.
STOPPED_S = 40.0
_LOOKS = 8
_STDIN, _STDOUT, _STDERR = 0, 1, 2
_CLOSED = "closed"


async def spawn_stdio(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    stopped_timeout_s: float = STOPPED_S,
) -> StdioTransport:
    """Start a program, without a shell, and connect to its stdin and stdout.

    A program that starts may still not be an endpoint, and may end at any time. Cancelling is safe:
    the program is ended.

    Args:
        command: the program and its arguments.
        env: environment variables on top of those of this process.
        cwd: the directory to start it in; that of this process if None.
        stopped_timeout_s: how long it may be stopped by a signal, in seconds; then it is ended. The
            limit does not apply to a program in a debugger.

    Raises:
        ConnectError: the program cannot be started; with ``url`` and ``reason``.
    """
    url = command_url(command)
    environment = {**os.environ, **env} if env else None
    transport = StdioTransport(url, stopped_timeout_s)
    try:
        await asyncio.get_running_loop().subprocess_exec(
            lambda: transport, *command, env=environment, cwd=cwd, **spawn_options()
        )
    except OSError as exc:
        raise ConnectError(url, start_reason(exc, command[0], cwd, environment)) from exc
    return transport


class StdioTransport(asyncio.SubprocessProtocol):
    """A running program; made by :func:`spawn_stdio`, which has asyncio call the inherited methods.

    Attributes:
    """

    keeps_boundaries = False

    def __init__(self, url: str, stopped_timeout_s: float = STOPPED_S) -> None:
        self.url = url
        self._stopped_timeout_s = stopped_timeout_s
        self._stopped_looks = 0
        self._look_timer: asyncio.TimerHandle | None = None
        self._owner: Owner | None = None
        self._early: list[bytes] = []
        self._stderr: deque[bytes] = deque()
        self._stderr_bytes = 0
        self._open_outputs = {_STDOUT, _STDERR}
        self._full = False
        self._paused = False
        self._lost = ""
        self._signalled = False
        self._aborted = False
        self._ended = False
        self._exited = asyncio.Event()
        self._changed = asyncio.Event()
        self._ending: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """The program's process id."""
        return self._group.pid

    @property
    def stderr_tail(self) -> str:
        """The end of what the program wrote to stderr, at most 8 KiB."""
        data = b"".join(self._stderr)[-STDERR_TAIL_BYTES:]
        text = data.decode("utf-8", "replace").replace("\r\n", "\n")
        return plain(text).strip("\n")

    # ---- the transport's interface

    def open(self, owner: Owner) -> None:
        self._owner = owner
        early, self._early = self._early, []
        if early:
            owner.data_received(early)
        if self._ended:
            asyncio.get_running_loop().call_soon(self._report_end)
        else:
            self.resume_reading()

    def send(self, messages: Sequence[bytes]) -> None:
        stdin = self._stdin()
        if not (self._ended or stdin.is_closing()):
            # Not writelines(), which knows no backpressure in some versions of Python.
            stdin.write(b"".join(messages))

    @property
    def writable(self) -> bool:
        return not self._full

    def pause_reading(self) -> None:
        if not self._paused:
            self._paused = True
            self._changed.set()
            with contextlib.suppress(RuntimeError):  # closed already
                self._stdout().pause_reading()

    def resume_reading(self) -> None:
        if self._paused:
            self._paused = False
            self._changed.set()
            with contextlib.suppress(RuntimeError):
                self._stdout().resume_reading()

    async def close(self) -> None:
        """Close its stdin, then terminate, then kill it. Idempotent; cancelling aborts."""
        if self._ended:
            return
        self._lost = self._lost or _CLOSED
        self.resume_reading()  # it may be busy writing, and end only after that
        self._stdin().close()
        self._end_within(EOF_GRACE_S)
        ending = self._ending
        assert ending is not None
        try:
            await asyncio.wait([ending])
        except asyncio.CancelledError:
            self.abort()
            raise
        if not ending.cancelled():  # as after an abort in the meantime
            ending.result()

    def abort(self) -> None:
        """Disconnect at once; the program is terminated, and soon killed."""
        if self._ended or self._aborted:
            return
        self._aborted = True
        self._lost = self._lost or _CLOSED
        if self._ending is not None:
            self._ending.cancel()
        self._ending = None
        self._close_pipes()
        self._end_within(0.0)
        asyncio.get_running_loop().call_soon(self._report_end)

    # ---- called by asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._process = cast(asyncio.SubprocessTransport, transport)
        self._group = ProcessGroup(self._process.get_pid())
        self.pause_reading()  # until there is an owner
        self._look_soon()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        if fd == _STDERR:
            self._keep_stderr(data)
        elif self._owner is not None:
            self._owner.data_received([data])
        elif self._lost != _CLOSED:
            self._early.append(data)

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        self._open_outputs.discard(fd)
        self._changed.set()
        if fd != _STDERR:
            self._lost = self._lost or f"the program closed its {'stdout' if fd else 'stdin'}"
            self._end_within(LOST_GRACE_S)

    def process_exited(self) -> None:
        self._exited.set()
        self._end_within(LOST_GRACE_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._process.close()

    def pause_writing(self) -> None:
        self._full = True

    def resume_writing(self) -> None:
        self._full = False
        if self._owner is not None:
            self._owner.writable()

    # ---- checking whether it is stopped

    def _look_soon(self) -> None:
        interval_s = self._stopped_timeout_s / _LOOKS
        self._look_timer = asyncio.get_running_loop().call_later(interval_s, self._look)

    def _look(self) -> None:
        if self._ended or self._ending is not None:
            return
        self._stopped_looks = self._stopped_looks + 1 if is_stopped(self.pid) else 0
        if self._stopped_looks <= _LOOKS:  # the first may have come just after it was stopped
            self._look_soon()
        else:
            self._lost = f"the program was stopped for {self._stopped_timeout_s:g} s (SIGSTOP?)"
            self._end_within(0.0)

    # ---- the end

    def _end_within(self, grace_s: float) -> None:
        """Begin to end, unless it has begun already."""
        if self._ending is None:
            self._ending = asyncio.get_running_loop().create_task(self._end(grace_s))

    async def _end(self, grace_s: float) -> None:
        if not await _within(self._exited, grace_s):
            self._signalled = True
            self._group.terminate()
            if not await _within(self._exited, TERMINATE_GRACE_S):
                self._group.kill()
                await _within(self._exited, _KILL_GRACE_S)
        self._group.terminate()  # what it has left behind
        await self._drain()
        self._group.kill()
        self._group.forget()
        self._close_pipes()
        self._report_end()

    async def _drain(self) -> None:
        """Read the program's last output. A paused reader gets as much time as it needs."""
        while self._open_outputs:
            self._changed.clear()
            if not await _within(self._changed, None if self._paused else _DRAIN_S):
                return

    def _close_pipes(self) -> None:
        # Not the whole transport: that would reap the program behind the watcher's back.
        stdin = self._stdin()
        # Not twice: asyncio cannot handle that.
        if not stdin.is_closing() or stdin.get_write_buffer_size():
            stdin.abort()
        for fd in (_STDOUT, _STDERR):
            cast(asyncio.BaseTransport, self._process.get_pipe_transport(fd)).close()

    def _report_end(self) -> None:
        self._ended = True
        if self._look_timer is not None:
            self._look_timer.cancel()
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.closed(self._reason())

    def _reason(self) -> str:
        if self._lost == _CLOSED:
            return self._lost
        status = self._process.get_returncode()
        reason = self._lost
        if status is not None and not self._signalled:
            reason = end_reason(status)
        return reason + quoted(self.stderr_tail)

    def _keep_stderr(self, data: bytes) -> None:
        self._stderr.append(data[-STDERR_TAIL_BYTES:])
        self._stderr_bytes += len(self._stderr[-1])
        while self._stderr_bytes - len(self._stderr[0]) >= STDERR_TAIL_BYTES:
            self._stderr_bytes -= len(self._stderr.popleft())

    def _stdin(self) -> asyncio.WriteTransport:
        return cast(asyncio.WriteTransport, self._process.get_pipe_transport(_STDIN))

    def _stdout(self) -> asyncio.ReadTransport:
        return cast(asyncio.ReadTransport, self._process.get_pipe_transport(_STDOUT))


async def _within(event: asyncio.Event, limit_s: float | None) -> bool:
    """Whether ``event`` was set in time."""
    try:
        async with asyncio.timeout(limit_s):
            await event.wait()
    except TimeoutError:
        return False
    return True
