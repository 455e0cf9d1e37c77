"""Proxies: which one to use, and why one refused."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

# In `websockets.uri` up to version 15, in `websockets.proxy` since then; the module
# that uses it has it in both.
from websockets.asyncio.client import get_proxy  # type: ignore[attr-defined]
from websockets.exceptions import InvalidProxyMessage, InvalidProxyStatus, ProxyError
from websockets.uri import parse_uri

from kkjupyter.errors import UsageError

__all__ = ["check_proxy", "environment_proxy", "is_proxy_address", "proxy_reason"]

_SCHEMES = ("http", "https", "socks5h", "socks5", "socks4a", "socks4")


def check_proxy(proxy: Any) -> None:
    """Check that a proxy is an address, True for the environment's, or None or False for no proxy.

    Raises:
        UsageError: it is something else. The text does not repeat it, because it may hold a
            password.
    """
    if isinstance(proxy, bool | None):
        return
    if not isinstance(proxy, str):
        raise UsageError(
            "proxy must be an address ('http://host:port'), True for the one in the environment, "
            f"or None for no proxy, not {type(proxy).__name__}"
        )
    if not is_proxy_address(proxy):
        raise UsageError(
            "proxy must look like 'http://host:port' or 'http://user:password@host:port' "
            f"(or {', '.join(_SCHEMES[1:])}); "
            "characters like @ : / ? # % in a password must be percent-encoded"
        )


def is_proxy_address(text: str) -> bool:
    """Whether the library accepts it."""
    try:
        parts = urlsplit(text)
        unquote(f"{parts.username}{parts.password}", errors="strict")
        has_port = parts.port != 0
    except ValueError:  # brackets, a port that is not a number, escapes that are not UTF-8
        return False
    return (
        parts.scheme in _SCHEMES
        and bool(parts.hostname)
        and has_port
        and parts.path in ("", "/")
        and not parts.query
        and not parts.fragment
        and (parts.username is None) == (parts.password is None)
    )


def environment_proxy(url: str) -> str | None:
    """The proxy for ``url`` in the environment (``https_proxy``, ``no_proxy``, ...) or the system.

    Raises:
        InvalidURI: ``url`` is not a WebSocket address.
    """
    proxy = get_proxy(parse_uri(url))
    return None if proxy is None else str(proxy)


def proxy_reason(exc: ProxyError, *, named_user: bool) -> str:
    """Why the proxy refused, as the end of a sentence that begins with its name.

    Args:
        exc: the library's error.
        named_user: whether a user and a password were sent to it.
    """
    match exc:
        case InvalidProxyStatus():
            status = exc.response.status_code
            if status == 407:
                if named_user:
                    return "refuses this user or password (HTTP 407)"
                return (
                    "wants a user and a password (HTTP 407); "
                    "write them into its address: 'http://user:password@host:port'"
                )
            if status in (502, 503, 504):
                return f"cannot reach the server (HTTP {status})"
            return f"refused the connection (HTTP {status})"
        case InvalidProxyMessage():
            if isinstance(exc.__cause__, EOFError):
                return "ended the connection without an answer; is it an HTTP proxy?"
            return "does not speak HTTP; is it an HTTP proxy?"
    return f"refused the connection ({exc.__cause__ or exc})"
