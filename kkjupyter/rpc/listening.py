"""Listening for HTTP, for every server that speaks it."""

from __future__ import annotations

import asyncio
import logging
from ssl import SSLContext

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from kkjupyter.plaintext import PlainRecords
from kkjupyter.rpc.limits import Porch, ServerLimits, TurnedAway

__all__ = ["HttpListener"]

# What still runs when the server closes has been cancelled; this is for saying so.
_SHUTDOWN_S = 0.05
_BACKLOG = 128

# What is no HTTP is its sender's own affair, and he gets an answer.
_logger = logging.getLogger("kkjupyter.http")
_logger.setLevel(logging.WARNING)
_logger.addFilter(
    lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))
)
_logger.addFilter(PlainRecords())


class HttpListener:
    """Serves an application at a port. I/O loop only, save the number.

    The task of a client that leaves is cancelled. A connection that is one too many is turned away.

    Args:
        app: what answers.
        host: where to listen.
        ssl: adds TLS.
        limits: how many connections there may be, and how long one may take for its first request.
    """

    def __init__(
        self, app: web.Application, host: str, ssl: SSLContext | None, limits: ServerLimits
    ) -> None:
        self._host = host
        self._ssl = ssl
        self._limits = limits
        self._porch = Porch(limits)
        self._listener: asyncio.Server | None = None
        self._known: set[web.RequestHandler] = set()
        self._is_closed = False
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
        loop = asyncio.get_running_loop()
        ssl_timeout_s = self._limits.handshake_timeout_s if self._ssl is not None else None
        try:
            self._listener = await loop.create_server(
                lambda: _Gate(self),
                self._host,
                port,
                backlog=_BACKLOG,
                ssl=self._ssl,
                ssl_handshake_timeout=ssl_timeout_s,
            )
        except OSError:
            await self._runner.cleanup()
            raise
        return int(self._listener.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop, and disconnect everybody."""
        self._is_closed = True
        if self._listener is not None:
            self._listener.close()
        await self._runner.cleanup()

    def know(self, request: web.Request) -> None:
        """The connection that this came by may stay: it has shown what it has to."""
        if request.protocol is not None:
            self._known.add(request.protocol)

    # ---- at the gate

    def welcome(self, transport: asyncio.Transport) -> None:
        """One more connection is there."""
        if self._is_closed:  # since it was taken from the queue
            transport.abort()
            return
        limit = self._limits.unauthenticated_connections
        if limit is None or self._arriving < limit:
            self._let_in(transport)
            return
        self._porch.wait(
            transport,
            has_room=lambda: self._is_closed or self._arriving < limit,
            let_in=lambda: self._let_in(transport),
            turn_away=lambda: self._turn_away(transport, limit, "unauthenticated_connections"),
        )

    @property
    def _arriving(self) -> int:
        """How many have not shown what they have to."""
        connections = self._server.connections
        self._known.intersection_update(connections)
        return len(connections) - len(self._known)

    @property
    def _server(self) -> web.Server:
        server = self._runner.server
        assert server is not None, "start() comes first"
        return server

    def _let_in(self, transport: asyncio.Transport) -> None:
        if self._is_closed:  # while it waited
            transport.abort()
            return
        server, limits = self._server, self._limits
        if limits.connections is not None and len(server.connections) >= limits.connections:
            self._turn_away(transport, limits.connections, "connections")
            return
        protocol = server()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        timeout_s = limits.handshake_timeout_s
        if timeout_s is not None:
            asyncio.get_running_loop().call_later(timeout_s, self._look_at, protocol)

    def _turn_away(self, transport: asyncio.Transport, limit: int, name: str) -> None:
        transport.set_protocol(TurnedAway(transport, limit, name))

    def _look_at(self, protocol: web.RequestHandler) -> None:
        """Its time to show what it has to is up."""
        if protocol not in self._known and protocol.transport is not None:
            protocol.transport.close()


class _Gate(asyncio.Protocol):
    """In charge of a connection until it is there: only then those that are can be counted."""

    def __init__(self, listener: HttpListener) -> None:
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._listener.welcome(transport)
