"""A connection between two of our own ends over a bus, from inbox to inbox.

A bus loses what nobody reads in time, tells nobody of an end, and holds no sender back. So the two
ends number what they send, say at intervals that they are alive, and send no more than a window of
what the other has not taken.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

from kkjupyter.bus.base import Bus
from kkjupyter.bus.frames import HEAD_BYTES, Frame, write_frame
from kkjupyter.transports.base import Owner, Terms

__all__ = ["ALIVE_S", "SILENCE_S", "WINDOW_BYTES", "Link", "LinkHome"]

ALIVE_S = 1.0
"""How often an end says that it is alive."""
SILENCE_S = 10.0
"""An end that was not heard for so long is gone. One whose process was killed is noticed sooner
where the bus can tell that nobody reads its inbox."""
WINDOW_BYTES = 512 * 1024
"""So much may be on its way, or held because its reader has paused; and one frame."""
_TOLD_BYTES = WINDOW_BYTES // 4


class LinkHome(Protocol):
    """Where a link begins.

    Attributes:
        bus: carries it.
        inbox: the name that the other end publishes to.
    """

    bus: Bus
    inbox: str

    def left(self, link: Link) -> None:
        """It is over."""


def _nothing() -> None:
    """Nobody wants to know."""


class Link:
    """One end of a connection; a transport.

    Args:
        home: where it begins.
        link_id: the same at both ends.
        to: the other end's inbox; empty until that has answered.
        url: its name in messages.
        other: what the other end is, for reasons: "the worker w1".

    Attributes:
        worker: what the worker calls itself, at a client's end.
        terms: what a client speaks on it if it is told nothing else.
        on_over: called when it is over.
    """

    keeps_boundaries = False  # a message that is too long for the bus is cut

    def __init__(self, home: LinkHome, link_id: str, to: str, url: str, other: str) -> None:
        self.url = url
        self.link_id = link_id
        self.to = to
        self.other = other
        self.worker = ""
        self.terms = Terms("compact", "superjson")
        self.on_over: Callable[[], object] = _nothing
        self._home = home
        self._owner: Owner | None = None
        self._is_open = True
        self._is_over = False
        self._end_reason = ""
        self._is_paused = False
        self._unsent: deque[bytes] = deque()
        self._sent_frames = 0
        self._sent_bytes = 0
        self._taken_by_other_bytes = 0
        self._was_writable = True
        self._held: deque[bytes] = deque()
        self._held_bytes = 0
        self._received_frames = 0
        self._taken_bytes = 0
        self._told_bytes = 0
        self._heard_s = asyncio.get_running_loop().time()

    # ---- a transport

    def open(self, owner: Owner) -> None:
        self._owner = owner
        self._deliver()
        if self._is_over:
            asyncio.get_running_loop().call_soon(self._tell_end)

    @property
    def writable(self) -> bool:
        is_writable = not self._unsent and self._has_room
        self._was_writable = self._was_writable and is_writable
        return is_writable

    @property
    def _has_room(self) -> bool:
        on_way_bytes = self._sent_bytes - self._taken_by_other_bytes
        return on_way_bytes < WINDOW_BYTES and self._home.bus.writable

    def send(self, messages: Sequence[bytes]) -> None:
        if self._is_open:
            self._unsent.append(b"".join(messages))
            self._send_unsent()

    def pause_reading(self) -> None:
        self._is_paused = True

    def resume_reading(self) -> None:
        if self._is_paused:
            self._is_paused = False
            # Not at once: whoever resumes is in the middle of what it has just read.
            asyncio.get_running_loop().call_soon(self._deliver)

    async def close(self) -> None:
        while self._is_open and self._unsent:  # the last words, whatever the window says
            self._send_frame()
        self._end("closed", tells="closed by the other side")
        await asyncio.sleep(0)

    def abort(self, reason: str = "closed") -> None:
        """Close at once; the reason is for this side. Idempotent."""
        self._end(reason, tells="closed by the other side")

    # ---- told by its home

    def take(self, frame: Frame) -> None:
        """The other end has sent this."""
        self._heard_s = asyncio.get_running_loop().time()
        match frame.kind:
            case "data" if frame.number == self._received_frames:
                self._received_frames += 1
                self._held.append(frame.payload)
                self._held_bytes += len(frame.payload)
                self._deliver()
                if self._held_bytes > 2 * WINDOW_BYTES:
                    self._end(f"{self.other} sends more than was granted", tells="too much")
            case "data":
                self._miss(frame.number)
            case "taken":
                self._taken_by_other(frame.number)
            case "alive":
                if frame.number != self._received_frames:
                    self._miss(frame.number)
            case "closed":
                if frame.number >= 0 and frame.number != self._received_frames:
                    self._miss(frame.number)
                else:
                    self._is_paused = False
                    self._deliver()
                    self._end(frame.payload.decode("utf-8", "replace"), tells="")

    def bus_is_writable(self) -> None:
        """The broker keeps up again."""
        self._send_unsent()
        self._tell_writable()

    def look(self, now_s: float) -> None:
        """Say that this end is alive, and see whether the other is."""
        if now_s - self._heard_s > SILENCE_S:
            self._end(f"{self.other} gave no sign of life for {SILENCE_S:g} s", tells="not heard")
        elif self.to:
            # With the inbox: an end that knows nothing of this link tells so.
            frame = write_frame("alive", self.link_id, self._sent_frames, self._home.inbox.encode())
            self._home.bus.publish(self.to, frame, key=self.link_id)

    def excuse(self, now_s: float) -> None:
        """This process was asleep, and has heard nobody."""
        self._heard_s = now_s

    def unread(self) -> None:
        """Nobody reads the other end's inbox."""
        self._end(f"{self.other} is gone", tells="")

    def lost(self, reason: str) -> None:
        """What was on its way may be lost, in either direction."""
        self._end(reason, tells="the connection to the broker was lost")

    # ---- sending

    def _send_unsent(self) -> None:
        while self._unsent and self._has_room:
            self._send_frame()

    def _send_frame(self) -> None:
        limit_bytes = min(self._home.bus.limit_bytes - HEAD_BYTES, WINDOW_BYTES // 4)
        data = self._unsent.popleft()
        if len(data) > limit_bytes:
            self._unsent.extendleft(
                data[at : at + limit_bytes]
                for at in reversed(range(limit_bytes, len(data), limit_bytes))
            )
            data = data[:limit_bytes]
        frame = write_frame("data", self.link_id, self._sent_frames, data)
        self._sent_frames += 1
        self._sent_bytes += len(data)
        self._home.bus.publish(self.to, frame)

    def _taken_by_other(self, taken_bytes: int) -> None:
        self._taken_by_other_bytes = max(
            self._taken_by_other_bytes, min(taken_bytes, self._sent_bytes)
        )
        self._send_unsent()
        self._tell_writable()

    def _tell_writable(self) -> None:
        if not self._was_writable and self.writable:
            self._was_writable = True
            if self._owner is not None:
                self._owner.writable()

    # ---- receiving

    def _deliver(self) -> None:
        while self._held and not self._is_paused and self._owner is not None:
            data = self._held.popleft()
            self._held_bytes -= len(data)
            self._taken_bytes += len(data)
            self._owner.data_received([data])
            if self._taken_bytes - self._told_bytes >= _TOLD_BYTES and self._is_open:
                self._told_bytes = self._taken_bytes
                frame = write_frame("taken", self.link_id, self._taken_bytes)
                self._home.bus.publish(self.to, frame)

    def _miss(self, number: int) -> None:
        missing = number - self._received_frames
        self._end(f"messages were lost on the way ({missing} of them)", tells="messages were lost")

    # ---- the end

    def _end(self, reason: str, *, tells: str) -> None:
        if not self._is_open:
            return
        self._is_open = False
        self._unsent.clear()
        if tells and self.to:
            frame = write_frame("closed", self.link_id, self._sent_frames, tells.encode())
            self._home.bus.publish(self.to, frame)
        self._home.left(self)
        self._end_reason = reason
        asyncio.get_running_loop().call_soon(self._finish)

    def _finish(self) -> None:
        self._is_over = True
        on_over, self.on_over = self.on_over, _nothing
        self._tell_end()
        on_over()

    def _tell_end(self) -> None:
        owner, self._owner = self._owner, None
        if owner is not None:
            self._held.clear()
            owner.closed(self._end_reason)
