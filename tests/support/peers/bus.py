"""A peer on a message bus that says what a test makes it say, and hears all."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
from collections.abc import Callable
from typing import Any, Protocol, Self

import nats
import redis

from support.waiting import PATIENCE_S

__all__ = ["TRANSPORT_IDS", "BusPeer", "enveloped"]

TRANSPORT_IDS = {"nats": "nats", "redis": "redis-streams"}
"""What kkrpc calls each kind of bus."""


def enveloped(bus: str, message: dict[str, Any], sender: str, to: str = "") -> str:
    """A message as kkrpc's own peers put it on a bus."""
    envelope: dict[str, Any] = {
        "protocol": "kkrpc.bus.v1",
        "transportId": TRANSPORT_IDS[bus],
        "from": sender,
        **({"to": to} if to else {}),
        **({"correlationId": message["id"]} if "id" in message else {}),
        "sentAt": 1700000000000,
        "message": message,
    }
    return json.dumps(envelope, separators=(",", ":"), ensure_ascii=False)


class _Voice(Protocol):
    def publish(self, text: str) -> None:
        """Say something to everybody."""

    def close(self) -> None:
        """Say and hear no more."""


class _NatsVoice:
    def __init__(self, broker: str, name: str, hear: Callable[[str], object]) -> None:
        self._name = name
        self._hear = hear
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._client = self._do(self._connect(broker))

    def _do(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE_S)

    async def _connect(self, broker: str) -> Any:
        client = await nats.connect(broker, no_echo=True)

        async def hear(message: Any) -> None:
            self._hear(message.data.decode())

        await client.subscribe(self._name, cb=hear)
        await client.flush()
        return client

    def publish(self, text: str) -> None:
        self._do(self._publish(text))

    async def _publish(self, text: str) -> None:
        await self._client.publish(self._name, text.encode())
        await self._client.flush()

    def close(self) -> None:
        self._do(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


class _RedisVoice:
    def __init__(self, broker: str, name: str, hear: Callable[[str], object]) -> None:
        self._name = name
        self._hear = hear
        self._client: Any = redis.Redis.from_url(broker, protocol=2)
        self._last_id = self._end()
        self._is_open = True
        self._thread = threading.Thread(target=self._listen)
        self._thread.start()

    def _end(self) -> Any:
        newest = self._client.xrevrange(self._name, count=1)
        return newest[0][0] if newest else "0-0"

    def _listen(self) -> None:
        while self._is_open:
            for _, entries in self._client.xread({self._name: self._last_id}, block=100):
                for self._last_id, fields in entries:
                    if fields.get(b"test") != str(id(self)).encode():
                        self._hear(fields[b"data"].decode())

    def publish(self, text: str) -> None:
        self._client.xadd(self._name, {"data": text, "test": str(id(self))})

    def close(self) -> None:
        self._is_open = False
        self._thread.join()
        self._client.close()


_VOICES: dict[str, Callable[[str, str, Callable[[str], object]], _Voice]] = {
    "nats": _NatsVoice,
    "redis": _RedisVoice,
}


class BusPeer:
    """It hears everything that others publish to the name in an address.

    Args:
        url: of a service.
    """

    def __init__(self, url: str) -> None:
        broker, _, name = url.rpartition("/")
        self.heard: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._bus = url.partition(":")[0]
        self._voice: _Voice = _VOICES[self._bus](broker, name, self.heard.put)

    def publish(self, text: str) -> None:
        """Say something to everybody."""
        self._voice.publish(text)

    def say(self, message: dict[str, Any], sender: str, to: str = "") -> None:
        """Say something in an envelope."""
        self.publish(enveloped(self._bus, message, sender, to))

    def hear(self, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """The next envelope; queue.Empty if there is none in time."""
        envelope: dict[str, Any] = json.loads(self.heard.get(timeout=timeout_s))
        return envelope

    def close(self) -> None:
        self._voice.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
