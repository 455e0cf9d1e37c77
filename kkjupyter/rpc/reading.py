"""Whether a connection is read: the backpressure of a protocol without credit.

A stream whose buffer is over its soft limit stops the reading, but only while nobody on this
connection waits for anything. I/O loop only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from kkjupyter.rpc.callstate import CallState
from kkjupyter.transports.base import Transport

__all__ = ["Reading"]

# While reading is paused, the socket is read for a moment now and then, so that pings are answered.
_PEEK_INTERVAL_S = 5.0
# A ping lies behind all that the sockets of both sides hold, so a moment is measured in bytes; the
# time is for a peer that sends little.
_PEEK_BYTES = 2 * 1024 * 1024
_PEEK_S = 0.2


class Reading:
    """Pauses and resumes one transport.

    Args:
        transport: what is read.
        must_read: whether reading goes on even though a buffer is full.

    Attributes:
        paused: whether it is not read now, save for a moment now and then. Any thread.
        over_soft: the calls whose buffers are full.
    """

    def __init__(self, transport: Transport, must_read: Callable[[], bool]) -> None:
        self.paused = False
        self.over_soft: set[CallState] = set()
        self._transport = transport
        self._must_read = must_read
        self._peek_timer: asyncio.TimerHandle | None = None
        self._peeked_bytes = 0

    def reconsider(self) -> None:
        """Decide anew; called whenever something changes that matters."""
        self.over_soft = {
            state for state in self.over_soft if not state.over and not state.buffer.below_low_mark
        }
        pause = bool(self.over_soft) and not self._must_read()
        if pause == self.paused:
            return
        self.paused = pause
        if pause:
            self._transport.pause_reading()
            self._peek_later(_PEEK_INTERVAL_S, self._peek)
            # A consumer may have begun to wait before it could see that reading is paused.
            if self._must_read() or any(s.buffer.below_low_mark for s in self.over_soft):
                asyncio.get_running_loop().call_soon(self.reconsider)
        else:
            if self._peek_timer is not None:
                self._peek_timer.cancel()
            self._transport.resume_reading()

    def too_much(self, state: CallState) -> None:
        """The buffer of ``state`` is over its soft limit."""
        if state not in self.over_soft or not self.paused:
            self.over_soft.add(state)
            self.reconsider()

    def forget(self, state: CallState) -> None:
        """The buffer of ``state`` no longer matters."""
        if state in self.over_soft:
            self.over_soft.discard(state)
            self.reconsider()

    def peeked(self, chunks: Sequence[bytes]) -> None:
        """This has come while reading is paused."""
        self._peeked_bytes += sum(map(len, chunks))
        if self._peeked_bytes > _PEEK_BYTES:
            self._stop_peeking()

    def stop(self) -> None:
        """The connection is gone."""
        if self._peek_timer is not None:
            self._peek_timer.cancel()
        self.over_soft.clear()
        self.paused = False

    def _peek_later(self, delay_s: float, then: Callable[[], None]) -> None:
        if self._peek_timer is not None:
            self._peek_timer.cancel()
        self._peek_timer = asyncio.get_running_loop().call_later(delay_s, then)

    def _peek(self) -> None:
        # Each look fills the buffers a little. Near the limit a connection that may go silent is
        # better than a stream that surely is lost.
        if all(state.buffer.has_room for state in self.over_soft):
            self._peeked_bytes = 0
            self._transport.resume_reading()
            self._peek_later(_PEEK_S, self._stop_peeking)

    def _stop_peeking(self) -> None:
        if self.paused:
            self._transport.pause_reading()
            self._peek_later(_PEEK_INTERVAL_S, self._peek)
