"""NATS as a bus, on the library ``nats-py``, which also connects again after a loss."""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections import deque
from ssl import SSLContext
from typing import TYPE_CHECKING, Any

from kkjupyter.bus.addresses import BusAddress
from kkjupyter.bus.base import BusOwner, Take
from kkjupyter.errors import ConnectError, ConnectTimeout
from kkjupyter.extras import load_extra
from kkjupyter.runtime.logs import SafeLogger

if TYPE_CHECKING:
    from nats.aio.client import Client
    from nats.aio.msg import Msg

__all__ = ["NatsBus"]

logger = SafeLogger("kkjupyter")

_CONNECT_TIMEOUT_S = 30.0
_CLOSE_TIMEOUT_S = 1.0
_RECONNECT_WAIT_S = 0.5
# A broker that is frozen is noticed after three of these.
_PING_INTERVAL_S = 5.0
# Beyond this the library waits until the socket has taken it.
_PENDING_BYTES = 256 * 1024
_FLUSH_TIMEOUT_S = 10
# What waits here for that. A link publishes no more than its window, whatever waits.
_HIGH_BYTES = 512 * 1024
_LOW_BYTES = 128 * 1024
# Until a subscription's task has its turn; more is dropped, and its links notice that.
_UNREAD_MESSAGES = 65_536
_UNREAD_BYTES = 128 * 1024 * 1024
_NOBODY = "503"


