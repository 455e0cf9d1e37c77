"""Makes the session for a target that the user gives."""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, TypeGuard, Unpack, overload

from kkjupyter.api.connect_options import ConnectOptions
from kkjupyter.argument_checks import check_choice, check_options, check_seconds
from kkjupyter.bus.addresses import is_bus_address, parse_bus_address
from kkjupyter.bus.kinds import bus_maker
from kkjupyter.client import programs
from kkjupyter.client.caller import ProtocolCaller
from kkjupyter.client.remote import Remote
from kkjupyter.client.service import ServiceSession
from kkjupyter.client.session import Session
from kkjupyter.connection.channel import Channel, RequestHandler
from kkjupyter.errors import ConnectError, UsageError
from kkjupyter.limits import check_client_limits, size_limit
from kkjupyter.redaction import without_secrets
from kkjupyter.server.dispatch import Producer
from kkjupyter.server.exposed.offer import Exposed
from kkjupyter.server.exposed.opened import make_reach
from kkjupyter.server.exposed.ownership import serving_package
from kkjupyter.server.exposed.writable import permission
from kkjupyter.transports.base import Transport
from kkjupyter.transports.proxies import check_proxy
from kkjupyter.transports.tls import client_context
from kkjupyter.transports.websocket.client import connect_websocket
from kkjupyter.transports.websocket.handshake import (
    COMPRESSIONS,
    check_subprotocols,
    has_authorization,
    request_headers,
    token_subprotocol,
)

if TYPE_CHECKING:
    from kkjupyter.client.http.session import HttpSession
    from kkjupyter.vovk.client.session import VovkSession

__all__ = ["Dial", "make_session", "make_vovk_session", "remote_of"]

Dial = Callable[[], Awaitable[Transport]]
"""Makes a new transport each time it is called; on the I/O loop."""


@overload
def make_session(target: Dial, url: str, /, **options: Unpack[ConnectOptions]) -> Session: ...
@overload
def make_session(
    target: str | Sequence[str] | Transport, /, **options: Unpack[ConnectOptions]
) -> Session | ServiceSession | HttpSession | VovkSession: ...
def make_session(
    target: str | Sequence[str] | Transport | Dial,
    url: str = "",
    /,
    **options: Unpack[ConnectOptions],
) -> Session | ServiceSession | HttpSession | VovkSession:
    """A session that is not connected yet.

    Args:
        target: an address, a command to start, an open transport, or a function that makes
            transports.
        url: the name of such a transport in messages.
        options: as for :func:`kkjupyter.connect`.

    Raises:
        UsageError: an argument is not valid.
    """
    check_options(options, sorted(ConnectOptions.__optional_keys__))
    connect_timeout_s = options.get("connect_timeout_s", 10.0)
    check_seconds("connect_timeout_s", connect_timeout_s)
    if isinstance(target, str) and target.partition("://")[0].lower() in ("http", "https"):
        if given := [name for name in programs.OPTIONS if options.get(name) is not None]:
            raise UsageError(f"{given[0]} is for a command, such as ['node', 'server.mjs']")
        return _http_session(target, options)
    _check_no_vovk_options(options)
    dial: Dial
    probe_timeout_s: float | None = None
    if isinstance(target, list | tuple):
        # A program answers nothing before it has started up.
        probe_timeout_s = math.inf if connect_timeout_s is None else connect_timeout_s
        url, dial = programs.command_dial(target, options)
        _check_no_websocket_options(url, options)
    elif given := [name for name in programs.OPTIONS if options.get(name) is not None]:
        raise UsageError(f"{given[0]} is for a command, such as ['node', 'server.mjs']")
    elif isinstance(target, str) and is_bus_address(target):
        return _service_session(target, options, connect_timeout_s)
    elif isinstance(target, str):
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
    session = Session(
        url,
        dial,
        probe_timeout_s=probe_timeout_s,
        resume=_resume(options) if isinstance(target, str) else False,
        **_call_options(options),
    )
    session.recorder.hide([options.get("token"), *(options.get("cookies") or {}).values()])
    session.recorder.hide_headers(options.get("headers"))
    return session


def _call_options(options: ConnectOptions) -> dict[str, Any]:
    """What a session takes, whatever it connects to."""
    return {
        "protocol": options.get("protocol"),
        "codec": options.get("codec"),
        "timeout_s": options.get("timeout_s"),
        "idle_timeout_s": options.get("idle_timeout_s"),
        "methods": options.get("methods", ()),
        "meta": options.get("meta"),
        "make_handler": _handler_for(options),
        "limits": check_client_limits(options.get("limits")),
    }


