"""Something between two ends of a connection that may freeze: a proxy, or a tunnel."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Self

__all__ = ["FreezingLink"]


class FreezingLink:
    """A context manager; a port behind which another one is. On a loop and a thread of its own.

    Args:
        port: the one behind it, on this machine.

    Attributes:
        port: its own.
    """

    def __init__(self, port: int) -> None:
        self.port = 0
        self._far_port = port
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._moves = asyncio.Event()
        self._moves.set()
        self._thread = threading.Thread(target=self._loop.run_until_complete, args=(self._run(),))

    def freeze(self) -> None:
        """From now on move nothing; the sockets stay open, and systems go on to acknowledge."""
        done = threading.Event()

        def freeze() -> None:
            self._moves.clear()
            done.set()

        self._loop.call_soon_threadsafe(freeze)
        assert done.wait(5)

    def thaw(self) -> None:
        """Move again, and first what came meanwhile."""
        self._loop.call_soon_threadsafe(self._moves.set)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(5)
        return self

    def __exit__(self, *exc: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(5)
        self._loop.close()

    async def _run(self) -> None:
        tasks: set[asyncio.Task[None]] = set()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._far_port)
            try:
                await asyncio.gather(
                    self._carry(reader, far_writer), self._carry(far_reader, writer)
                )
            except (ConnectionError, asyncio.CancelledError):
                pass  # one end is gone, or the test is over
            finally:
                writer.transport.abort()
                far_writer.transport.abort()

        listener = await asyncio.start_server(serve, "127.0.0.1", 0)
        self.port = listener.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        listener.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # for what was closed to be gone

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
