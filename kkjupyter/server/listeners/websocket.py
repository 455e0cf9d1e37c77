"""Serves over WebSocket: both kkrpc protocols on one port, a channel for each client."""

from __future__ import annotations

import asyncio
import http
from collections.abc import Sequence
from ssl import SSLContext
from typing import Any, Literal

from websockets.asyncio.server import Server as Listener
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from kkjupyter.limits import ServerLimits, size_limit
from kkjupyter.runtime.logs import SafeLogger
from kkjupyter.server.access import AccessPolicy, Visit
from kkjupyter.server.clients import Clients
from kkjupyter.server.exposed.offer import Exposed
from kkjupyter.server.listeners.admission import (
    Entrance,
    TurnedAway,
    Visitor,
    counted_address,
    too_many_text,
)
from kkjupyter.server.listeners.descriptors import ACCEPTED_AT_ONCE, deepen_queue, report_exhaustion
from kkjupyter.server.server import Server
from kkjupyter.transports.resumable.server import Guest
from kkjupyter.transports.stalls import StallWatch, set_keepalive
from kkjupyter.transports.websocket.handshake import TOKEN_SUBPROTOCOL, check_subprotocols
from kkjupyter.transports.websocket.protocol import PushServerConnection, Taker, quiet_logger
from kkjupyter.transports.websocket.transport import PONG_TIMEOUT_S, WebSocketTransport

__all__ = ["WebSocketServer"]

logger = SafeLogger("kkjupyter.server")


class WebSocketServer(Server):
    """Listens for WebSockets.

    Args:
        exposed: what clients may reach.
        access: who may come in.
        host: where to listen.
        ssl: makes it a ``wss://`` server.
        compression: accepted from clients that offer it.
        subprotocols: the accepted ones; if empty, the first one that a client offers.
        resume_s: how long a client of ours may be away, in seconds; None for not at all.
    """

    _clients: Clients

    def __init__(
        self,
        exposed: Exposed,
        access: AccessPolicy,
        host: str,
        *,
        ssl: SSLContext | None,
        compression: Literal["deflate"] | None,
        subprotocols: Sequence[str],
        resume_s: float | None = None,
    ) -> None:
        super().__init__(exposed, Clients(exposed, resume_s), access, host, "ws", ssl)
        self.offers_to_resume = resume_s is not None
        self._compression = compression
        self._subprotocols = check_subprotocols(subprotocols)
        self._listener: Listener | None = None
        self._limits = exposed.limits
        self._outside: set[GuardedConnection] = set()
        self._entrance = Entrance(exposed.limits, counts_connections=False)

    async def _listen(self, port: int) -> int:
        report_exhaustion(asyncio.get_running_loop())
        timeout_s = self._limits.handshake_timeout_s
        tls: dict[str, Any] = {}
        if self._ssl is not None:
            tls["ssl_handshake_timeout"] = timeout_s
        self._listener = await serve(
            self._serve_client,
            self._host,
            port,
            create_connection=self._make_connection,  # type: ignore[arg-type]  # called, no more
            open_timeout=timeout_s,
            process_request=self._check_request,
            select_subprotocol=self._select_subprotocol,
            ssl=self._ssl,
            compression=self._compression,
            max_size=self._limits.message_bytes,
            ping_interval=None,
            close_timeout=1.0,
            server_header=None,
            logger=quiet_logger,
            backlog=ACCEPTED_AT_ONCE,
            **tls,
        )
        deepen_queue(self._listener.sockets)
        return int(next(iter(self._listener.sockets)).getsockname()[1])

    async def _stop_listening(self) -> None:
        self._entrance.close()
        if self._listener is not None:
            self._listener.close()
            for connection in list(self._outside):  # it would be waited for until its time limit
                connection.transport.abort()
            await self._listener.wait_closed()

    async def _serve_client(self, connection: ServerConnection) -> None:
        assert isinstance(connection, PushServerConnection)
        silence_s = self._limits.silence_timeout_s
        transport = WebSocketTransport(
            connection,
            _peer_name(connection),
            ping_interval_s=None if silence_s is None else silence_s / 2,
            pong_timeout_s=PONG_TIMEOUT_S if silence_s is None else silence_s / 2,
            write_timeout_s=self._limits.write_timeout_s,
        )

        def on_silence(timeout_s: float) -> None:
            text = f"no message within {timeout_s:g} s (first_message_timeout_s)"
            logger.warning("%s: %s; it is disconnected", transport.url, text)
            transport.refuse(text)

        self._clients.add(transport, on_silence=on_silence, guest=_guest(connection))
        await transport.wait_closed()

    def _make_connection(self, *args: Any, **options: Any) -> PushServerConnection:
        return GuardedConnection(
            self._outside,
            self._entrance,
            self._limits,
            *args,
            limit_bytes=size_limit(self._limits.message_bytes),
            may_hold=self._clients.load.unfinished(),
            **options,
        )

    def _check_request(self, connection: ServerConnection, request: Request) -> Response | None:
        get_all = request.headers.get_all
        turned = self._access.rejection(Visit.of(get_all, request.path, _offered_tokens(request)))
        if turned is not None:
            return connection.respond(*turned)
        limit = self._limits.connections
        # Those who are away have a limit of their own, and must find a place when they come back.
        if limit is not None and len(self._clients) - self._clients.away >= limit:
            return connection.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, too_many_text(limit))
        return None

    def _select_subprotocol(
        self, connection: ServerConnection, offered: Sequence[Subprotocol]
    ) -> Subprotocol | None:
        tokens = [name for name in offered if name.startswith(TOKEN_SUBPROTOCOL)]
        names = [name for name in offered if name not in tokens]
        if self._subprotocols:
            names = [name for name in map(Subprotocol, self._subprotocols) if name in names]
        # A browser closes the connection if none of its offers is chosen.
        return next(iter(names + tokens), None)


