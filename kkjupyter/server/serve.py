"""Turns the object and the options of ``kk.serve`` into a listening server."""

from __future__ import annotations

from collections.abc import Sequence
from ssl import SSLContext
from typing import Any, Literal, TypedDict, Unpack

from kkjupyter.argument_checks import check_choice, check_options, check_port, check_seconds
from kkjupyter.bus.addresses import is_bus_address, parse_bus_address
from kkjupyter.bus.kinds import bus_maker
from kkjupyter.errors import UsageError
from kkjupyter.limits import ServerLimits, check_limits
from kkjupyter.redaction import without_secrets
from kkjupyter.runtime.waiting import run_blocking
from kkjupyter.server.access import AccessPolicy, make_token
from kkjupyter.server.exposed.offer import Exposed
from kkjupyter.server.exposed.opened import make_reach
from kkjupyter.server.exposed.ownership import serving_package
from kkjupyter.server.exposed.writable import WritableOption, permission
from kkjupyter.server.interceptors import Interceptor
from kkjupyter.server.listeners.bus import BusServer
from kkjupyter.server.listeners.websocket import WebSocketServer
from kkjupyter.server.server import Server
from kkjupyter.transports.tls import client_context
from kkjupyter.transports.websocket.handshake import COMPRESSIONS

__all__ = ["ServeOptions", "start_server"]

_TRANSPORTS = ("websocket", "http")


class ServeOptions(TypedDict, total=False):
    """The keyword arguments of :func:`kkjupyter.serve`.

    Attributes:
        on: the address of a service on a message bus, instead of a host and a port:
            ``"nats://127.0.0.1:4222/lab.models"``, or on ``redis://``. Who may use it, the broker
            decides.
        workers: ``"shared"`` lets any number of servers, on any machines, serve under that name
            together: each call goes to one of them. None (the default) for this one alone.
        transport: ``"websocket"`` (the default), or ``"http"``: one POST for each call, without
            streams and callbacks, as with the peers.
        token: True (the default) makes one, a string is one, False serves without one, on loopback
            only. On a bus a string is the token, or the password, that the broker wants.
        insecure: also needed to serve without a token where others can reach the server.
        interceptors: ``async def interceptor(ctx, next)`` around every operation: calls, reading
            and setting properties, constructors.
        limits: what clients may have at once; see :class:`kkjupyter.ServerLimits`.
        validate: whether arguments, results and stream items must match the functions' type hints;
            True by default.
        expose: what else clients may call and read, as dotted names: ``["df.head"]``. By default
            they may call what the object's own classes define, the names in a served dict or
            module, and the same in objects whose class is from the same top-level package, from the
            code that serves them, from ``__main__``, or marked with :func:`kkjupyter.expose`.
            Anything else is a value, which is read and never called.
        hosts: names by which clients may address this server, besides the one that it listens on;
            ``["*"]`` for any. Other names are refused only if there is no token.
        writable: what clients may assign to, as dotted names: ``["settings"]`` opens ``settings``
            and all public data below it. True opens the entries of dicts and lists and the fields
            of dataclasses, wherever the object holds them. Nothing by default. What can be called,
            globals of a module, attributes of a class and names with a leading underscore are never
            opened.
        describe: whether clients are told the names, signatures and docstrings of what they may
            call, for completion and help; they are by default. Defaults that are plain values are
            told, too, save those of parameters that sound like a secret. With interceptors a method
            is described to those whom they let read it, and names are not listed.
        debug: True sends clients the traceback of what a handler raises, with file names and lines
            of source. Without it they get name, message, public fields and cause of the error, and
            the traceback goes to the log only (logger ``kkjupyter.server``).
        origins: web origins whose pages may connect, besides the server's own.
        ssl: makes it a ``wss://`` or ``https://`` server; a context for servers, with a certificate
            loaded.
        compression: ``"deflate"`` accepts it from WebSocket clients that offer it; None (the
            default) does not.
        gzip: whether the body of a request over HTTP may be compressed with gzip; not by default.
            The usual limit applies to the decompressed body.
        subprotocols: the server accepts the first of these that a WebSocket client offers, or none;
            if this is empty, the first one that a client offers.
        resume_s: how long streams and calls outlive a broken WebSocket, in seconds: a kkjupyter
            client that comes back within that time goes on where it stopped, and nothing is lost
            or done twice. Meanwhile producers wait, when what is kept for the client is full (see
            ``resume_bytes_per_connection`` of :class:`kkjupyter.ServerLimits`). What runs for a
            client that does not come back ends after that time. None (the default) ends it when
            its connection breaks. Other clients see no difference.
    """

    on: str | None
    workers: Literal["shared"] | None
    transport: Literal["websocket", "http"]
    token: str | bool
    insecure: bool
    interceptors: Sequence[Interceptor]
    limits: ServerLimits
    validate: bool
    expose: Sequence[str]
    hosts: Sequence[str]
    writable: WritableOption
    describe: bool
    debug: bool
    origins: Sequence[str]
    ssl: SSLContext | None
    compression: Literal["deflate"] | None
    gzip: bool
    subprotocols: Sequence[str]
    resume_s: float | None


