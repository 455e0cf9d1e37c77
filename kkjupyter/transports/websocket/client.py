"""Opens a WebSocket, and says in plain words why one could not be opened."""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import ssl as ssl_module
from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    InvalidHandshake,
    InvalidHeader,
    InvalidMessage,
    InvalidProxy,
    InvalidStatus,
    InvalidURI,
    NegotiationError,
    ProxyError,
)
from websockets.typing import Subprotocol

from kkjupyter.errors import ConnectError, ConnectTimeout
from kkjupyter.redaction import without_secrets
from kkjupyter.transports.base import DEFAULT_LIMIT_BYTES
from kkjupyter.transports.proxies import environment_proxy, is_proxy_address, proxy_reason
from kkjupyter.transports.refusals import in_front, refusal_reason, said_by_server
from kkjupyter.transports.tls import tls_reason
from kkjupyter.transports.websocket.protocol import PushClientConnection, quiet_logger
from kkjupyter.transports.websocket.transport import (
    CLOSE_TIMEOUT_S,
    PING_INTERVAL_S,
    PONG_TIMEOUT_S,
    WRITE_TIMEOUT_S,
    WebSocketTransport,
)

__all__ = ["connect_websocket", "is_loopback", "is_turned_away", "os_reason"]


_SCHEMES = "ws, wss"


class _Connect(connect):
    """Follows no redirects: the headers, with the token among them, are meant for one server."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


async def connect_websocket(
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    subprotocols: Sequence[str] | None = None,
    ssl: ssl_module.SSLContext | None = None,
    proxy: str | bool | None = True,
    compression: str | None = None,
    connect_timeout_s: float = 10.0,
    limit_bytes: int = DEFAULT_LIMIT_BYTES,
    ping_interval_s: float | None = PING_INTERVAL_S,
    pong_timeout_s: float = PONG_TIMEOUT_S,
    write_timeout_s: float | None = WRITE_TIMEOUT_S,
) -> WebSocketTransport:
    """Open a WebSocket.

    Args:
        url: ``ws://`` or ``wss://``.
        headers: added to the handshake.
        subprotocols: offered, in order of preference.
        ssl: a context for ``wss://``; the library's default otherwise.
        proxy: an address (``http``, ``https``, ``socks5h``, ...); True for what the environment
            says, which is never used for this machine; None or False for no proxy.
        compression: ``"deflate"`` offers it (RFC 7692); the server may decline.
        connect_timeout_s: for name look-up, TCP, TLS and handshake together, in seconds.
        limit_bytes: the largest message accepted.
        ping_interval_s: how often to ping the peer; None never.
        pong_timeout_s: how long it may take to answer a ping.
        write_timeout_s: how long it may read nothing of what waits for it; None for no limit.

    Raises:
        ConnectError: the WebSocket cannot be opened; with ``url`` and ``reason``. ConnectTimeout if
            the time ran out.
    """
    shown_url = without_secrets(url)
    options: dict[str, Any] = {"ssl": ssl} if ssl is not None else {}
    used_proxy = proxy if isinstance(proxy, str) else None
    # Typed as a class, documented as a factory.
    factory = cast(
        type[ClientConnection], functools.partial(PushClientConnection, limit_bytes=limit_bytes)
    )
    try:
        if proxy is True and not is_loopback(_host(shown_url)):
            used_proxy = environment_proxy(url)
        async with asyncio.timeout(connect_timeout_s):
            connection = await _Connect(
                url,
                additional_headers=headers,
                subprotocols=[Subprotocol(name) for name in subprotocols or ()] or None,
                create_connection=factory,
                compression=compression,
                proxy=used_proxy,
                max_size=limit_bytes,
                open_timeout=None,
                close_timeout=CLOSE_TIMEOUT_S,
                ping_interval=None,
                logger=quiet_logger,
                **options,
            )
    except TimeoutError as exc:
        reason = f"no answer within {connect_timeout_s:g} s"
        raise ConnectTimeout(shown_url, _with_proxy(reason, used_proxy)) from exc
    except _TELLTALES as exc:
        raise ConnectError(shown_url, _connect_reason(exc, used_proxy)) from None
    except Exception as exc:
        raise ConnectError(shown_url, _connect_reason(exc, used_proxy)) from exc
    assert isinstance(connection, PushClientConnection)
    assert connection.response is not None
    return WebSocketTransport(
        connection,
        shown_url,
        front=in_front(connection.response.headers.get_all),
        ping_interval_s=ping_interval_s,
        pong_timeout_s=pong_timeout_s,
        write_timeout_s=write_timeout_s,
    )


def is_turned_away(error: ConnectError) -> bool:
    """Whether the server does not let this client in, so that it need not be asked again."""
    cause = error.__cause__
    return isinstance(cause, InvalidStatus) and cause.response.status_code in (401, 403)


def is_loopback(host: str) -> bool:
    """Whether ``host``, a name or an address, can only be this machine."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:  # not an address; connecting will report that
        return ""