class GuardedConnection(PushServerConnection):
    """A connection that is a stranger until its handshake is over, and is refused beyond the limit.

    Args:
        outside: connections whose handshake is not over: strangers, waiting and refused ones.
        entrance: decides about admission.
        limits: how long it may make the server wait.
    """

    def __init__(
        self,
        outside: set[GuardedConnection],
        entrance: Entrance,
        limits: ServerLimits,
        *args: Any,
        **options: Any,
    ) -> None:
        super().__init__(*args, **options)
        self._outside = outside
        self._entrance = entrance
        self._limits = limits
        self._visitor: Visitor | None = None
        self._turned_away: TurnedAway | None = None
        self._stall_watch: StallWatch | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)
        self._outside.add(self)
        if self._limits.silence_timeout_s is not None:
            set_keepalive(transport.get_extra_info("socket"), self._limits.silence_timeout_s)
        if self._limits.write_timeout_s is not None:
            timeout_s = self._limits.write_timeout_s
            self._stall_watch = StallWatch(transport, timeout_s, transport.abort)
        self._entrance.come(
            transport,
            self._let_in,
            lambda limit, name: self._turn_away(TurnedAway(transport, limit, name)),
        )

    def _let_in(self, visitor: Visitor) -> None:
        self._visitor = visitor

    def _turn_away(self, instead: TurnedAway) -> None:
        self._turned_away = instead

    def data_received(self, data: bytes) -> None:
        if self._turned_away is not None:
            self._turned_away.data_received(data)
        else:
            super().data_received(data)

    def connection_lost(self, exc: Exception | None) -> None:
        self._outside.discard(self)
        if self._visitor is not None:
            self._visitor.leave()
        if self._stall_watch is not None:
            self._stall_watch.stop()
        super().connection_lost(exc)

    def attach(self, taker: Taker) -> list[bytes]:
        self._outside.discard(self)
        if self._visitor is not None:
            self._visitor.show()
        if self._stall_watch is not None:
            self._stall_watch.stop()  # the transport has its own limit, which can say why
        return super().attach(taker)


def _offered_tokens(request: Request) -> list[str]:
    """The tokens sent as subprotocols."""
    shown: list[str] = []
    for header in request.headers.get_all("Sec-WebSocket-Protocol"):
        for name in header.split(","):
            if name.strip().startswith(TOKEN_SUBPROTOCOL):
                shown.append(name.strip().removeprefix(TOKEN_SUBPROTOCOL))
    return shown


def _guest(connection: ServerConnection) -> Guest:
    assert connection.request is not None
    origin = Visit.of(connection.request.headers.get_all, connection.request.path).origin
    return Guest(origin, counted_address(connection.transport))


def _peer_name(connection: ServerConnection) -> str:
    address = connection.remote_address
    return f"client {address[0]}:{address[1]}" if address else "client"
