"""From what a user gives as a target to a session that can reach it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from kkjupyter.errors import ConnectError, UsageError
from kkjupyter.rpc.session import Session
from kkjupyter.transports.base import Transport
from kkjupyter.transports.connecting import connect_websocket, without_secrets

__all__ = ["Dial", "make_session"]

Dial = Callable[[], Awaitable[Transport]]
"""Makes a new transport each time it is called; on the I/O loop."""


def make_session(
    target: str | Transport | Dial,
    *,
    url: str = "",
    protocol: str | None = None,
    codec: str | None = None,
    headers: Mapping[str, str] | None = None,
    token: str | None = None,
    timeout_s: float | None = None,
    idle_timeout_s: float | None = None,
    connect_timeout_s: float = 10.0,
    methods: Sequence[str] = (),
) -> Session:
    """A session that is not connected yet; most arguments are those of :func:`kkjupyter.connect`.

    Args:
        target: an address, an open transport, or what makes transports.
        url: how to call the latter in messages.

    Raises:
        UsageError: an argument cannot be right.
    """
    if isinstance(target, str):
        url = without_secrets(target)
        dial = _websocket_dial(target, headers or {}, token, connect_timeout_s)
    elif callable(target):
        dial = target
    else:
        url = target.url
        dial = _only_once(target)
    return Session(
        url,
        dial,
        protocol=protocol,
        codec=codec,
        timeout_s=timeout_s,
        idle_timeout_s=idle_timeout_s,
        methods=methods,
    )


def _websocket_dial(
    url: str, headers: Mapping[str, str], token: str | None, connect_timeout_s: float
) -> Dial:
    _check_websocket_url(url)
    sent = dict(headers)
    if token is not None:
        sent["Authorization"] = f"Bearer {token}"
    for name, value in sent.items():
        if not isinstance(value, str) or "\n" in name + value or "\r" in name + value:
            # The value itself may be a secret.
            raise UsageError(f"the value of header {name!r} is not one line of text")

    async def dial() -> Transport:
        return await connect_websocket(url, headers=sent, connect_timeout_s=connect_timeout_s)

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
    shown = without_secrets(url)
    scheme = url.partition("://")[0].lower() if "://" in url else ""
    if scheme in ("ws", "wss"):
        return
    if scheme in ("http", "https"):
        raise UsageError(
            f"{shown} is an HTTP address; a WebSocket server is at {'ws' + shown[4:]!r}"
        )
    if not scheme and ":" in shown:
        raise UsageError(f"{shown!r} has no scheme; did you mean 'ws://{shown}'?")
    raise UsageError(f"{shown!r} is no address to connect to; it looks like 'ws://127.0.0.1:8765'")
