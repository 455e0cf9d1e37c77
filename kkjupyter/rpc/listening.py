"""Listening for HTTP, for every server that speaks it."""

from __future__ import annotations

import logging
from ssl import SSLContext

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

__all__ = ["HttpListener"]

# What still runs when the server closes has been cancelled; this is for saying so.
_SHUTDOWN_S = 0.05

# What is no HTTP is its sender's own affair, and he gets an answer.
_logger = logging.getLogger("kkjupyter.http")
_logger.setLevel(logging.WARNING)
_logger.addFilter(
    lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))
)


class HttpListener:
    """Serves an application at a port. I/O loop only, save the number.

    The task of a client that leaves is cancelled.

    Args:
        app: what answers.
        host: where to listen.
        ssl: adds TLS.
    """

    def __init__(self, app: web.Application, host: str, ssl: SSLContext | None) -> None:
        self._host = host
        self._ssl = ssl
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handle_signals=False,
            handler_cancellation=True,
            logger=_logger,
            shutdown_timeout=_SHUTDOWN_S,
        )

    @property
    def connections(self) -> int:
        """How many connections are open. Any thread."""
        server = self._runner.server
        return len(server.connections) if server is not None else 0

    async def start(self, port: int) -> int:
        """Begin to listen; return the port. OSError when it cannot be had."""
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._host, port, ssl_context=self._ssl).start()
        except OSError:
            await self._runner.cleanup()
            raise
        return int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Stop, and disconnect everybody."""
        await self._runner.cleanup()
