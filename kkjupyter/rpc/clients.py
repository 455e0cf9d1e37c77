"""The clients of one served object, whatever they came in by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kkjupyter.rpc.channel import Channel, serve_channel
from kkjupyter.rpc.interceptors import Interceptor
from kkjupyter.rpc.producer import Producer
from kkjupyter.transports.base import Transport

__all__ = ["Clients"]

_LIMIT_BYTES = 64 * 1024 * 1024


class Clients:
    """Gives each new connection a channel and a producer. I/O loop only, save the numbers.

    Args:
        target: the exposed object.
        interceptors: around every call, the first outermost.
    """

    def __init__(self, target: Any, interceptors: Sequence[Interceptor] = ()) -> None:
        self._target = target
        self._interceptors = tuple(interceptors)
        self._producers: set[Producer] = set()

    def __len__(self) -> int:
        return len(self._producers)

    @property
    def running(self) -> int:
        """How many of their calls and streams are being worked on. Any thread."""
        return sum(producer.running for producer in list(self._producers))

    def add(self, transport: Transport, *, limit_bytes: int = _LIMIT_BYTES) -> Channel:
        """Serve one more client, until its connection is gone.

        Args:
            transport: open, and not read from yet.
            limit_bytes: the longest message accepted from it.
        """

        def make_producer(channel: Channel) -> Producer:
            producer = Producer(
                self._target,
                channel.protocol,
                channel.outbox,
                self._interceptors,
                on_closed=self._producers.discard,
            )
            self._producers.add(producer)
            return producer

        return serve_channel(transport, make_producer, limit_bytes=limit_bytes)

    def stop(self) -> None:
        """Cancel what runs for any of them."""
        for producer in list(self._producers):
            producer.close()