_NOT_OVER_A_BUS = ("headers", "cookies", "subprotocols", "compression", "resume")


def _service_session(
    url: str, options: ConnectOptions, connect_timeout_s: float | None
) -> ServiceSession:
    address = parse_bus_address(url)
    for name in _NOT_OVER_A_BUS:
        if options.get(name):
            raise UsageError(f"{name}= is for ws:// addresses; {address.shown} does not use it")
    if isinstance(options.get("proxy"), str):
        raise UsageError(f"proxy= is for ws:// and http:// addresses, not {address.shown}")
    token = options.get("token")
    ssl = client_context(address.shown, options.get("ssl"), options.get("ca_file"))
    call_options = _call_options(options)

    def make_part(dial: Dial, is_ours: bool) -> Session:
        spoken: dict[str, Any] = {}
        if is_ours:  # it reads everything
            spoken["protocol"] = options.get("protocol") or "compact"
            spoken["codec"] = options.get("codec") or "superjson"
        return Session(address.shown, dial, **(call_options | spoken), is_listed=False)

    session = ServiceSession(
        address,
        bus_maker(address, token, ssl),
        make_part,
        connect_timeout_s=connect_timeout_s,
        timeout_s=options.get("timeout_s"),
        idle_timeout_s=options.get("idle_timeout_s"),
        methods=options.get("methods", ()),
    )
    session.recorder.hide([token, *address.secrets])
    return session


def remote_of(session: Session | ServiceSession | HttpSession | VovkSession) -> Remote:
    """The Remote that the user gets for a session."""
    if isinstance(session, ProtocolCaller | ServiceSession):
        return Remote(session)
    # It loads everything about schemas, which kkrpc does not need.
    from kkjupyter.vovk.client.remote import VovkRemote

    return VovkRemote(session)


_EXPOSE_OPTIONS = ("interceptors", "writable", "debug")


def _handler_for(options: ConnectOptions) -> Callable[[Channel], RequestHandler] | None:
    target = options.get("expose")
    if target is None:
        if given := [name for name in _EXPOSE_OPTIONS if options.get(name)]:
            raise UsageError(
                f"{given[0]}= limits what the other side may reach here, but nothing is exposed "
                "to it; add expose=..., or leave it out"
            )
        return None
    reach = make_reach(target, package=serving_package())
    exposed = Exposed(
        reach,
        options.get("interceptors", ()),
        permission=permission(options.get("writable", ()), reach),
        debug=options.get("debug", False),
        describe=False,
    )
    return lambda channel: Producer(exposed, channel)


def _is_transport(target: Any) -> TypeGuard[Transport]:
    return isinstance(getattr(target, "url", None), str) and hasattr(target, "keeps_boundaries")


def _resume(options: ConnectOptions) -> bool | None:
    resume = options.get("resume")
    if not isinstance(resume, bool | None):
        raise UsageError(f"resume must be True, False or None, not {resume!r}")
    return resume


_WEBSOCKET_OPTIONS = (
    *("headers", "token", "cookies", "subprotocols"),
    *("ssl", "ca_file", "proxy", "compression", "resume"),
)


def _check_no_websocket_options(url: str, options: ConnectOptions) -> None:
    for name in _WEBSOCKET_OPTIONS:
        if options.get(name):
            raise UsageError(f"{name}= is for ws:// and wss:// addresses; {url} does not use it")


_VOVK_OPTIONS = ("schema", "default_options", "fetcher", "stream_fetcher")


def _check_no_vovk_options(options: ConnectOptions) -> None:
    given = [name for name in _VOVK_OPTIONS if options.get(name) is not None]
    given += ["validate"] if options.get("validate") is False else []
    if given:
        raise UsageError(f"{given[0]}= is for Vovk servers, at http:// and https:// addresses")


def _http_session(url: str, options: ConnectOptions) -> HttpSession | VovkSession:
    if options.get("protocol") in (None, "vovk") or options.get("schema") is not None:
        return make_vovk_session(url, **options)
    from kkjupyter.client.http.session import HttpSession  # the library is slow to load

    _check_no_vovk_options(options)
    return HttpSession(
        url,
        protocol=options.get("protocol"),
        codec=options.get("codec"),
        **_http_options(url, options),
        methods=options.get("methods", ()),
    )


