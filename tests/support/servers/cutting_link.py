"""A network between two ends on this machine that breaks where it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncIterator
from typing import Self

__all__ = ["CuttingLink"]


class CuttingLink:
    """Carries WebSockets to a server, frame by frame; a context manager.

    Args:
        target: the server's port.

    Attributes:
        port: where clients connect.
        connections: how many were let through so far.
        frames: how many frames of both directions were let through; a handshake's request counts as
            one, and so does its answer.
        carried: what was let through, for each connection: to the server, and to the client.
        away_s: for how long the network is away after a planned cut.
        halves: whether a cut is in the middle of a frame.
    """

    def __init__(self, target: int) -> None:
        self.port = 0
        self.connections = 0
        self.frames = 0
        self.carried: list[tuple[list[bytes], list[bytes]]] = []
        self.away_s = 0.0
        self.halves = False
        self._is_down = False
        self._plan: deque[int] = deque()
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._ready = threading.Event()
        self._stopped = asyncio.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(5)
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._stopped.set)
        self._thread.join(5)
        self._loop.close()

    def cut(self, *, down: bool = False) -> None:
        """Break all connections; with ``down`` no new one gets through until :meth:`mend`."""
        self._loop.call_soon_threadsafe(self._cut, down)

    def mend(self) -> None:
        """Let new connections through."""
        self._is_down = False

    def plan(self, *frames: int) -> None:
        """Break all connections after so many frames; and after so many more; and so on."""
        self._plan = deque(frames)

    @property
    def is_through(self) -> bool:
        """Whether all planned cuts were made."""
        return not self._plan

    def _cut(self, down: bool) -> None:
        self._is_down = down or self._is_down
        for writer in list(self._writers):
            writer.transport.abort()

    def _is_cut_here(self) -> bool:
        """Whether the next frame does not get through."""
        if not self._plan or self._plan[0]:
            if self._plan:
                self._plan[0] -= 1
            self.frames += 1
            return False
        self._plan.popleft()
        if self.away_s:
            self._is_down = True
            self._loop.call_later(self.away_s, self.mend)
        return True

    def _run(self) -> None:
        self._loop.run_until_complete(self._main())

    async def _main(self) -> None:
        listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = listener.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopped.wait()
        listener.close()
        self._cut(True)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=2)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_down:
            writer.transport.abort()
            return
        self.connections += 1
        there: list[bytes] = []
        back: list[bytes] = []
        self.carried.append((there, back))
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        ends = {writer, far_writer}
        self._writers |= ends
        try:
            tasks = {
                asyncio.create_task(self._carry(reader, far_writer, there)),
                asyncio.create_task(self._carry(far_reader, writer, back)),
            }
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        finally:
            self._writers -= ends
            for end in ends:
                end.transport.abort()

    async def _carry(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, carried: list[bytes]
    ) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            async for frame in _frames(reader):
                if self._is_cut_here():
                    if self.halves:
                        writer.write(frame[: len(frame) // 2])
                        await asyncio.sleep(0.005)
                    return
                carried.append(frame)
                writer.write(frame)
                await writer.drain()


async def _frames(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The head of the handshake, then each frame, as they are on the wire."""
    head = await reader.readuntil(b"\r\n\r\n")
    if head.startswith(b"HTTP/1.1 4"):  # refused, with a text
        yield head + await reader.read()
        return
    yield head
    while True:
        frame = await reader.readexactly(2)
        length = frame[1] & 0x7F
        if length > 125:
            frame += await reader.readexactly(2 if length == 126 else 8)
            length = int.from_bytes(frame[2:], "big")
        if frame[1] & 0x80:
            length += 4
        yield frame + await reader.readexactly(length)
