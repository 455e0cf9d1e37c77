"""From what a user gives as a target to a session that can reach it."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from os import PathLike
from ssl import SSLContext
from typing import TYPE_CHECKING, Any, Literal, TypedDict, TypeGuard, Unpack, overload

from kkjupyter.errors import ConnectError, UsageError
from kkjupyter.rpc import programs
from kkjupyter.rpc.channel import Channel, RequestHandler
from kkjupyter.rpc.checks import check_choice, check_options, check_seconds
from kkjupyter.rpc.exposed import Exposed
from kkjupyter.rpc.producer import Producer
from kkjupyter.rpc.session import Session
from kkjupyter.transports.base import Transport
from kkjupyter.transports.connecting import connect_websocket, without_secrets
from kkjupyter.transports.handshake import check_subprotocols, request_headers
from kkjupyter.transports.proxies import check_proxy
from kkjupyter.transports.tls import client_context

if TYPE_CHECKING:
    from kkjupyter.rpc.exchange import HttpSession

__all__ = ["COMPRESSIONS", "ConnectOptions", "Dial", "make_session"]

COMPRESSIONS = ("deflate",)

Dial = Callable[[], Awaitable[Transport]]
"""Makes a new transport each time it is called; on the I/O loop."""


class ConnectOptions(TypedDict, total=False):
    """The keyword arguments of :func:`connect` and :func:`aconnect`.

    Attributes:
        protocol: ``"classic"`` (kkrpc 0.x) or ``"compact"`` (1.0 to 2.x); None asks the peer. Over
            HTTP it must be named.
        codec: ``"superjson"`` or ``"json"``, of what is sent; None takes what the peer answers in.
            Answers are read in either.
        headers: sent with the handshake; over HTTP, as token and cookies, with every request.
        token: sent as ``Authorization: Bearer``.
        cookies: sent with the handshake, names to values.
        subprotocols: offered in the handshake, in order of preference.
        ssl: how to check the server of a ``wss://`` or ``https://`` address; by default as the
            system does.
        ca_file: a file of certificates (PEM); they and what they have issued are trusted, and
            nobody else. For a private authority or a server's self-signed certificate.
        proxy: ``"http://user:password@host:port"``, or ``https``, ``socks5h`` and so on; True (the
            default) for what the environment says, which is never asked about this machine; None
            for none.
        compression: ``"deflate"`` to offer it, for slow networks; None (the default) for none.
        timeout_s: for the reply of every call, in seconds; None waits for ever.
        idle_timeout_s: for the next item of every stream, in seconds; None waits for ever.
        connect_timeout_s: for connecting, in seconds; 10 by default.
        methods: names known to exist there, for completion.
        meta: called for each call, without arguments; the dict it returns is sent along, and the
            other side's interceptors see it.
        expose: what the other side may call in turn; as for :func:`kkjupyter.serve`. Not over HTTP.
        cwd: the directory to start a command in; that of this process otherwise.
        env: environment variables of a command, on top of those of this process.
    """

    protocol: str | None
    codec: str | None
    headers: Mapping[str, str] | None
    token: str | None
    cookies: Mapping[str, str] | None
    subprotocols: Sequence[str]
    ssl: SSLContext | None
    ca_file: str | PathLike[str] | None
    proxy: str | bool | None
    compression: Literal["deflate"] | None
    timeout_s: float | None
    idle_timeout_s: float | None
    connect_timeout_s: float
    methods: Sequence[str]
    meta: Callable[[], Mapping[str, Any] | None] | None
    expose: Any
    cwd: str | PathLike[str] | None
    env: Mapping[str, str] | None


@overload
def make_session(target: Dial, url: str, /, **options: Unpack[ConnectOptions]) -> Session: ...
@overload
def make_session(
    target: str | Sequence[str] | Transport, /, **options: Unpack[ConnectOptions]
) -> Session | HttpSession: ...
def make_session(
    target: str | Sequence[str] | Transport | Dial,
    url: str = "",
    /,
    **options: Unpack[ConnectOptions],
) -> Session | HttpSession:
    """A session that is not connected yet.

    Args:
        target: an address, a command to start, an open transport, or what makes transports.
        url: how to call the latter in messages.
        options: those of :func:`kkjupyter.connect`.

    Raises:
        UsageError: an argument cannot be right.
    """
    check_options(options, sorted(ConnectOptions.__optional_keys__))
    connect_timeout_s = options.get("connect_timeout_s", 10.0)
    check_seconds("connect_timeout_s", connect_timeout_s)
    dial: Dial
    probe_timeout_s: float | None = None
    if isinstance(target, list | tuple):
        # A program says nothing before it has started up.
        probe_timeout_s = math.inf if connect_timeout_s is None else connect_timeout_s
        url, dial = programs.command_dial(target, options)
        _check_no_websocket_options(url, options)
    elif given := [name for name in programs.OPTIONS if options.get(name) is not None]:
        raise UsageError(f"{given[0]} is for a command, such as ['node', 'server.mjs']")
    elif isinstance(target, str):
        if target.partition("://")[0].lower() in ("http", "https"):
            return _http_session(target, connect_timeout_s, options)
        url = without_secrets(target)
        dial = _websocket_dial(target, options, connect_timeout_s)
    elif url and callable(target):
        _check_no_websocket_options(url, options)
        dial = target
    elif _is_transport(target):
        url = target.url
        _check_no_websocket_options(url, options)
        dial = _only_once(target)
    else:
        raise UsageError(
            "connect takes an address ('ws://127.0.0.1:8765'), a command "
            "(['node', 'server.mjs']) or an open transport, "
            f"not {type(target).__name__}: {target!r:.60}"
        )
    return Session(
        url,
        dial,
        protocol=options.get("protocol"),
        codec=options.get("codec"),
        timeout_s=options.get("timeout_s"),
        idle_timeout_s=options.get("idle_timeout_s"),
        methods=options.get("methods", ()),
        meta=options.get("meta"),
        probe_timeout_s=probe_timeout_s,
        make_handler=_handler_for(options.get("expose")),
    )


def _handler_for(target: Any) -> Callable[[Channel], RequestHandler] | None:
    if target is None:
        return None
    exposed = Exposed(target)
    return lambda channel: Producer(exposed, channel)


def _is_transport(target: Any) -> TypeGuard[Transport]:
    return isinstance(getattr(target, "url", None), str) and hasattr(target, "keeps_boundaries")


_WEBSOCKET_OPTIONS = (
    *("headers", "token", "cookies", "subprotocols"),
    *("ssl", "ca_file", "proxy", "compression"),
)


def _check_no_websocket_options(url: str, options: ConnectOptions) -> None:
    for name in _WEBSOCKET_OPTIONS:
        if options.get(name):
            raise UsageError(f"{name}= is for ws:// and wss:// addresses; {url} has no use for it")


def _http_session(url: str, connect_timeout_s: float, options: ConnectOptions) -> HttpSession:
    from kkjupyter.rpc.exchange import HttpSession  # the library takes its time to load

    shown_url = without_secrets(url)
    if options.get("expose") is not None:
        raise UsageError(
            f"{shown_url}: over HTTP the other side cannot call back, so that nothing can be "
            "exposed to it; connect to a ws:// address"
        )
    for name in ("subprotocols", "compression"):
        if options.get(name):
            raise UsageError(f"{name}= is for ws:// and wss:// addresses; {shown_url} is neither")
    return HttpSession(
        url,
        protocol=options.get("protocol"),
        codec=options.get("codec"),
        headers=request_headers(
            options.get("headers"), options.get("token"), options.get("cookies")
        ),
        ssl=client_context(shown_url, options.get("ssl"), options.get("ca_file")),
        proxy=options.get("proxy", True),
        connect_timeout_s=connect_timeout_s,
        timeout_s=options.get("timeout_s"),
        idle_timeout_s=options.get("idle_timeout_s"),
        methods=options.get("methods", ()),
        meta=options.get("meta"),
    )


def _websocket_dial(url: str, options: ConnectOptions, connect_timeout_s: float) -> Dial:
    _check_websocket_url(url)
    headers = request_headers(options.get("headers"), options.get("token"), options.get("cookies"))
    subprotocols = check_subprotocols(options.get("subprotocols"))
    ssl = client_context(without_secrets(url), options.get("ssl"), options.get("ca_file"))
    proxy = options.get("proxy", True)
    check_proxy(proxy)
    compression = options.get("compression")
    check_choice("compression", compression, COMPRESSIONS)

    async def dial() -> Transport:
        return await connect_websocket(
            url,
            headers=headers,
            subprotocols=subprotocols,
            ssl=ssl,
            proxy=proxy,
            compression=compression,
            connect_timeout_s=connect_timeout_s,
        )

    return dial


def _only_once(transport: Transport) -> Dial:
    """A transport that was handed in ready-made cannot be made anew."""
    unused = [transport]

    async def dial() -> Transport:
        if not unused:
            raise ConnectError(
                transport.url, "it was handed over as an open transport and cannot be opened again"
            )
        return unused.pop()

    return dial


def _check_websocket_url(url: str) -> None:
    if programs.looks_like_command(url):
        raise UsageError(
            "a command is a list, one part for each argument: kk.connect(['node', 'server.mjs'])"
        )
    shown = without_secrets(url)
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    if scheme in ("ws", "wss"):
        if "#" in url:
            raise UsageError(f"{shown}: what follows '#' is never sent to a server; leave it out")
        return
    if not scheme and ":" in shown:
        raise UsageError(f"{shown!r} has no scheme; did you mean 'ws://{shown}'?")
    raise UsageError(f"{shown!r} is no address to connect to; it looks like 'ws://127.0.0.1:8765'")
