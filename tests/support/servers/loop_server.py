"""A server of a test's own on this machine, on a loop and a thread of its own."""

from __future__ import annotations

import asyncio
import ssl
import threading
from typing import Self

__all__ = ["LoopServer"]


class LoopServer:
    """A context manager; whoever derives from it says in :meth:`serve` what a connection gets.

    Args:
        tls: a context, for a server that speaks TLS.

    Attributes:
        port: where it listens.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.port = 0
        self.loop = asyncio.new_event_loop()
        self._tls = tls
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self.loop.run_until_complete, args=(self._run(),))

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection; it is cut afterwards, and when the server ends."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(5)
        return self

    def __exit__(self, *exc: object) -> None:
        self.loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(5)
        self.loop.close()

    async def _run(self) -> None:
        tasks: set[asyncio.Task[None]] = set()

        async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            tasks.add(task)
            try:
                await self.serve(reader, writer)
            except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                pass  # whoever it was has gone, or the test is over
            finally:
                writer.transport.abort()

        server = await asyncio.start_server(serve_one, "127.0.0.1", 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._stop.wait()
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)  # for what was closed to be gone
