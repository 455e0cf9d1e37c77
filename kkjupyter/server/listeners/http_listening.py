"""Listens for HTTP, for every server that speaks it."""

from __future__ import annotations

import asyncio
import logging
from ssl import SSLContext

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from kkjupyter.limits import ServerLoad
from kkjupyter.plaintext import PlainRecords
from kkjupyter.runtime.logs import limit_lines
from kkjupyter.server.listeners.admission import Entrance, TurnedAway, Visitor
from kkjupyter.server.listeners.descriptors import ACCEPTED_AT_ONCE, deepen_queue, report_exhaustion
from kkjupyter.server.listeners.http_connection import HttpConnection
from kkjupyter.server.listeners.http_heartbeat import add_heartbeats
from kkjupyter.transports.stalls import set_keepalive

__all__ = ["HttpListener"]

# Requests that run when the server closes are cancelled; this is the time for answering them.
_SHUTDOWN_S = 0.05
# How long the rest of a refused upload is read, so that its sender gets to read the reason.
_LINGER_S = 2.0
_FOR_EVER_S = 1e9

# Data that is not HTTP concerns only its sender, which gets an answer.
_logger = logging.getLogger("kkjupyter.http")
_logger.setLevel(logging.WARNING)
_logger.addFilter(
    lambda record: not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))
)
limit_lines(_logger)
_logger.addFilter(PlainRecords())


class HttpListener:
    """Serves an application on a port.

    I/O loop only, except the number. The task of a client that disconnects is cancelled. A
    connection beyond the limit is refused. One that makes the server wait too long, for a request
    or for room to write, is closed.

    Args:
        app: the application; not started yet.
        host: the address to listen on.
        ssl: adds TLS.
        load: what the clients have at once; its limits say how many connections there may be, and
            how long each may take for what.
    """

    def __init__(
        self, app: web.Application, host: str, ssl: SSLContext | None, load: ServerLoad
    ) -> None:
        limits = load.limits
        self._load = load
        self._host = host
        self._ssl = ssl
        self.limits = limits
        self._entrance = Entrance(limits, counts_connections=True)
        self._listener: asyncio.Server | None = None
        self._handshakes: set[asyncio.Task[None]] = set()
        self._is_closed = False
        add_heartbeats(app, limits)
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
        return len(self._entrance)

    async def start(self, port: int) -> int:
        """Begin to listen; return the port. Raises OSError if it cannot listen there."""
        await self._runner.setup()
        loop = asyncio.get_running_loop()
        report_exhaustion(loop)
        try:
            # TLS comes later: until its handshake is over, a connection is a stranger.
            self._listener = await loop.create_server(
                lambda: _Gate(self), self._host, port, backlog=ACCEPTED_AT_ONCE
            )
            deepen_queue(self._listener.sockets)
        except OSError:
            await self._runner.cleanup()
            raise
        return int(self._listener.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Stop listening and disconnect all clients."""
        self._is_closed = True
        self._entrance.close()
        if self._listener is not None:
            self._listener.close()
        for handshake in self._handshakes:
            handshake.cancel()
        await self._runner.cleanup()

    def know(self, request: web.Request) -> None:
        """Mark the connection of this request as known."""
        if isinstance(request.protocol, HttpConnection):
            request.protocol.know()

    # ---- at the gate

    def accept(self, transport: asyncio.Transport) -> None:
        """One more connection is there."""
        self._entrance.come(
            transport,
            self._let_in,
            lambda limit, name: transport.set_protocol(TurnedAway(transport, limit, name)),
        )

    def _let_in(self, visitor: Visitor) -> None:
        transport, timeout_s = visitor.transport, self.limits.handshake_timeout_s
        if timeout_s is not None:
            visitor.limit_time(timeout_s)
        if self.limits.silence_timeout_s is not None:
            set_keepalive(transport.get_extra_info("socket"), self.limits.silence_timeout_s)
        connection = self._new_connection(visitor)
        if self._ssl is None:
            transport.set_protocol(connection)
            connection.connection_made(transport)
        else:
            handshake = asyncio.get_running_loop().create_task(
                self._agree_upon_tls(visitor, connection, self._ssl)
            )
            self._handshakes.add(handshake)
            handshake.add_done_callback(self._handshakes.discard)

    async def _agree_upon_tls(
        self, visitor: Visitor, connection: HttpConnection, context: SSLContext
    ) -> None:
        transport = visitor.transport
        try:
            secure = await asyncio.get_running_loop().start_tls(
                transport,
                connection,
                context,
                server_side=True,
                ssl_handshake_timeout=self.limits.handshake_timeout_s,
            )
        except (OSError, asyncio.CancelledError) as exc:  # ssl.SSLError is one
            visitor.leave()
            transport.abort()
            if isinstance(exc, asyncio.CancelledError):
                raise
            _logger.debug("a TLS handshake failed: %s", exc)
            return
        assert secure is not None, "start_tls raises when it fails"
        visitor.transport = secure
        connection.connection_made(secure)

    def _new_connection(self, visitor: Visitor) -> HttpConnection:
        server = self._runner.server
        assert server is not None, "call start() first"
        keepalive_s = self.limits.keepalive_timeout_s
        connection = HttpConnection(
            server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # which it takes for none
            logger=_logger,
            auto_decompress=False,  # the library's has no limit except memory
            tcp_keepalive=False,  # it is already set if it is wanted
            lingering_time=_LINGER_S,
            keepalive_timeout=_FOR_EVER_S if keepalive_s is None else keepalive_s,
        )
        connection.attend(visitor, self._load)
        return connection


class _Gate(asyncio.Protocol):
    """Owns a connection until it is counted as admitted."""

    def __init__(self, listener: HttpListener) -> None:
        self._listener = listener

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._listener.accept(transport)
