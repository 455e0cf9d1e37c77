"""A network between two ends on this machine that breaks when it is told to."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Self

__all__ = ["CuttingLink"]


class CuttingLink:
    """A context manager: what is sent to ``port`` reaches the server's port, until it is cut.

    Args:
        target: the server's port.

    Attributes:
        port: where clients connect.
        connections: how many were let through so far.
        is_down: whether new connections are refused by an end at once.
        on_chunk: called with what is about to be passed on to the client, for each read from the
            server; True cuts the connection before it.
        chunk_bytes: how much is read at once.
    """

    def __init__(self, target: int) -> None:
        self.port = 0
        self.connections = 0
        self.is_down = False
        self.on_chunk: Callable[[bytes], bool] = lambda data: False
        self.on_sent: Callable[[bytes], bool] = lambda data: False
        self.chunk_bytes = 65_536
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
        self.is_down = down
        self._loop.call_soon_threadsafe(self._cut)

    def mend(self) -> None:
        """Let new connections through."""
        self.is_down = False

    def down_for(self, away_s: float) -> None:
        """Break all connections; on the link's own loop. It mends itself."""
        self._cut()
        if away_s:
            self.is_down = True
            self._loop.call_later(away_s, self.mend)

    def _cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()

    def _run(self) -> None:
        self._loop.run_until_complete(self._main())

    async def _main(self) -> None:
        listener = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = listener.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stopped.wait()
        listener.close()
        self._cut()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        if others:
            await asyncio.wait(others, timeout=2)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.is_down:
            writer.transport.abort()
            return
        self.connections += 1
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        ends = {writer, far_writer}
        self._writers |= ends
        try:
            there = asyncio.create_task(self._carry(reader, far_writer, self.on_sent))
            back = asyncio.create_task(self._carry(far_reader, writer, self.on_chunk))
            await asyncio.wait({there, back}, return_when=asyncio.FIRST_COMPLETED)
            there.cancel()
            back.cancel()
            await asyncio.gather(there, back, return_exceptions=True)
        finally:
            self._writers -= ends
            for end in ends:
                end.transport.abort()

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        cuts: Callable[[bytes], bool],
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(self.chunk_bytes):
                if cuts(data):
                    return
                writer.write(data)
                await writer.drain()
