"""Serving an object: a listening WebSocket, a token at the door, a channel for each client."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable, Sequence
from ssl import SSLContext
from typing import Any, Literal

from websockets.asyncio.server import Server as WebSocketServer
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from kkjupyter.errors import ConnectError
from kkjupyter.rpc.blocking import run_blocking
from kkjupyter.rpc.checks import check_choice, check_port
from kkjupyter.rpc.clients import Clients
from kkjupyter.rpc.dialing import COMPRESSIONS, make_session
from kkjupyter.rpc.door import Door, bearer_tokens, make_token, query_tokens
from kkjupyter.rpc.expose import method_names
from kkjupyter.rpc.hooks import run_before_connect
from kkjupyter.rpc.interceptors import Interceptor
from kkjupyter.rpc.portal import handler_loop
from kkjupyter.rpc.pumps import busy_after_cancel
from kkjupyter.rpc.remote import Remote
from kkjupyter.rpc.titles import counted
from kkjupyter.transports.handshake import check_subprotocols
from kkjupyter.transports.pushing import PushServerConnection, quiet_logger
from kkjupyter.transports.tls import check_server_context, context_for
from kkjupyter.transports.websocket import WebSocketTransport

__all__ = ["Server", "open_servers", "start_server"]

# A browser cannot set headers on a WebSocket, but it can offer a subprotocol of this form.
TOKEN_SUBPROTOCOL = "kkjupyter.token."
_LIMIT_BYTES = 64 * 1024 * 1024

_numbers = itertools.count(1)
_servers: weakref.WeakSet[Server] = weakref.WeakSet()


def open_servers() -> list[Server]:
    """Every server that is not closed, oldest first."""
    return sorted((s for s in _servers if not s.closed), key=lambda s: s._number)


class Server:
    """A served object; made by :func:`kkjupyter.serve`. ``with`` closes it at the end.

    Attributes:
        url: its address; clients need the token, too.
        port: the TCP port.
        closed: whether :meth:`close` was called.
    """

    def __init__(
        self,
        target: Any,
        host: str,
        token: str | None,
        interceptors: Sequence[Interceptor],
        origins: Sequence[str],
        *,
        ssl: SSLContext | None,
        compression: str | None,
        subprotocols: Sequence[str],
    ) -> None:
        self._number = next(_numbers)
        self._clients = Clients(target, interceptors)
        self._methods = method_names(target)
        self._host = host
        self._door = Door(host, token, origins)
        self._ssl = ssl
        self._certificate = check_server_context(ssl, host) if ssl is not None else None
        self._scheme = "ws" if ssl is None else "wss"
        self._compression = compression
        self._subprotocols = check_subprotocols(subprotocols)
        self._listener: WebSocketServer | None = None
        self.port = 0
        self.closed = False
        _servers.add(self)

    @property
    def url(self) -> str:
        """Where it listens, without the token."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{self._scheme}://{host}:{self.port}"

    @property
    def token(self) -> str | None:
        """The secret clients must show, or None. Taken as ``Authorization: Bearer``, as
        ``?token=`` in the address, or as a subprotocol ``kkjupyter.token.<token>``."""
        return self._door.token

    @property
    def running(self) -> int:
        """How many calls and streams of clients are being worked on."""
        return self._clients.running

    @property
    def clients(self) -> int:
        """How many clients are connected."""
        return len(self._clients)

    def connect(self, **options: Any) -> Remote:
        """A connection to this server, token included; ``options`` as :func:`kkjupyter.connect`.

        Its own certificate is trusted, whoever has issued it, unless ``options`` say otherwise.
        """
        run_before_connect()
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self._host)
        url = f"{self._scheme}://{host}:{self.port}" if host else self.url
        options.setdefault("methods", self._methods)
        options.setdefault("token", self.token)
        options.setdefault("proxy", None)  # it runs on this machine, whatever its address
        if self._certificate is not None and options.get("ca_file") is None:
            options.setdefault("ssl", context_for(self._certificate))
        session = make_session(url, **options)
        run_blocking(session.connect())
        return Remote(session)

    def call_soon(self, fn: Callable[..., object], *args: Any) -> None:
        """Have ``fn(*args)`` called on the loop that handlers run on. Any thread.

        For what is awaited there and filled elsewhere: ``server.call_soon(queue.put_nowait, x)``;
        an ``asyncio.Queue`` filled from a cell would not wake its reader.
        """
        handler_loop().post(fn, *args)

    def close(self) -> None:
        """Stop listening, cancel what runs, disconnect everybody. Idempotent; waits briefly."""
        if not self.closed:
            run_blocking(self._stop())

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if self.closed:
            return f"<Server {self.url}: closed>"
        door = "with a token" if self.token else "open to everybody who can reach it"
        busy = busy_after_cancel()
        late = f", {busy} cancelled but still busy" if busy else ""
        work = f"{counted(self.clients, 'client')}, {counted(self.running, 'call')}"
        return f"<Server {self.url} ({door}): {work}{late}>"

    # ---- I/O loop only

    async def _start(self, port: int) -> None:
        try:
            self._listener = await serve(
                self._serve_client,
                self._host,
                port,
                create_connection=PushServerConnection,
                process_request=self._check_request,
                select_subprotocol=self._select_subprotocol,
                ssl=self._ssl,
                compression=self._compression,
                max_size=_LIMIT_BYTES,
                ping_interval=None,
                close_timeout=1.0,
                server_header=None,
                logger=quiet_logger,
            )
        except OSError as exc:
            raise ConnectError(
                f"{self._scheme}://{self._host}:{port}",
                f"cannot listen there ({exc.strerror or exc})",
            ) from exc
        self.port = next(iter(self._listener.sockets)).getsockname()[1]

    async def _stop(self) -> None:
        self.closed = True
        self._clients.stop()
        if self._listener is not None:
            self._listener.close()
            await self._listener.wait_closed()

    async def _serve_client(self, connection: ServerConnection) -> None:
        assert isinstance(connection, PushServerConnection)
        transport = WebSocketTransport(connection, _peer_name(connection))
        self._clients.add(transport, limit_bytes=_LIMIT_BYTES)
        await transport.wait_closed()

    def _check_request(self, connection: ServerConnection, request: Request) -> Response | None:
        turned = self._door.turn_away(request.headers.get("Origin"), _tokens_shown(request))
        return connection.respond(*turned) if turned else None

    def _select_subprotocol(
        self, connection: ServerConnection, offered: Sequence[Subprotocol]
    ) -> Subprotocol | None:
        tokens = [name for name in offered if name.startswith(TOKEN_SUBPROTOCOL)]
        names = [name for name in offered if name not in tokens]
        if self._subprotocols:
            names = [name for name in map(Subprotocol, self._subprotocols) if name in names]
        # A browser closes the connection when none of what it offered is chosen.
        return next(iter(names + tokens), None)


