"""The clients of one served object, from all listeners."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from kkjupyter.connection.channel import Channel
from kkjupyter.connection.negotiation import Negotiation
from kkjupyter.limits import ServerLoad, size_limit
from kkjupyter.server.dispatch import Producer
from kkjupyter.server.exposed.offer import Exposed
from kkjupyter.transports.base import Transport

__all__ = ["Clients"]


class Clients:
    """Gives each new connection a channel and a producer.

    I/O loop only, except the numbers. Each connection uses the protocol and codec of its first
    message.

    Args:
        exposed: the object that they may reach.

    Attributes:
        load: the count of what they use at once.
    """

    def __init__(self, exposed: Exposed) -> None:
        self._exposed = exposed
        self.load = ServerLoad(exposed.limits)
        self._negotiations: set[Negotiation] = set()
        self._producers: set[Producer] = set()

    def __len__(self) -> int:
        return len(self._producers) + len(self._negotiations)

    @property
    def running(self) -> int:
        """How many of their calls and streams are running. Any thread."""
        return sum(producer.running for producer in list(self._producers))

    def add(
        self,
        transport: Transport,
        *,
        on_silence: Callable[[float], object] | None = None,
    ) -> None:
        """Serve one more client, until its connection is gone.

        Args:
            transport: one that is not opened yet.
            on_silence: called with the limit, in seconds, if the client sends nothing within
                ``first_message_timeout_s``; None for no limit.
        """
        load = self.load.connection()
        timeout_s = self.load.limits.first_message_timeout_s
        timer: asyncio.TimerHandle | None = None
        if on_silence is not None and timeout_s is not None:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(timeout_s, on_silence, timeout_s)

        def leave(negotiation: Negotiation) -> None:
            if timer is not None:
                timer.cancel()
            self._negotiations.discard(negotiation)

        def on_agreed(channel: Channel) -> None:
            producer = Producer(
                self._exposed, channel, on_closed=self._producers.discard, load=load
            )
            channel.handler = producer
            leave(negotiation)
            self._producers.add(producer)

        limits = self.load.limits
        negotiation = Negotiation(
            transport,
            on_agreed,
            leave,
            limit_bytes=size_limit(limits.message_bytes),
            memory_bytes=size_limit(limits.message_memory_bytes),
            load=load,
        )
        self._negotiations.add(negotiation)
        negotiation.open()

    def stop(self) -> None:
        """Cancel everything that runs for them."""
        for producer in list(self._producers):
            producer.stop()