class NatsBus:
    """One connection to a NATS server, or to a cluster of them.

    Args:
        address: with the servers.
        token: for servers that want one; None for the credentials in the address, if any.
        ssl: how to check a server that wants TLS; None for the system's own way.
    """

    transport_id = "nats"
    tells_nobody = True

    def __init__(self, address: BusAddress, token: str | None, ssl: SSLContext | None) -> None:
        self.limit_bytes = 0
        self.is_connected = False
        self.trouble = ""
        self._address = address
        self._token = token
        self._ssl = ssl
        self._owner: BusOwner | None = None
        self._client: Client | None = None
        self._outcome: asyncio.Future[None] | None = None  # of connecting for the first time
        self._failures = 0
        self._outbox: deque[tuple[str, bytes, str]] = deque()
        self._outbox_bytes = 0
        self._was_full = False
        self._writer: asyncio.Task[None] | None = None
        self._is_closing = False
        self._nobody = f"{address.name}._kk.nobody.{secrets.token_hex(8)}"

    async def open(self, owner: BusOwner, timeout_s: float | None) -> None:
        library = load_extra("nats.aio.client", "nats", "a nats:// address")
        self._owner = owner
        self._client = client = library.Client()
        loop = asyncio.get_running_loop()
        self._outcome = loop.create_future()
        timeout_s = _CONNECT_TIMEOUT_S if timeout_s is None else timeout_s
        connecting = loop.create_task(self._connect(client, self._outcome, timeout_s))
        try:
            async with asyncio.timeout(timeout_s):
                await self._outcome
        except TimeoutError as exc:
            reason = f"no answer within {timeout_s:g} s"
            raise ConnectTimeout(self._address.shown, reason) from exc
        except Exception as exc:  # noqa: BLE001  nothing of the library's leaves the package
            # Not even as its cause: its text may hold what it was given.
            raise ConnectError(self._address.shown, self._reason(exc)) from None
        finally:
            self._outcome = None
            if not self.is_connected:
                connecting.cancel()
                await asyncio.wait([connecting])
                await self._leave(client)

    async def _connect(
        self, client: Client, outcome: asyncio.Future[None], timeout_s: float
    ) -> None:
        try:
            await client.connect(
                list(self._address.brokers),
                name="kkjupyter",
                token=self._token,
                user_credentials=self._address.credentials or None,
                tls=self._ssl,
                connect_timeout=timeout_s,  # type: ignore[arg-type]  # it is waited for
                no_echo=True,
                # A first attempt that may not be repeated ends, and leaves a transport to close.
                allow_reconnect=False,
                max_reconnect_attempts=-1,
                reconnect_time_wait=_RECONNECT_WAIT_S,  # type: ignore[arg-type]  # it is slept for
                ping_interval=_PING_INTERVAL_S,  # type: ignore[arg-type]  # likewise
                max_outstanding_pings=2,
                pending_size=_PENDING_BYTES,
                flush_timeout=_FLUSH_TIMEOUT_S,
                error_cb=self._complained,
                disconnected_cb=self._disconnected,
                reconnected_cb=self._reconnected,
                closed_cb=self._closed,
            )
            client.options["allow_reconnect"] = True
            await client.subscribe(f"{self._nobody}.*", cb=self._nobody_there)
        except Exception as exc:  # noqa: BLE001  raised by who waits for it
            if not outcome.done():
                outcome.set_exception(exc)
        else:
            if not outcome.done():
                self.limit_bytes = client.max_payload
                self.is_connected = True
                outcome.set_result(None)

    @property
    def writable(self) -> bool:
        self._was_full = self._was_full or self._outbox_bytes > _HIGH_BYTES
        return not self._was_full

    async def subscribe(self, name: str, take: Take, *, group: str = "") -> None:
        async def hand_over(message: Msg) -> None:
            try:
                take(message.data)
            except Exception:
                logger.exception("%s: a message could not be handled", self._address.shown)

        assert self._client is not None
        await self._client.subscribe(
            name,
            queue=group,
            cb=hand_over,
            pending_msgs_limit=_UNREAD_MESSAGES,
            pending_bytes_limit=_UNREAD_BYTES,
        )
        try:
            await self._client.flush(_FLUSH_TIMEOUT_S)
        except _library_errors() as exc:
            raise ConnectError(self._address.shown, self._reason(exc)) from None

    def publish(self, name: str, payload: bytes, *, key: str = "") -> None:
        if not self.is_connected:
            return
        self._outbox.append((name, payload, f"{self._nobody}.{key}" if key else ""))
        self._outbox_bytes += len(payload)
        if self._writer is None:
            self._writer = asyncio.get_running_loop().create_task(self._write())

    async def close(self) -> None:
        if self._is_closing or self._client is None:
            return
        self._is_closing = True
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                if self._writer is not None:
                    await asyncio.wait([self._writer])
        self._drop()
        await self._leave(self._client)

    async def _leave(self, client: Client) -> None:
        with contextlib.suppress(TimeoutError, OSError, _library_errors()):
            async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                await client.close()

    # ---- publishing

    async def _write(self) -> None:
        """Publish what waits, at the pace of the socket."""
        me, client = asyncio.current_task(), self._client
        assert client is not None
        while self._outbox and self._writer is me:
            name, payload, reply = self._outbox.popleft()
            try:
                await client.publish(name, payload, reply)
            except _library_errors() as exc:
                if self._writer is me:
                    self._drop()
                    self._lose(f"nothing can be published: {exc}")
                    await client.force_reconnect()  # if it is not at that already
                return
            # The library swallows a cancellation here, so another task may be at work by now.
            if self._writer is me:
                self._outbox_bytes -= len(payload)
                if self._was_full and self._outbox_bytes <= _LOW_BYTES:
                    self._was_full = False
                    assert self._owner is not None
                    self._owner.writable()
        if self._writer is me:
            self._writer = None

    def _drop(self) -> None:
        """Nothing that waits is published any more: after an outage it would be too late."""
        writer, self._writer = self._writer, None
        if writer is not None and writer is not asyncio.current_task():
            writer.cancel()
        self._outbox.clear()
        self._outbox_bytes = 0
        self._was_full = False

    # ---- what the library tells

    async def _nobody_there(self, message: Msg) -> None:
        if (message.headers or {}).get("Status") == _NOBODY and self._owner is not None:
            self._owner.nobody(message.subject.rpartition(".")[2])

    async def _complained(self, problem: Exception) -> None:
        if self._outcome is not None:
            self._failures += 1
            # Each server is tried once; the library itself would try for ever.
            if self._failures >= len(self._address.brokers) and not self._outcome.done():
                self._outcome.set_exception(problem)
            return
        self.trouble = self._reason(problem)
        if self.is_connected and not self._is_closing:
            logger.warning("%s: %s", self._address.shown, self.trouble)

    async def _disconnected(self) -> None:
        self._lose("the connection to the NATS server is lost")

    def _lose(self, reason: str) -> None:
        if self.is_connected:
            self.is_connected = False
            self._drop()
            if self._owner is not None:
                self._owner.lost(reason)

    async def _reconnected(self) -> None:
        self.is_connected = True
        self.trouble = ""
        if self._client is not None:
            self.limit_bytes = self._client.max_payload
        if self._owner is not None:
            self._owner.regained()

    async def _closed(self) -> None:
        self._lose("the NATS server has ended the connection")
        if self._owner is not None and not self._is_closing:
            self._owner.closed(self.trouble or "the NATS server has ended the connection")

    def _reason(self, problem: Exception) -> str:
        text = str(problem) or type(problem).__name__
        if self._token:
            text = text.replace(self._token, "***")
        if isinstance(problem, ConnectionRefusedError) or "Connect call failed" in text:
            return "connection refused; is the NATS server running there?"
        if type(problem).__name__ == "gaierror":
            return "the host name cannot be resolved"
        if "uthorization" in text or "uthentication" in text:
            return (
                "the NATS server refuses these credentials; pass token=... (--token-env NAME), or "
                "nats://user:password@host"
            )
        return text.removeprefix("nats: ").strip("'")


def _library_errors() -> Any:
    """The base of what the library raises."""
    return load_extra("nats.errors", "nats", "a nats:// address").Error
