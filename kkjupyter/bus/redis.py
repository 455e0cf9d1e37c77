"""Redis (or Valkey) as a bus, on the library ``redis``.

The name of a service is a stream, as with kkrpc's own peers. The names below it are channels of
PUBLISH and SUBSCRIBE, which keep nothing, and which tell a publisher that nobody is subscribed.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import secrets
import ssl as tls
import time
from collections import deque
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any, NamedTuple
from urllib.parse import unquote, urlsplit

from kkjupyter.bus.addresses import BusAddress
from kkjupyter.bus.base import BusOwner, Take
from kkjupyter.errors import ConnectError, ConnectTimeout
from kkjupyter.extras import load_extra
from kkjupyter.runtime.logs import SafeLogger

__all__ = ["KEPT_S", "SILENCE_S", "RedisBus"]

logger = SafeLogger("kkjupyter")

SILENCE_S = 15.0
"""A broker that gives no answer for so long is taken for lost."""
KEPT_S = 60.0
"""What is older is trimmed away, whoever has sent it. It is longer than a silent peer is waited
for; see :data:`kkjupyter.bus.kkrpc_peer.SILENCE_S`."""
_PULSE_S = 5.0
_CONNECT_TIMEOUT_S = 30.0
_CONNECT_AGAIN_TIMEOUT_S = 10.0
_CLOSE_TIMEOUT_S = 1.0
_RECONNECT_WAIT_S = 0.5
_PORT = 6379
# What waits here to be published, and how much of it goes out in one round trip.
_HIGH_BYTES = 512 * 1024
_LOW_BYTES = 128 * 1024
_BATCH_BYTES = 256 * 1024
_BATCH_COMMANDS = 256
# Reading: how many entries at a time, and how long the broker waits for the first. A worker takes
# few requests at a time, so that its fellows get theirs.
_READ_ENTRIES = 64
_TAKE_ENTRIES = 8
_BLOCK_MS = 1000
_LOOK_S = 1.0
# So long a claim holds; those who make it heard the message at the same time.
_CLAIM_MS = 10_000
# Unless the broker is told otherwise.
_LIMIT_BYTES = 512 * 1024 * 1024
_HEAD_BYTES = 64
_HEAD = re.compile(rb"([0-9a-f]{16}) ([0-9]{1,20})")

# Whoever is the first takes nothing over: requests of an earlier time are nobody's any more. Those
# who serve are subscribed to a channel, which tells it even of those that were killed.
_JOIN = """
if redis.call('PUBSUB', 'NUMSUB', ARGV[1])[2] == 0 then
  redis.pcall('XGROUP', 'DESTROY', KEYS[1], ARGV[2])
end
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[2], '$', 'MKSTREAM')
if type(made) == 'table' and made.err and not string.find(made.err, 'BUSYGROUP') then
  return made
