"""A peer on a NATS server that says what a test makes it say, and hears all."""

from __future__ import annotations

import asyncio
import json
import queue
import threading
from typing import Any, Self

import nats

from support.waiting import PATIENCE_S

__all__ = ["BusPeer", "enveloped"]


def enveloped(message: dict[str, Any], sender: str, to: str = "") -> str:
    """A message as kkrpc's own peers put it on a bus."""
    envelope: dict[str, Any] = {
        "protocol": "kkrpc.bus.v1",
        "transportId": "nats",
        "from": sender,
        **({"to": to} if to else {}),
        **({"correlationId": message["id"]} if "id" in message else {}),
        "sentAt": 1700000000000,
        "message": message,
    }
    return json.dumps(envelope, separators=(",", ":"), ensure_ascii=False)


class BusPeer:
    """It hears everything that others publish to the name in an address.

    Args:
        url: of a service.
    """

    def __init__(self, url: str) -> None:
        broker, _, self.name = url.rpartition("/")
        self.heard: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._client = self._do(self._connect(broker))

    def _do(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE_S)

    async def _connect(self, broker: str) -> Any:
        client = await nats.connect(broker, no_echo=True)

        async def hear(message: Any) -> None:
            self.heard.put(message.data.decode())

        await client.subscribe(self.name, cb=hear)
        await client.flush()
        return client

    def publish(self, text: str) -> None:
        """Say something to everybody."""
        self._do(self._publish(text))

    async def _publish(self, text: str) -> None:
        await self._client.publish(self.name, text.encode())
        await self._client.flush()

    def say(self, message: dict[str, Any], sender: str, to: str = "") -> None:
        """Say something in an envelope."""
        self.publish(enveloped(message, sender, to))

    def hear(self, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """The next envelope; queue.Empty if there is none in time."""
        envelope: dict[str, Any] = json.loads(self.heard.get(timeout=timeout_s))
        return envelope

    def close(self) -> None:
        self._do(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