def start_server(
    target: Any,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    token: str | bool = True,
    insecure: bool = False,
    interceptors: Sequence[Interceptor] = (),
    origins: Sequence[str] = (),
    ssl: SSLContext | None = None,
    compression: Literal["deflate"] | None = None,
    subprotocols: Sequence[str] = (),
) -> Server:
    """Serve ``target``; see :func:`kkjupyter.serve`."""
    check_port(port)
    secret = make_token(host, token, insecure=insecure)
    check_choice("compression", compression, COMPRESSIONS)
    server = Server(
        target,
        host,
        secret,
        interceptors,
        origins,
        ssl=ssl,
        compression=compression,
        subprotocols=subprotocols,
    )
    run_blocking(server._start(port))
    return server


def _tokens_shown(request: Request) -> list[str]:
    shown = bearer_tokens(request.headers.get_all("Authorization"))
    shown += query_tokens(request.path)
    for header in request.headers.get_all("Sec-WebSocket-Protocol"):
        for name in header.split(","):
            if name.strip().startswith(TOKEN_SUBPROTOCOL):
                shown.append(name.strip().removeprefix(TOKEN_SUBPROTOCOL))
    return shown


def _peer_name(connection: ServerConnection) -> str:
    address = connection.remote_address
    return f"client {address[0]}:{address[1]}" if address else "client"
