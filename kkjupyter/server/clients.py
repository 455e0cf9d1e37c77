"""The clients of one served object, from all listeners."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from kkjupyter.connection.channel import Channel
from kkjupyter.connection.negotiation import Negotiation
from kkjupyter.limits import ServerLoad, Share, size_limit
from kkjupyter.server.dispatch import Producer
from kkjupyter.server.exposed.offer import Exposed
from kkjupyter.transports.base import Transport
from kkjupyter.transports.resumable.server import Guest, ResumableSessions, ServerEnd

__all__ = ["Clients"]


class Clients:
    """Gives each new connection a channel and a producer.

    I/O loop only, except the numbers. Each connection uses the protocol and codec of its first
    message.

    Args:
        exposed: the object that they may reach.
        resume_s: how long what runs for a client of ours waits for it when its connection breaks,
            in seconds; None ends it at once.

    Attributes:
        load: the count of what they use at once.
    """

    def __init__(self, exposed: Exposed, resume_s: float | None = None) -> None:
        self._exposed = exposed
        self.load = ServerLoad(exposed.limits)
        self._sessions = None if resume_s is None else _sessions(resume_s, self.load)
        self._negotiations: set[Negotiation] = set()
        self._producers: set[Producer] = set()

    def __len__(self) -> int:
        return len(self._producers) + len(self._negotiations)

    @property
    def away(self) -> int:
        """How many of them have lost their connection and are waited for. Any thread."""
        return 0 if self._sessions is None else self._sessions.away

    @property
    def running(self) -> int:
        """How many of their calls and streams are running. Any thread."""
        return sum(producer.running for producer in list(self._producers))

    def add(
        self,
        transport: Transport,
        *,
        on_silence: Callable[[float], object] | None = None,
        guest: Guest = Guest(),  # noqa: B008  it cannot be changed
    ) -> None:
        """Serve one more client, until its connection is gone.

        Args:
            transport: one that is not opened yet.
            on_silence: called with the limit, in seconds, if the client sends nothing within
                ``first_message_timeout_s``; None for no limit.
            guest: what is known of it, where it may lose its connection and come back.
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
            if isinstance(channel.transport, ServerEnd):
                channel.transport.is_busy = lambda: producer.running > 0
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
            sessions=self._sessions,
            guest=guest,
        )
        self._negotiations.add(negotiation)
        negotiation.open()

    def stop(self) -> None:
        """Cancel everything that runs for them."""
        for producer in list(self._producers):
            producer.stop()
        if self._sessions is not None:
            self._sessions.stop()


def _sessions(resume_s: float, load: ServerLoad) -> ResumableSessions:
    limits = load.limits
    return ResumableSessions(
        resume_s,
        log_bytes=size_limit(limits.resume_bytes_per_connection),
        away_limit=limits.away_clients,
        away_per_address_limit=limits.away_clients_per_address,
        make_holding=lambda: Share(load.budget),
    )