def make_vovk_session(url: str, **options: Unpack[ConnectOptions]) -> VovkSession:
    """A session with a Vovk server, not connected yet; without a schema it asks the server for one.

    Raises:
        UsageError: an argument is not valid.
    """
    from kkjupyter.vovk.client.session import VovkSession  # the library is slow to load

    check_options(options, sorted(ConnectOptions.__optional_keys__))
    shown_url = without_secrets(url)
    schema, protocol = options.get("schema"), options.get("protocol")
    if schema is not None or protocol is not None:
        for name in ("protocol", "codec", "methods"):
            if options.get(name) and options.get(name) != "vovk":
                raise UsageError(f"{name}= is for kkrpc, but {shown_url} is used as a Vovk server")
    return VovkSession(
        url,
        schema,
        **_http_options(url, options),
        validate=options.get("validate"),
        default_options=options.get("default_options"),
        fetcher=options.get("fetcher"),
        stream_fetcher=options.get("stream_fetcher"),
        no_schema=partial(_nothing_known, shown_url) if protocol is None else None,
    )


def _nothing_known(shown_url: str, reason: str) -> UsageError:
    return UsageError(
        f"{shown_url} is an HTTP address that does not say which protocol it speaks (asked for its "
        f"_schema_: {reason}); name it: protocol='classic' for kkrpc 0.x, protocol='compact' for "
        "1.0 to 2.x (--protocol in a magic); or, for Vovk, give its schema='.vovk-schema' or "
        "'vovk-metadata.json' (--schema), as 3.x offers it only in development. A WebSocket server "
        f"is at {'ws' + shown_url[4:]!r}"
    )


def _http_options(url: str, options: ConnectOptions) -> dict[str, Any]:
    """The options that every session over HTTP takes."""
    shown_url = without_secrets(url)
    for name in ("expose", *_EXPOSE_OPTIONS):
        given = options.get(name)
        if given is not None and (name == "expose" or given):
            raise UsageError(
                f"{name}=: over HTTP the other side cannot call back, so nothing can be "
                f"exposed to it; leave it out, or connect to a ws:// address, not {shown_url}"
            )
    for name in ("subprotocols", "compression", "resume"):
        if options.get(name):
            raise UsageError(f"{name}= is for ws:// and wss:// addresses; {shown_url} is neither")
    connect_timeout_s = options.get("connect_timeout_s", 10.0)
    check_seconds("connect_timeout_s", connect_timeout_s)
    return {
        "headers": request_headers(
            options.get("headers"), options.get("token"), options.get("cookies")
        ),
        "ssl": client_context(shown_url, options.get("ssl"), options.get("ca_file")),
        "proxy": options.get("proxy", True),
        "connect_timeout_s": connect_timeout_s,
        "timeout_s": options.get("timeout_s"),
        "idle_timeout_s": options.get("idle_timeout_s"),
        "limits": check_client_limits(options.get("limits")),
        "meta": options.get("meta"),
    }


def _websocket_dial(url: str, options: ConnectOptions, connect_timeout_s: float) -> Dial:
    _check_websocket_url(url)
    headers, token = options.get("headers"), options.get("token")
    subprotocols = check_subprotocols(options.get("subprotocols"))
    if isinstance(token, str) and isinstance(headers, Mapping) and has_authorization(headers):
        # The header is for a proxy, such as Jupyter's, and the token for the server behind it.
        subprotocols.append(token_subprotocol(token))
        token = None
    headers = request_headers(headers, token, options.get("cookies"))
    ssl = client_context(without_secrets(url), options.get("ssl"), options.get("ca_file"))
    proxy = options.get("proxy", True)
    check_proxy(proxy)
    compression = options.get("compression")
    check_choice("compression", compression, COMPRESSIONS)
    limit_bytes = size_limit(check_client_limits(options.get("limits")).message_bytes)

    async def dial() -> Transport:
        return await connect_websocket(
            url,
            headers=headers,
            subprotocols=subprotocols,
            ssl=ssl,
            proxy=proxy,
            compression=compression,
            connect_timeout_s=connect_timeout_s,
            limit_bytes=limit_bytes,
        )

    return dial


def _only_once(transport: Transport) -> Dial:
    """Use a given transport once: it cannot be opened again."""
    unused = [transport]

    async def dial() -> Transport:
        if not unused:
            raise ConnectError(
                transport.url, "it was passed as an open transport, which cannot be opened again"
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
            raise UsageError(f"{shown}: the part after '#' is never sent to a server; leave it out")
        return
    if not scheme and ":" in shown:
        raise UsageError(f"{shown!r} has no scheme; did you mean 'ws://{shown}'?")
    raise UsageError(
        f"{shown!r} is not an address to connect to; it looks like 'ws://127.0.0.1:8765' or "
        "'nats://127.0.0.1:4222/lab.models'"
    )
