"""Opening a WebSocket, and saying in plain words why it could not be opened."""

from __future__ import annotations

import asyncio
import functools
import ipaddress
import ssl as ssl_module
from collections.abc import Mapping, Sequence
from typing import Any, cast
from urllib.parse import urlsplit, urlunsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    InvalidHandshake,
    InvalidMessage,
    InvalidProxy,
    InvalidStatus,
    InvalidURI,
    ProxyError,
)
from websockets.typing import Subprotocol

from kkjupyter.errors import ConnectError, ConnectTimeout
from kkjupyter.transports.pushing import PushClientConnection, quiet_logger
from kkjupyter.transports.websocket import (
    CLOSE_TIMEOUT_S,
    DEFAULT_LIMIT_BYTES,
    PING_INTERVAL_S,
    PONG_TIMEOUT_S,
    WebSocketTransport,
)

__all__ = ["connect_websocket", "is_loopback", "os_reason", "without_secrets"]


class _Connect(connect):
    """Follows no redirect: the headers, and the token among them, are meant for one server."""

    def process_redirect(self, exc: Exception) -> Exception:
        return exc


async def connect_websocket(
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    subprotocols: Sequence[str] | None = None,
    ssl: ssl_module.SSLContext | None = None,
    connect_timeout_s: float = 10.0,
    limit_bytes: int = DEFAULT_LIMIT_BYTES,
    ping_interval_s: float | None = PING_INTERVAL_S,
    pong_timeout_s: float = PONG_TIMEOUT_S,
) -> WebSocketTransport:
    """Open a WebSocket.

    Args:
        url: ``ws://`` or ``wss://``.
        headers: added to the handshake.
        subprotocols: offered, in order of preference.
        ssl: a context for ``wss://``; the library's default otherwise.
        connect_timeout_s: for name look-up, TCP, TLS and handshake together, in seconds.
        limit_bytes: the largest message accepted.
        ping_interval_s: how often to look whether the peer lives; None never.
        pong_timeout_s: how long it may take to answer that.

    Raises:
        ConnectError: with ``url`` and ``reason``; ConnectTimeout when the time ran out.
    """
    shown_url = without_secrets(url)
    options: dict[str, Any] = {"ssl": ssl} if ssl is not None else {}
    if is_loopback(_host(shown_url)):
        options["proxy"] = None  # what proxies are configured for is never on this machine
    # Typed as a class, documented as a factory.
    factory = cast(
        type[ClientConnection], functools.partial(PushClientConnection, limit_bytes=limit_bytes)
    )
    try:
        async with asyncio.timeout(connect_timeout_s):
            connection = await _Connect(
                url,
                additional_headers=headers,
                subprotocols=[Subprotocol(name) for name in subprotocols or ()] or None,
                create_connection=factory,
                compression=None,
                max_size=limit_bytes,
                open_timeout=None,
                close_timeout=CLOSE_TIMEOUT_S,
                ping_interval=None,
                logger=quiet_logger,
                **options,
            )
    except TimeoutError as exc:
        raise ConnectTimeout(shown_url, f"no answer within {connect_timeout_s:g} s") from exc
    except (InvalidURI, InvalidProxy) as exc:
        # Not even as a cause: their text is the whole address, with what is secret in it.
        raise ConnectError(shown_url, _connect_reason(exc)) from None
    except Exception as exc:
        raise ConnectError(shown_url, _connect_reason(exc)) from exc
    assert isinstance(connection, PushClientConnection)
    return WebSocketTransport(
        connection, shown_url, ping_interval_s=ping_interval_s, pong_timeout_s=pong_timeout_s
    )


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
    except ValueError:  # it is no address, and connecting will say so
        return ""


def without_secrets(url: str) -> str:
    """``url`` without user, password, query and fragment, where tokens hide."""
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets that do not match
        return url.partition("?")[0].partition("#")[0].rpartition("@")[2]
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path, "", ""))


def _connect_reason(exc: Exception) -> str:
    match exc:
        case InvalidStatus():
            status = exc.response.status_code
            if status in (401, 403):
                return (
                    f"HTTP {status}: the server wants a (different) token; "
                    "pass token=..., or --token-env NAME in a magic"
                )
            if 300 <= status < 400:
                target = without_secrets(exc.response.headers.get("Location", "elsewhere"))
                return f"HTTP {status}: it redirects to {target}; connect there"
            if status == 404:
                return "HTTP 404: the server has no WebSocket at this path"
            return f"HTTP {status} instead of a WebSocket"
        case ProxyError() | InvalidProxy():
            return f"the proxy does not let it through ({type(exc).__name__})"
        case InvalidMessage() | EOFError():
            return "the server does not speak HTTP, so it is no WebSocket server"
        case InvalidHandshake():
            return f"the server is no WebSocket server ({exc})"
        case InvalidURI():
            return "not a ws:// or wss:// address"
        case OSError():
            return os_reason(exc, "ws, wss")
    return str(exc) or type(exc).__name__


def os_reason(exc: OSError, schemes: str) -> str:
    """Why there is no connection, in a sentence's tail.

    Args:
        exc: what the system said.
        schemes: what addresses of this kind begin with, ``"ws, wss"``: the last one is for TLS.
    """
    match exc:
        case ssl_module.SSLCertVerificationError():
            return f"the TLS certificate was refused: {exc.verify_message}"
        case ssl_module.SSLError():
            reason = getattr(exc, "reason", None) or exc
            return f"TLS failed ({reason}); is it a {schemes.split(', ')[-1]}:// server?"
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
