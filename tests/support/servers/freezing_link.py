"""Something between two ends of a connection that may freeze: a proxy, or a tunnel."""

from __future__ import annotations

import asyncio
import contextlib
import threading

from support.servers.loop_server import LoopServer

__all__ = ["FreezingLink"]


class FreezingLink(LoopServer):
    """A context manager; a port behind which another one is.

    Args:
        port: the one behind it, on this machine.

    Attributes:
        port: its own.
    """

    def __init__(self, port: int) -> None:
        super().__init__()
        self._far_port = port
        self._moves = asyncio.Event()
        self._moves.set()

    def freeze(self) -> None:
        """From now on move nothing; the sockets stay open, and systems go on to acknowledge."""
        done = threading.Event()

        def freeze() -> None:
            self._moves.clear()
            done.set()

        self.loop.call_soon_threadsafe(freeze)
        assert done.wait(5)

    def thaw(self) -> None:
        """Move again, and first what came meanwhile."""
        self.loop.call_soon_threadsafe(self._moves.set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._far_port)
        try:
            await asyncio.gather(self._carry(reader, far_writer), self._carry(far_reader, writer))
        finally:
            far_writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await self._moves.wait()
            data = await reader.read(65_536)
            await self._moves.wait()
            if not data:
                with contextlib.suppress(OSError):
                    writer.write_eof()
                return
            writer.write(data)
            await writer.drain()
