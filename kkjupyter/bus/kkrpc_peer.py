"""A connection to one of kkrpc's own peers over the name that all of them share; in both roles.

They have no heartbeat, and tell nobody when they leave. But every one of them answers a request,
if only that it exposes nothing: so one that is silent is asked.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from kkjupyter.bus.base import Bus
from kkjupyter.transports.base import Owner, Terms
from kkjupyter.wire.kkrpc.bus import Opened, Sealer, read_answer
from kkjupyter.wire.kkrpc.compact.protocol import Compact
from kkjupyter.wire.kkrpc.detection import PROBE_NAME

__all__ = ["ASK_S", "HELD_BYTES", "SILENCE_S", "KkrpcPeer", "PeerHome", "now_ms", "question"]

ASK_S = 10.0
"""A peer that is silent for so long is asked whether it is there."""
SILENCE_S = 40.0
"""One that does not answer, either, is gone."""
HELD_BYTES = 64 * 1024 * 1024
"""A peer that sends so much that is not read is given up: nothing on a bus slows it down."""
_ENVELOPE_BYTES = 512
"""More than all that an envelope adds; ids and names are short."""


class PeerHome(Protocol):
    """Where the connection begins."""

    @property
    def bus(self) -> Bus:
        """Carries it."""

    @property
    def name(self) -> str:
        """What all peers share."""

    def peer_left(self, peer: KkrpcPeer) -> None:
        """It is over."""


def now_ms() -> int:
    """The time that an envelope carries."""
    return time.time_ns() // 1_000_000


def question(question_id: str) -> bytes:
    """A request that every peer answers, and that reaches nothing that may be exposed there."""
    return Compact("json").request(question_id, "get", [PROBE_NAME])


def _nothing() -> None:
    """Nobody wants to know."""


class KkrpcPeer:
    """A transport to one peer.

    Args:
        home: where it begins.
        own_id: what this side calls itself.
        peer_id: what the peer calls itself.
        url: its name in messages.
        id_mark: what the ids made here begin with, where other workers hear what is sent to this
            one; see :class:`~kkjupyter.transports.base.Terms`.

    Attributes:
        key: of what is published to find out whether anybody is there.
        calls: the ids of its calls that were not answered yet.
        streams: the ids of the streams that were opened for it and are not over.
        on_opened: called when a stream was opened for it.
        on_over: called when it is over.
    """

    keeps_boundaries = True

    def __init__(
        self, home: PeerHome, own_id: str, peer_id: str, url: str, id_mark: str = ""
    ) -> None:
        self.url = url
        self.peer_id = peer_id
        self.key = secrets.token_urlsafe(9)
        self.on_over: Callable[[], object] = _nothing
        self.calls: dict[str, None] = {}
        self.streams: dict[str, None] = {}
        self.on_opened: Callable[[], object] = _nothing
        limit_bytes = home.bus.limit_bytes - _ENVELOPE_BYTES - len(own_id) - len(peer_id)
        self.terms = Terms("compact", "json", True, limit_bytes, id_mark)
        self._home = home
        self._sealer = Sealer(home.bus.transport_id, own_id, peer_id)
        self._owner: Owner | None = None
        self._is_open = True
        self._is_paused = False
        self._was_writable = True
        self._held: deque[bytes] = deque()
        self._held_bytes = 0
        self._heard_s = self._asked_s = asyncio.get_running_loop().time()

    # ---- a transport

    def open(self, owner: Owner) -> None:
        self._owner = owner
        self._deliver()

    @property
    def writable(self) -> bool:
        is_writable = self._home.bus.writable
        self._was_writable = self._was_writable and is_writable
        return is_writable

    def send(self, messages: Sequence[bytes]) -> None:
        if self._is_open:
            sent_at_ms = now_ms()
            for message in messages:
                self._note(message)
                self._home.bus.publish(self._home.name, self._sealer.seal(message, sent_at_ms))

    def _note(self, message: bytes) -> None:
        answered = read_answer(message)
        if answered.call_id:
            self.calls.pop(answered.call_id, None)
            if answered.opened_id:
                self.streams[answered.opened_id] = None
                self.on_opened()
        elif answered.ended_id:
            self.streams.pop(answered.ended_id, None)

    def pause_reading(self) -> None:
        self._is_paused = True

    def resume_reading(self) -> None:
        if self._is_paused:
            self._is_paused = False
            # Not at once: whoever resumes is in the middle of what it has just read.
            asyncio.get_running_loop().call_soon(self._deliver)

    async def close(self) -> None:
        self._end("closed")
        await asyncio.sleep(0)

    def abort(self, reason: str = "closed") -> None:
        """Close at once. Idempotent."""
        self._end(reason)

    # ---- told by its home

    def take(self, opened: Opened) -> None:
        """The peer has sent this.

        What is about an id that was not made here is some other worker's of the same service.
        """
        self._heard_s = asyncio.get_running_loop().time()
        mark = self.terms.id_mark and f"{self.terms.id_mark}-"
        match opened.kind:
            case "r" if opened.id.startswith(self.key):
                return
            case "sq" if not opened.stream_id.startswith(mark):
                return
            case "cb" if not opened.id.startswith(mark):
                return
            case "q":
                self.calls[opened.id] = None
        self._held.append(opened.message)
        self._held_bytes += len(opened.message)
        self._deliver()
        if self._held_bytes > HELD_BYTES:
            self._end(f"it sent {HELD_BYTES:,} bytes that were not read, and cannot be slowed down")

    def bus_is_writable(self) -> None:
        """The broker keeps up again."""
        if not self._was_writable and self.writable:
            self._was_writable = True
            if self._owner is not None:
                self._owner.writable()

    def look(self, now_s: float) -> None:
        """See whether the peer is there; a silent one is asked."""
        if now_s - self._heard_s > SILENCE_S:
            self._end(f"{self.peer_id} gave no sign of life for {SILENCE_S:g} s")
        elif now_s - max(self._heard_s, self._asked_s) > ASK_S:
            self._asked_s = now_s
            message = question(f"{self.key}-{secrets.token_hex(4)}")
            payload = self._sealer.seal(message, now_ms())
            self._home.bus.publish(self._home.name, payload, key=self.key)

    def excuse(self, now_s: float) -> None:
        """This process was asleep, and has heard nobody."""
        self._heard_s = now_s

    def unread(self) -> None:
        """Nobody else is subscribed to the name."""
        self._end(f"{self.peer_id} is gone")

    def lost(self, reason: str) -> None:
        """What was on its way may be lost, in either direction."""
        self._end(reason)

    def _deliver(self) -> None:
        while self._held and not self._is_paused and self._owner is not None:
            message = self._held.popleft()
            self._held_bytes -= len(message)
            self._owner.data_received([message])

    def _end(self, reason: str) -> None:
        if self._is_open:
            self._is_open = False
            self._home.peer_left(self)
            asyncio.get_running_loop().call_soon(self._tell_end, reason)

    def _tell_end(self, reason: str) -> None:
        self._held.clear()
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.closed(reason)
        self.on_over()
