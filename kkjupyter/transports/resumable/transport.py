"""What both ends of a resumable connection have in common."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Sequence

from kkjupyter.transports.base import DirectTransport, Owner, Relay, Transport
from kkjupyter.transports.resumable.control import BYE, MARK, Bye, acknowledgement, read
from kkjupyter.transports.resumable.frame_log import FrameLog

__all__ = ["ResumableTransport"]

# Received frames are acknowledged when they are so much, each counted with its overhead in the
# other side's log, or so old.
_ACKNOWLEDGED_BYTES = 256 * 1024
_FRAME_BYTES = 64
_ACKNOWLEDGED_S = 0.2


class _Link:
    """What one carrying connection reports to, for as long as it carries."""

    def __init__(self, end: ResumableTransport) -> None:
        self.end: ResumableTransport | None = end

    def data_received(self, chunks: Sequence[bytes]) -> None:
        if self.end is not None:
            self.end.arrived(chunks)

    def writable(self) -> None:
        if self.end is not None:
            self.end.may_write()

    def closed(self, reason: str) -> None:
        end, self.end = self.end, None
        if end is not None:
            end.lost(reason)


class ResumableTransport:
    """One end of a connection that goes on over another WebSocket when its own breaks.

    Both sides count the frames that they send and receive. What is sent is kept until the other
    side has acknowledged it; on a new WebSocket each side says how many frames it has, and the
    other sends the rest. While there is none the end *is away*: it takes nothing, as if the other
    side did not read, and reports its end only when nobody comes back.

    Args:
        inner: what carries it at first; it reports to ``relay``.
        relay: between the two; it leads here from now on.
        log: of what is sent.
        is_agreed: whether the other side is known to take part.

    Attributes:
        away_since_s: since when it is away, by ``time.monotonic()``; None if it is not. Any thread.
        away_reason: why.
        on_change: called when it goes away, comes back and ends.
    """

    keeps_boundaries = True

    def __init__(self, inner: Transport, relay: Relay, log: FrameLog, *, is_agreed: bool) -> None:
        self.url = inner.url
        self.away_since_s: float | None = None
        self.away_reason = ""
        self.on_change: Callable[[], object] = _nobody_listens
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()  # of the log, and of what is written to the carrying one
        self._log = log
        self._is_agreed = is_agreed
        self._inner: Transport | None = None
        self._direct: DirectTransport | None = None
        self._carry(inner)
        self._link = relay.to = _Link(self)
        self._owner: Owner | None = None
        self._is_paused = False
        self._may_exceed = False
        self._acknowledged_at_pause = -1
        self._is_ending = False
        self._is_over = False
        self._end_reason: str | None = None
        self._received = 0
        self._unacknowledged_bytes = 0
        self._acknowledging: asyncio.TimerHandle | None = None

    def _carry(self, inner: Transport | None) -> None:
        self._inner = inner
        self._direct = inner if isinstance(inner, DirectTransport) else None

    # ---- what a subclass adds

    def _went_away(self) -> None:
        """The carrying connection is lost; there may be another one."""
        raise NotImplementedError

    def _ended(self) -> None:
        """It is over for good."""

    # ---- for its owner

    def open(self, owner: Owner) -> None:
        self._owner = owner

    def send(self, messages: Sequence[bytes]) -> None:
        with self._lock:
            if self._is_over:
                return
            self._log.add(messages)
            inner = self._inner
        if inner is not None:
            inner.send(messages)

    def send_here(self, message: bytes) -> bool:
        with self._lock:
            inner, direct = self._inner, self._direct
            if inner is None or direct is None or not self._log.has_room:
                return False
            try:
                self._log.add([message])
                is_sent = direct.send_here(message)
                if not is_sent:
                    self._log.take_back()
                return is_sent
            except BaseException:  # Ctrl-C: it is not known whether it is in the log, or sent
                # Nothing may follow it there: the other side would count wrongly.
                self._carry(None)
                self._loop.call_soon_threadsafe(inner.abort)
                raise

    @property
    def writable(self) -> bool:
        inner = self._inner
        return inner is not None and self._has_room and inner.writable

    @property
    def _has_room(self) -> bool:
        return self._log.has_room or (self._is_paused and self._may_exceed)

    def pause_reading(self) -> None:
        if not self._is_paused:
            self._is_paused = True
            # Acknowledgements are not read, either. An owner that pauses until the other side has
            # taken what waits for it would wait for ever; so the log takes that. Not again and
            # again from one who acknowledges nothing.
            acknowledged = self._log.acknowledged
            self._may_exceed = acknowledged != self._acknowledged_at_pause
            self._acknowledged_at_pause = acknowledged
            if not self._log.has_room:
                self._loop.call_soon(self.may_write)
        if self._inner is not None:
            self._inner.pause_reading()

    def resume_reading(self) -> None:
        self._is_paused = False
        if self._inner is not None:
            self._inner.resume_reading()

    async def close(self) -> None:
        inner = self.say_bye()
        if inner is not None:
            await inner.close()

    def abort(self) -> None:
        inner = self.say_bye()
        if inner is not None:
            inner.abort()

    def say_bye(self) -> Transport | None:
        """The connection ends next: have the other side not wait. Returns what is to be closed."""
        inner = self._inner
        if inner is None:
            self._loop.call_soon(self.finish, "closed")  # as others do: not while they are told to
        elif not self._is_ending:
            self._is_ending = True
            if self._is_agreed:
                inner.send([BYE])
        return inner

    # ---- for what carries it

    def arrived(self, chunks: Sequence[bytes]) -> None:
        """Frames have come: count them, and hand on those that are not for this layer."""
        controls = [chunk for chunk in chunks if chunk.startswith(MARK)]
        if controls:
            chunks = [chunk for chunk in chunks if not chunk.startswith(MARK)]
        if chunks:
            self._received += len(chunks)
            self._unacknowledged_bytes += sum(map(len, chunks)) + _FRAME_BYTES * len(chunks)
            if self._unacknowledged_bytes >= _ACKNOWLEDGED_BYTES:
                self._acknowledge()
            elif self._acknowledging is None:
                self._acknowledging = self._loop.call_later(_ACKNOWLEDGED_S, self._acknowledge)
            if self._owner is not None:
                self._owner.data_received(chunks)
        for control in controls:
            self._told(control)

    def may_write(self) -> None:
        """What carries it takes more."""
        if self._owner is not None and self.writable:
            self._owner.writable()

    def lost(self, reason: str) -> None:
        """What carries it is gone."""
        with self._lock:
            self._carry(None)
        self._stop_acknowledging()
        if self._is_ending or not self._is_agreed:
            self.finish(reason)
            return
        self.away_since_s = time.monotonic()
        self.away_reason = reason
        self._went_away()
        if not self._is_over:
            self.on_change()

    # ---- for those who bring a new one, or give up

    def attach(
        self, inner: Transport, relay: Relay, received: int, first: Sequence[bytes] = ()
    ) -> bool:
        """Go on over another connection; return whether that is possible.

        Args:
            inner: it is open, and reports to ``relay``.
            relay: leads here from now on, if it is possible.
            received: how many frames the other side has.
            first: what is sent before what that side has missed.
        """
        self._drop_carrier()
        with self._lock:
            if self._is_over or not self._log.trim(received):
                return False
            inner.send([*first, *self._log.frames])
            self._carry(inner)
        self._link = relay.to = _Link(self)
        if self._is_paused:
            inner.pause_reading()
        self.away_since_s = None
        self.on_change()
        self.may_write()
        return True

    def finish(self, reason: str) -> None:
        """It is over for good: tell the owner. Idempotent."""
        if self._is_over:
            return
        with self._lock:
            self._is_over = True
            self._log.clear()
        self._drop_carrier()
        self.away_since_s = None
        self._ended()
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.closed(self._end_reason or reason)
        self.on_change()

    def _drop_carrier(self) -> None:
        """Hear nothing more from what carries it: what it still brings will be sent again."""
        self._stop_acknowledging()
        self._link.end = None
        with self._lock:
            inner = self._inner
            self._carry(None)
        if inner is not None:
            inner.abort()

    # ---- acknowledgements

    def _acknowledge(self) -> None:
        self._stop_acknowledging()
        self._unacknowledged_bytes = 0
        if self._inner is not None:
            self._inner.send([acknowledgement(self._received)])

    def _stop_acknowledging(self) -> None:
        if self._acknowledging is not None:
            self._acknowledging.cancel()
            self._acknowledging = None

    def _told(self, control: bytes) -> None:
        match read(control):
            case int(received):
                had_room = self._has_room
                with self._lock:
                    is_sound = self._log.trim(received)
                if not is_sound:
                    self._fail("the other side acknowledged what was not sent")
                elif not had_room:
                    self.may_write()
            case Bye():
                self._is_ending = True
            case _:
                self._fail("the other side sent what makes no sense on a resumable connection")

    def _fail(self, reason: str) -> None:
        self._end_reason = reason
        self._is_ending = True
        if self._inner is not None:
            self._inner.abort()


def _nobody_listens() -> None:
    """Nobody wants to know."""
