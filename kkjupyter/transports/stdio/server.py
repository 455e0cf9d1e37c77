"""The stdin and stdout of this process as one end of a connection, for serving over stdio.

Blocking threads read and write them. asyncio's pipes would make them non-blocking for every program
that shares them (often a terminal), accept no plain files, and do not exist on Windows.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from kkjupyter.transports.base import Owner

__all__ = ["FilesTransport", "own_stdio"]

_READ_BYTES = 256 * 1024
# How much is read ahead of a paused reader, and written ahead of a peer that does not read.
_HIGH_BYTES = 256 * 1024
_LOW_BYTES = 64 * 1024
_FLUSH_S = 1.0
# How long the last request may take once stdin has ended, which is immediately in
# `printf '...' | kkjupyter serve module:name --stdio`.
_LINGER_S = 0.3


def own_stdio() -> FilesTransport:
    """Take stdin and stdout for a connection.

    Call it once in a process, before other code prints. From then on all printed output goes to
    stderr, even that of C code and of started programs, and stdin is empty for other readers:
    neither may get into the messages.
    """
    read_fd, write_fd = os.dup(0), os.dup(1)
    if os.name == "posix":  # the starting program may have needed it otherwise
        os.set_blocking(read_fd, True)
        os.set_blocking(write_fd, True)
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    try:
        os.dup2(2, 1)
    except OSError:  # stderr is closed
        os.dup2(null, 1)
    os.close(null)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.flush()  # what was printed before does not get into the messages, either
        sys.stdout.reconfigure(line_buffering=True)  # like stderr
    else:
        sys.stdout = sys.stderr
    return FilesTransport(read_fd, write_fd, "stdin", linger_s=_LINGER_S)


class FilesTransport:
    """A connection over two open files: pipes, sockets, a terminal or anything that can block.

    Args:
        read_fd: read from; closed by the transport, as soon as no thread waits for it.
        write_fd: written to; closed in the same way.
        url: its name in messages.
        linger_s: how long to go on writing after the end of the input, in seconds.
    """

    keeps_boundaries = False

    def __init__(self, read_fd: int, write_fd: int, url: str, *, linger_s: float = 0.0) -> None:
        self.url = url
        self._linger_s = linger_s
        self._read_fd = read_fd
        self._write_fd = write_fd
        self._owner: Owner | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._paused = False
        self._closed = False
        self._reason = ""
        self._ended = asyncio.Event()
        self._flushed = asyncio.Event()
        # Shared with the threads, under one lock.
        self._changed = threading.Condition()
        self._inbox: deque[bytes] = deque()
        self._inbox_bytes = 0
        self._outbox: deque[bytes] = deque()
        self._outbox_bytes = 0
        self._full = False
        self._closing = False

    def open(self, owner: Owner) -> None:
        self._owner = owner
        self._loop = asyncio.get_running_loop()
        for name, run in (("kkjupyter-stdin", self._read), ("kkjupyter-stdout", self._write)):
            threading.Thread(target=run, name=name, daemon=True).start()

    def send(self, messages: Sequence[bytes]) -> None:
        with self._changed:
            if not self._closing:
                self._outbox.extend(messages)
                self._outbox_bytes += sum(map(len, messages))
                self._full = self._full or self._outbox_bytes > _HIGH_BYTES
                self._changed.notify_all()

    @property
    def writable(self) -> bool:
        return not self._full

    def pause_reading(self) -> None:
        self._paused = True

    def resume_reading(self) -> None:
        if self._paused:
            self._paused = False
            asyncio.get_running_loop().call_soon(self._deliver)

    async def close(self) -> None:
        if self._loop is None:
            self.abort()
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        try:
            async with asyncio.timeout(_FLUSH_S):
                await self._flushed.wait()
        except TimeoutError:
            pass  # the peer does not read
        finally:
            self.abort()
        await self._ended.wait()

    def abort(self) -> None:
        if not self._closed:
            self._end("closed")

    async def wait_closed(self) -> None:
        """Wait until either side has closed the connection. Cancelling is safe."""
        await self._ended.wait()

    # ---- on the loop

    def _deliver(self) -> None:
        owner = self._owner
        if owner is None or self._paused:
            return
        with self._changed:
            chunks = list(self._inbox)
            self._inbox.clear()
            self._inbox_bytes = 0
            self._changed.notify_all()
        at_end = bool(chunks) and not chunks[-1]
        if at_end:
            chunks.pop()
        if chunks:
            owner.data_received(chunks)
        if at_end and self._paused:  # the end comes after what the owner must still read
            with self._changed:
                self._inbox.append(b"")
        elif at_end:
            end = functools.partial(self._end, "closed by the other side")
            asyncio.get_running_loop().call_later(self._linger_s, end)

    def _end(self, reason: str) -> None:
        if self._closed:
            return
        self._closed = True
        self._reason = reason
        with self._changed:
            self._closing = True
            self._outbox.clear()
            self._outbox_bytes = 0
            self._changed.notify_all()
        if self._loop is None:  # never opened
            os.close(self._read_fd)
            os.close(self._write_fd)
            self._flushed.set()
        asyncio.get_running_loop().call_soon(self._report_end)

    def _report_end(self) -> None:
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.closed(self._reason)
        self._ended.set()

    def _writable(self) -> None:
        if self._owner is not None:
            self._owner.writable()

    # ---- on their own threads

    def _read(self) -> None:
        data = b"-"
        while data:
            with self._changed:
                self._changed.wait_for(lambda: self._inbox_bytes < _HIGH_BYTES or self._closing)
                if self._closing:
                    break
            data = _read_some(self._read_fd)
            with self._changed:
                self._inbox.append(data)
                self._inbox_bytes += len(data)
            self._on_loop(self._deliver)
        os.close(self._read_fd)

    def _write(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._outbox or self._closing)
                data = b"".join(self._outbox)
                self._outbox.clear()
            if not data:
                break
            try:
                _write_all(self._write_fd, data)
            except OSError:  # the reader is gone
                self._on_loop(self._end, "closed by the other side")
                break
            with self._changed:
                self._outbox_bytes = max(0, self._outbox_bytes - len(data))
                has_room = self._full and self._outbox_bytes <= _LOW_BYTES
                self._full = self._full and not has_room
            if has_room:
                self._on_loop(self._writable)
        os.close(self._write_fd)
        self._on_loop(self._flushed.set)

    def _on_loop(self, fn: Callable[..., object], *args: Any) -> None:
        assert self._loop is not None
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(fn, *args)


def _read_some(fd: int) -> bytes:
    try:
        return os.read(fd, _READ_BYTES)
    except OSError:  # a terminal that was hung up, a socket that was reset
        return b""


def _write_all(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