def start_server(
    target: Any,
    host: str = "127.0.0.1",
    port: int = 0,
    *,
    package: str | None = None,
    **options: Unpack[ServeOptions],
) -> Server:
    """Serve ``target``; see :func:`kkjupyter.serve`.

    ``package`` is the top-level package whose code serves it, by default the caller's.
    """
    check_options(options, sorted(ServeOptions.__optional_keys__))
    check_port(port)
    on = options.get("on")
    check_choice("workers", options.get("workers"), ("shared",))
    if on is None and options.get("workers") is not None:
        raise UsageError("workers= is for a service on a bus: on='nats://127.0.0.1:4222/name'")
    check_choice("transport", options.get("transport"), _TRANSPORTS)
    check_seconds("resume_s", options.get("resume_s"))
    check_choice("compression", options.get("compression"), COMPRESSIONS)
    reach = make_reach(target, options.get("expose", ()), package=package or serving_package())
    exposed = Exposed(
        reach,
        options.get("interceptors", ()),
        options.get("validate", True),
        permission=permission(options.get("writable", ()), reach),
        debug=options.get("debug", False),
        limits=check_limits(options.get("limits")),
        describe=options.get("describe", True),
    )
    if on is not None:
        server: Server = _bus_server(exposed, on, host, port, options)
        run_blocking(server.start(port))
        return server
    token = make_token(host, options.get("token", True), insecure=options.get("insecure", False))
    access = AccessPolicy(host, token, options.get("origins", ()), options.get("hosts", ()))
    ssl = options.get("ssl")
    if options.get("transport") == "http":
        for name in ("compression", "subprotocols", "resume_s"):
            if options.get(name):
                raise UsageError(f"{name} is for WebSockets; leave it out with transport='http'")
        from kkjupyter.server.listeners.http import HttpServer  # aiohttp is slow to import

        server = HttpServer(exposed, access, host, ssl=ssl, gzip=options.get("gzip", False))
    else:
        if options.get("gzip"):
            raise UsageError("gzip is for transport='http'; for WebSockets use compression")
        server = WebSocketServer(
            exposed,
            access,
            host,
            ssl=ssl,
            compression=options.get("compression"),
            subprotocols=options.get("subprotocols", ()),
            resume_s=options.get("resume_s"),
        )
    run_blocking(server.start(port))
    return server


_NOT_ON_A_BUS = (
    *("transport", "insecure", "hosts", "origins", "compression", "gzip", "subprotocols"),
    "resume_s",
)
_HOST = "127.0.0.1"


def _bus_server(
    exposed: Exposed, on: str, host: str, port: int, options: ServeOptions
) -> BusServer:
    if not is_bus_address(on):
        shown = without_secrets(on) if isinstance(on, str) else repr(on)
        raise UsageError(
            f"on= takes an address like 'nats://127.0.0.1:4222/lab.models', not {shown}"
        )
    address = parse_bus_address(on)
    given = [name for name in _NOT_ON_A_BUS if options.get(name)]
    given += ["host"] if host != _HOST else []
    given += ["port"] if port else []
    if given:
        raise UsageError(
            f"{given[0]}= is for a server that listens on a port, not for {address.shown}"
        )
    token = options.get("token")
    token = token if isinstance(token, str) else None
    ssl = client_context(address.shown, options.get("ssl"), None)
    return BusServer(
        exposed,
        on,
        address,
        bus_maker(address, token, ssl),
        {"token": token, "ssl": ssl},
        is_shared=options.get("workers") == "shared",
    )