end
"""
# The last one leaves nothing behind, unless peers of kkrpc's own read the stream in groups: they
# would never hear anything again.
_LEAVE = """
local serving = redis.call('PUBSUB', 'NUMSUB', ARGV[1])[2]
local reading = redis.call('PUBSUB', 'NUMSUB', ARGV[2])[2]
if redis.call('EXISTS', KEYS[1]) == 0 then return end
if ARGV[3] ~= '' then
  if serving == 0 then redis.pcall('XGROUP', 'DESTROY', KEYS[1], ARGV[3])
  else redis.pcall('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[3], ARGV[4]) end
end
if serving + reading == 0 and #redis.call('XINFO', 'GROUPS', KEYS[1]) == 0 then
  redis.call('DEL', KEYS[1])
end
"""


class _Subscription(NamedTuple):
    name: str
    take: Take
    group: str


class _Command(NamedTuple):
    parts: tuple[Any, ...]
    size_bytes: int = 0
    on_reply: Callable[[Any], object] | None = None
    is_vital: bool = True  # nothing is right any more if the server refuses it


class RedisBus:
    """Connections to one Redis server: one to publish, one for channels, one or two for the stream.

    Args:
        address: with the server.
        token: the password; None for that in the address, if any.
        ssl: how to check a ``rediss://`` server; None for the system's own way.
    """

    transport_id = "redis-streams"
    tells_nobody = True  # of channels, which our own ends use; not of the stream

    def __init__(self, address: BusAddress, token: str | None, ssl: tls.SSLContext | None) -> None:
        self.limit_bytes = 0
        self.is_connected = False
        self.trouble = ""
        self._address = address
        self._secrets = [one for one in (token, *address.secrets) if one]
        self._token = token
        self._ssl = ssl
        self._library: Any = None
        self._owner: BusOwner | None = None
        self._id = secrets.token_hex(8)
        self._subscriptions: list[_Subscription] = []
        self._channels: dict[bytes, _Subscription] = {}
        # Of one time of being connected. What belongs to an earlier one sees another client here.
        self._client: Any = None
        self._pubsub: Any = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._unclosed: list[tuple[Any, Any, set[asyncio.Task[None]]]] = []
        self._confirmed: dict[bytes, asyncio.Future[None]] = {}
        self._clock_ms = 0  # what the server's is ahead of ours
        self._outbox: deque[_Command] = deque()
        self._outbox_bytes = 0
        self._was_full = False
        self._numbers = 0
        self._filled = asyncio.Event()
        self._is_broken = asyncio.Event()
        self._keeper: asyncio.Task[None] | None = None
        self._is_closing = False
        self._pulse_name = self._channel(f"{address.name}._kk.pulse.{self._id}")
        self._serving_name = self._channel(f"{address.name}._kk.serving")
        self._reading_name = self._channel(f"{address.name}._kk.reading")

    def _channel(self, name: str) -> str:
        """A name as a channel: all databases share these."""
        return f"{self._address.database}:{name}" if self._address.database else name

    async def open(self, owner: BusOwner, timeout_s: float | None) -> None:
        self._library = _module("redis.asyncio")
        self._owner = owner
        timeout_s = _CONNECT_TIMEOUT_S if timeout_s is None else timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                await self._connect()
        except TimeoutError as exc:
            reason = f"no answer within {timeout_s:g} s"
            raise ConnectTimeout(self._address.shown, reason) from exc
        except Exception as exc:  # noqa: BLE001  nothing of the library's leaves the package
            # Not even as its cause: its text may hold what it was given.
            raise ConnectError(self._address.shown, self._reason(exc)) from None
        finally:
            if not self.is_connected:
                await self._disconnect()
        self._keeper = asyncio.get_running_loop().create_task(self._keep_connected())

    @property
    def writable(self) -> bool:
        self._was_full = self._was_full or self._outbox_bytes > _HIGH_BYTES
        return not self._was_full

    async def subscribe(self, name: str, take: Take, *, group: str = "") -> None:
        subscription = _Subscription(name, take, group)
        try:
            if not self.is_connected:
                raise ConnectionError("the connection to the Redis server is lost")
            async with asyncio.timeout(SILENCE_S):
                await self._begin(subscription)
        except Exception as exc:  # noqa: BLE001  as above
            raise ConnectError(self._address.shown, self._reason(exc)) from None
        self._subscriptions.append(subscription)

    def publish(self, name: str, payload: bytes, *, key: str = "") -> None:
        if not self.is_connected:
            return
        if name == self._address.name:
            oldest_ms = time.time_ns() // 1_000_000 + self._clock_ms - round(KEPT_S * 1000)
            trim = ("MINID", "~", max(oldest_ms, 0))
            # kkrpc's own peers read the first of the fields; the other one tells us our own.
            parts = ("XADD", name, *trim, "*", "data", payload, "by", self._id)
            self._send(_Command(parts, len(payload)))
            return
        self._numbers += 1
        text = b"%s %d\n%s" % (self._id.encode(), self._numbers, payload)
        channel = self._channel(name)
        on_reply = partial(self._published, channel, key) if key else None
        self._send(_Command(("PUBLISH", channel, text), len(text), on_reply))

    async def close(self) -> None:
        if self._is_closing:
            return
        self._is_closing = True
        if self._keeper is not None:
            await _cancel({self._keeper})
        if self.is_connected:
            try:
                async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                    await self._flush()
                    await self._leave()
            except (TimeoutError, OSError, self._library.RedisError) as exc:
                reason = self._reason(exc)
                logger.warning("%s: not closed in order: %s", self._address.shown, reason)
        self.is_connected = False
        await self._disconnect()

    # ---- connecting

    async def _connect(self) -> None:
        client = self._client = self._make_client()
        seconds, microseconds = await client.time()
        self._clock_ms = seconds * 1000 + microseconds // 1000 - time.time_ns() // 1_000_000
        self.limit_bytes = await self._find_limit_bytes(client) - _HEAD_BYTES
        self._pubsub = client.pubsub()
        await self._pubsub.subscribe(self._pulse_name)
        self._run(client, self._listen(client, self._pubsub))
        for subscription in self._subscriptions:
            await self._begin(subscription)
        if any(task.done() for task in self._tasks):
            raise ConnectionError("the connection to the Redis server is lost")
        self.is_connected = True
        self._run(client, self._write(client))
        self._run(client, self._pulse(client))

    def _make_client(self) -> Any:
        parts = urlsplit(self._address.brokers[0])
        password = self._token or (unquote(parts.password) if parts.password else None)
        arguments: dict[str, Any] = {
            "host": parts.hostname,
            "port": parts.port or _PORT,
            "db": self._address.database,
            "username": unquote(parts.username) if parts.username else None,
            "password": password,
            "protocol": 2,  # it decides on the form of what comes back
            "socket_timeout": SILENCE_S,
            "socket_connect_timeout": _CONNECT_AGAIN_TIMEOUT_S,
            # A command that is sent again might be carried out twice.
            "retry": _module("redis.asyncio.retry").Retry(_module("redis.backoff").NoBackoff(), 0),
        }
        connections = _module("redis.asyncio.connection")
        if parts.scheme == "rediss":
            context = self._ssl or tls.create_default_context()
            base = connections.SSLConnection

            class Checked(base):  # type: ignore[misc, valid-type]
                """The library makes its own context, and takes none that was made."""

                def _connection_arguments(self) -> Any:
                    return {**super()._connection_arguments(), "ssl": context}

            arguments["connection_class"] = Checked
        return self._library.Redis.from_pool(connections.ConnectionPool(**arguments))

    async def _find_limit_bytes(self, client: Any) -> int:
        """What the server takes; many let nobody ask, and have the usual limit."""
        try:
            found = await client.config_get("proto-max-bulk-len")
        except self._library.ResponseError:
            return _LIMIT_BYTES
        return int(found.get("proto-max-bulk-len", _LIMIT_BYTES))

    async def _keep_connected(self) -> None:
        """Connect again after each loss, until this is closed."""
        assert self._owner is not None
        while True:
            await self._is_broken.wait()
            await self._disconnect()
            while not self.is_connected:
                await asyncio.sleep(_RECONNECT_WAIT_S)
                try:
                    async with asyncio.timeout(_CONNECT_AGAIN_TIMEOUT_S):
                        await self._connect()
                except Exception as exc:  # noqa: BLE001  whatever it is, it is tried again
                    self._complain(exc)
                    self.is_connected = False
                    await self._disconnect()
            self._is_broken.clear()
            self.trouble = ""
            self._owner.regained()

    def _lose(self, client: Any, reason: str) -> None:
        """A connection is broken, so all of them are given up. Idempotent."""
        if client is not self._client:
            return
        for waiting in self._confirmed.values():
            if not waiting.done():
                waiting.set_exception(ConnectionError(reason))
        if self.is_connected and not self._is_closing:
            self.is_connected = False
            self._drop()
            self._is_broken.set()
            assert self._owner is not None
            self._owner.lost(reason)

    async def _disconnect(self) -> None:
        if self._client is not None:
            self._unclosed.append((self._client, self._pubsub, self._tasks))
        self._client, self._pubsub, self._tasks = None, None, set()
        self._channels.clear()
        self._drop()
        while self._unclosed:  # also what was left when this was cancelled
            client, pubsub, tasks = self._unclosed[-1]
            await _cancel(tasks)
            for one in (pubsub, client):
                if one is not None:
                    with contextlib.suppress(TimeoutError, OSError, self._library.RedisError):
                        async with asyncio.timeout(_CLOSE_TIMEOUT_S):
                            await one.aclose()
            self._unclosed.pop()

    def _drop(self) -> None:
        """Nothing that waits is published any more: after an outage it would be too late."""
        self._outbox.clear()
        self._outbox_bytes = 0
        self._was_full = False
        self._filled.clear()

    def _run(self, client: Any, work: Coroutine[Any, Any, None]) -> None:
        """Do this until the connection is over; it is over when this fails."""

        async def supervised() -> None:
            try:
                await work
            except Exception as exc:  # noqa: BLE001  told to the owner
                reason = self._reason(exc)
                lost = "the connection to the Redis server is lost"
                self._lose(client, lost if reason.startswith("connection") else f"{lost}: {reason}")

        self._tasks.add(asyncio.get_running_loop().create_task(supervised()))

    # ---- publishing

    def _send(self, command: _Command) -> None:
        self._outbox.append(command)
        self._outbox_bytes += command.size_bytes
        self._filled.set()

    async def _write(self, client: Any) -> None:
        """Send what waits, in order, at the pace of the server's answers."""
        while client is self._client:
            await self._filled.wait()
            pipeline = client.pipeline(transaction=False)
            batch: list[_Command] = []
            size_bytes = 0
            while self._outbox and size_bytes < _BATCH_BYTES and len(batch) < _BATCH_COMMANDS:
                command = self._outbox.popleft()
                pipeline.execute_command(*command.parts)
                batch.append(command)
                size_bytes += command.size_bytes
            if not self._outbox:
                self._filled.clear()
            replies = await pipeline.execute(raise_on_error=False)
            if client is not self._client:
                return
            self._outbox_bytes -= size_bytes
            for command, reply in zip(batch, replies, strict=True):
                if isinstance(reply, Exception) and command.is_vital:
                    raise reply
                if isinstance(reply, Exception):
                    self._complain(reply)
                elif command.on_reply is not None:
                    command.on_reply(reply)
            if self._was_full and self._outbox_bytes <= _LOW_BYTES:
                self._was_full = False
                assert self._owner is not None
                self._owner.writable()

    def _published(self, channel: str, key: str, receivers: int) -> None:
        if receivers <= (channel.encode() in self._channels) and self._owner is not None:
            self._owner.nobody(key)

    async def _flush(self) -> None:
        """Wait until all that was published is at the server."""
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        def at_server(_: Any) -> None:
            if not done.done():  # whoever waits may have given up
                done.set_result(None)

        self._send(_Command(("ECHO", ""), on_reply=at_server))
        await done

    async def _pulse(self, client: Any) -> None:
        """Say something at intervals, so that :meth:`_listen` hears something."""
        while client is self._client:
            await asyncio.sleep(_PULSE_S)
            self._send(_Command(("PUBLISH", self._pulse_name, "")))

    # ---- subscribing

    async def _begin(self, subscription: _Subscription) -> None:
        client = self._client
        if subscription.name != self._address.name:
            channel = self._channel(subscription.name)
            self._channels[channel.encode()] = subscription
            await self._subscribe_to(channel)
        elif subscription.group:
            await self._join(client, subscription.group)
            await self._subscribe_to(self._serving_name)
            self._run(client, self._take_requests(client, subscription))
        else:
            await self._subscribe_to(self._reading_name)
            last_id, added = await self._end_of_stream(client)
            self._run(client, self._read(client, subscription.take, last_id, added))

    async def _subscribe_to(self, name: str) -> None:
        await self._confirmed_by_server(name, self._pubsub.subscribe(name))

    async def _confirmed_by_server(self, name: str, sending: Coroutine[Any, Any, Any]) -> None:
        key = name.encode()
        waiting = self._confirmed[key] = asyncio.get_running_loop().create_future()
        try:
            await sending
            await waiting
        finally:
            del self._confirmed[key]

    async def _listen(self, client: Any, pubsub: Any) -> None:
        """Read the channels."""
        while client is self._client:
            message = await pubsub.get_message(timeout=SILENCE_S)
            if message is None:
                raise ConnectionError(f"no answer within {SILENCE_S:g} s")
            if client is not self._client:
                return
            if message["type"] == "message":
                self._heard(message["channel"], message["data"])
            elif (waiting := self._confirmed.get(message["channel"])) and not waiting.done():
                waiting.set_result(None)

    def _heard(self, name: bytes, data: bytes) -> None:
        head, _, payload = data.partition(b"\n")
        found = _HEAD.fullmatch(head)
        subscription = self._channels.get(name)
        if subscription is None or found is None or found[1] == self._id.encode():
            return
        if not subscription.group:
            self._hand_over(subscription.take, payload)
            return
        # All have heard it; the one that claims it first takes it.
        claim = b"%s.claim.%s.%s" % (name, found[1], found[2])
        parts = ("SET", claim, self._id, "NX", "PX", _CLAIM_MS)

        def take(is_ours: Any) -> None:
            if is_ours:
                self._hand_over(subscription.take, payload)

        self._send(_Command(parts, on_reply=take, is_vital=False))

    def _hand_over(self, take: Take, payload: bytes) -> None:
        try:
            take(payload)
        except Exception:
            logger.exception("%s: a message could not be handled", self._address.shown)

    # ---- the stream

    async def _join(self, client: Any, group: str) -> None:
        await client.eval(_JOIN, 1, self._address.name, self._serving_name, group)

    async def _leave(self) -> None:
        groups = [one.group for one in self._subscriptions if one.name == self._address.name]
        if not groups:
            return
        for name in (self._serving_name, self._reading_name):
            await self._confirmed_by_server(name, self._pubsub.unsubscribe(name))
        names = self._serving_name, self._reading_name, max(groups), self._id
        await self._client.eval(_LEAVE, 1, self._address.name, *names)

    async def _take_requests(self, client: Any, subscription: _Subscription) -> None:
        """Take entries that nobody else of the group has taken."""
        name, take, group = subscription
        while client is self._client and not self._is_closing:
            try:
                found = await client.xreadgroup(
                    group, self._id, {name: ">"}, count=_TAKE_ENTRIES, block=_BLOCK_MS, noack=True
                )
            except self._library.ResponseError as exc:
                if "NOGROUP" not in str(exc) and "UNBLOCKED" not in str(exc):
                    raise
                if not self._is_closing:  # then it was not we who have deleted it
                    await self._join(client, group)
                continue
            self._take_entries(client, found, take)

    async def _read(self, client: Any, take: Take, last_id: bytes, added: int | None) -> None:
        """Read all entries that come.

        Args:
            client: over which.
            take: takes what others have sent.
            last_id: of the last entry that is old.
            added: how many entries there have been; None if the server does not count them.
        """
        looked_s = time.monotonic()
        while client is self._client:
            found = await client.xread(
                {self._address.name: last_id}, count=_READ_ENTRIES, block=_BLOCK_MS
            )
            entries = self._take_entries(client, found, take)
            if entries:
                last_id = entries[-1][0]
            if added is None:
                continue
            added += len(entries)
            if time.monotonic() - looked_s > _LOOK_S:
                looked_s = time.monotonic()
                await self._look_for_gap(client, last_id, added)

    def _take_entries(self, client: Any, found: Any, take: Take) -> list[Any]:
        entries = [entry for _, some in found or () for entry in some]
        for _, fields in entries:
            data = fields.get(b"data")
            if data and fields.get(b"by") != self._id.encode() and client is self._client:
                self._hand_over(take, data)
        return entries

    async def _end_of_stream(self, client: Any) -> tuple[bytes, int | None]:
        info = await self._stream_info(client)
        return info.get("last-generated-id", b"0-0"), info.get("entries-added")

    async def _stream_info(self, client: Any) -> dict[str, Any]:
        try:
            info: dict[str, Any] = await client.xinfo_stream(self._address.name)
        except self._library.ResponseError as exc:
            if "no such key" not in str(exc):
                raise
            return {"entries-added": 0, "length": 0}
        return info

    async def _look_for_gap(self, client: Any, last_id: bytes, added: int) -> None:
        """See whether entries were trimmed away before they were read.

        Raises:
            ConnectionError: they were.
        """
        info = await self._stream_info(client)
        trimmed = info["entries-added"] - info["length"]
        is_at_end = info.get("last-generated-id", b"0-0") == last_id
        if trimmed > added or (is_at_end and info["entries-added"] != added):
            raise ConnectionError("messages were deleted before they were read")

    # ---- what the library tells

    def _complain(self, problem: Exception) -> None:
        """Say what the trouble is, once."""
        reason = self._reason(problem)
        if reason != self.trouble:
            self.trouble = reason
            logger.warning("%s: %s", self._address.shown, reason)

    def _reason(self, problem: Exception) -> str:
        text = str(problem) or type(problem).__name__
        for secret in self._secrets:
            text = text.replace(secret, "***")
        cause = problem.__cause__ or problem.__context__
        if isinstance(problem, self._library.AuthenticationError) or "NOAUTH" in text:
            return (
                "the Redis server refuses these credentials; pass token=... (--token-env NAME), or "
                f"{self._address.scheme}://user:password@host"
            )
        if isinstance(cause, ConnectionRefusedError) or "Connect call failed" in text:
            return "connection refused; is the Redis server running there?"
        if type(cause).__name__ == "gaierror":
            return "the host name cannot be resolved"
        if isinstance(cause, tls.SSLError):
            return str(cause)
        return text


def _module(name: str) -> Any:
    """A module of the library."""
    return load_extra(name, "redis", "a redis:// address")


async def _cancel(tasks: set[asyncio.Task[None]]) -> None:
    """Cancel tasks until they are over.

    The library may swallow a cancellation. A second one that comes too soon would hit it where it
    gives a connection back, and that would never be closed.
    """
    while tasks:
        for task in tasks:
            task.cancel()
        _, tasks = await asyncio.wait(tasks, timeout=_CLOSE_TIMEOUT_S)