# Their texts hold the whole address, or what a server made of what it was sent, and with it what is
# secret; not even as a cause may they be seen.
_TELLTALES = (InvalidURI, InvalidProxy, InvalidHeader, NegotiationError)


def _connect_reason(exc: Exception, proxy: str | None) -> str:
    match exc:
        case InvalidProxy():
            return (
                "the proxy in the environment (https_proxy and the like) is not an address "
                "like 'http://host:port'"
            )
        case ProxyError():
            said = proxy_reason(exc, named_user=proxy is not None and "@" in proxy)
            return f"the proxy {_shown_proxy(proxy)} {said}"
        case OSError() if proxy is not None and not isinstance(exc, ssl_module.SSLError):
            return f"the proxy {_shown_proxy(proxy)} cannot be reached ({os_reason(exc, _SCHEMES)})"
        case ImportError() if proxy is not None:
            return (
                f"the proxy {_shown_proxy(proxy)} needs one more package: "
                "pip install 'python-socks[asyncio]'"
            )
    return _with_proxy(_server_reason(exc), proxy)


def _with_proxy(reason: str, proxy: str | None) -> str:
    return reason if proxy is None else f"{reason} (through the proxy {_shown_proxy(proxy)})"


def _shown_proxy(proxy: str | None) -> str:
    # Text that is not an address may have its secrets anywhere.
    return without_secrets(proxy) if proxy is not None and is_proxy_address(proxy) else "in between"


def _server_reason(exc: Exception) -> str:
    match exc:
        case InvalidStatus():
            status = exc.response.status_code
            front = in_front(exc.response.headers.get_all)
            if refused := refusal_reason(status, front, exc.response.body):
                return refused
            if 300 <= status < 400:
                target = without_secrets(exc.response.headers.get("Location", "elsewhere"))
                return f"HTTP {status}: the server redirects to {target}; connect there"
            if status == 404:
                return "HTTP 404: the server has no WebSocket at this path"
            said = said_by_server(exc.response.body)
            return f"HTTP {status} instead of a WebSocket{said and f': {said}'}"
        case EOFError():
            return (
                f"the server ended the connection at once; are scheme ({_SCHEMES}) and port right?"
            )
        case InvalidMessage():
            return "the server does not speak HTTP, so it is not a WebSocket server"
        case NegotiationError():
            return "the server agreed to a subprotocol or an extension that was not offered"
        case InvalidHeader() if exc.name.lower().startswith("sec-websocket-"):
            return f"the {exc.name} header of the answer is not valid for a WebSocket server"
        case InvalidHandshake():
            return f"the server is not a WebSocket server ({exc})"
        case InvalidURI():
            return "not a ws:// or wss:// address"
        case OSError():
            return os_reason(exc, _SCHEMES)
    return str(exc) or type(exc).__name__


def os_reason(exc: OSError, schemes: str) -> str:
    """Why there is no connection, as the end of a sentence.

    Args:
        exc: the system's error.
        schemes: the schemes of such addresses, as in ``"ws, wss"``; the last one is for TLS.
    """
    match exc:
        case ssl_module.SSLError():
            return tls_reason(exc, schemes.split(", ")[-1])
        case ConnectionRefusedError():
            return "connection refused; is the server running there?"
    if type(exc).__name__ == "gaierror":
        return f"the host name cannot be resolved ({exc.strerror})"
    if isinstance(exc, ConnectionError) and not exc.errno:
        return f"the server ended the connection at once; are scheme ({schemes}) and port right?"
    text = exc.strerror or str(exc) or type(exc).__name__
    # asyncio joins the errors of several addresses into one message
    if "Connect call failed" in str(exc):
        return "connection refused; is the server running there?"
    return text
