"""Whether a connection is read: the backpressure of a protocol without credit.

A stream whose buffer is over its soft limit stops the reading, and so do calls of a passed function
that is busy, but only while nobody on this connection waits for anything. A peer that does not read
the answers to what it asks is not read either, nor one that has sent more than has been worked on.
I/O loop only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from kkjupyter.calls.callback_jobs import Jobs
from kkjupyter.calls.state import CallState
from kkjupyter.connection.send_queue import SendQueue
from kkjupyter.runtime.loop_threads import io_loop
from kkjupyter.transports.base import Transport

__all__ = ["ReadFlowControl"]

# While reading is paused, the socket is read for a moment now and then, so that pings are answered.
_PEEK_INTERVAL_S = 5.0
# Two sides that each owe the other too much would wait for each other for ever; so each reads a
# little all the same.
_OWED_INTERVAL_S = 0.5
# A ping lies behind all that the sockets of both sides hold, so a moment is measured in bytes; the
# time is for a peer that sends little.
_PEEK_BYTES = 2 * 1024 * 1024
_PEEK_S = 0.2


class ReadFlowControl:
    """Pauses and resumes one transport.

    Args:
        transport: what is read.
        send_queue: in front of it.
        must_read: whether reading goes on even though a buffer is full.

    Attributes:
        paused: whether it is not read now, except for a moment now and then, because nobody takes
            what has come. Any thread.
        over_soft: the calls whose buffers are full.
        busy: calls of passed functions that wait, too many of them.
        owed_too_much: whether the peer asks for more than it reads; then it is not read, either.
    """

    def __init__(
        self, transport: Transport, send_queue: SendQueue, must_read: Callable[[], bool]
    ) -> None:
        self.paused = False
        self.over_soft: set[CallState] = set()
        self.busy: set[Jobs] = set()
        self.owed_too_much = False
        self._transport = transport
        self._send_queue = send_queue
        self._must_read = must_read
        self._peek_timer: asyncio.TimerHandle | None = None
        self._peeked_bytes = 0
        self._is_peeking = False
        self._stopped = False
        self._stopped_for: set[str] = set()
        send_queue.on_flush = self._flushed

    @property
    def is_full(self) -> bool:
        """Whether anything that has come asks for a pause."""
        return bool(self.over_soft or self.busy)

    @property
    def holds(self) -> bool:
        """Whether it is not read now, for whatever reason, except for a moment now and then."""
        return self.paused or self.owed_too_much

    def reconsider(self) -> None:
        """Decide anew; called whenever something changes that matters."""
        self.over_soft = {
            state for state in self.over_soft if not state.over and not state.buffer.below_low_mark
        }
        for jobs in [jobs for jobs in self.busy if jobs.below_low_mark]:
            self.busy.discard(jobs)
            jobs.when_low = None
        pause = self.is_full and not self._must_read()
        if pause == self.paused:
            return
        self.paused = pause
        self._hold_or_go_on()
        # A consumer may have begun to wait before it could see that reading is paused.
        if pause and (self._must_read() or self._is_some_low):
            asyncio.get_running_loop().call_soon(self.reconsider)

    @property
    def _is_some_low(self) -> bool:
        return any(state.buffer.below_low_mark for state in self.over_soft) or any(
            jobs.below_low_mark for jobs in self.busy
        )

    def too_much(self, state: CallState) -> None:
        """The buffer of ``state`` is over its soft limit."""
        if state not in self.over_soft or not self.paused:
            self.over_soft.add(state)
            self.reconsider()

    def too_many(self, jobs: Jobs) -> None:
        """More calls of passed functions wait than may."""
        if jobs not in self.busy or not self.paused:
            self.busy.add(jobs)
            jobs.when_low = self._reconsider_soon
            self.reconsider()

    def _reconsider_soon(self) -> None:
        """Some of them have run. Any thread."""
        io_loop().post(self.reconsider)

    def forget(self, state: CallState) -> None:
        """The buffer of ``state`` no longer matters."""
        if state in self.over_soft or state.jobs in self.busy:
            self.over_soft.discard(state)
            self.reconsider()

    # ---- what the peer is owed

    def look_at_send_queue(self) -> None:
        """Something has come, and may have been answered."""
        if self._send_queue.overfull and not self.owed_too_much:
            self.owed_too_much = True
            self._hold_or_go_on()

    def _flushed(self) -> None:
        # Here, and not where the transport says that it is writable: it may never have said that
        # it is not.
        if self.owed_too_much and self._send_queue.is_low:
            self.owed_too_much = False
            self._hold_or_go_on()

    # ---- what has come and was not worked on

    def stop_for(self, reason: str) -> None:
        """It is not read at all until :meth:`go_on_after` that. Idempotent.

        Only for what ends by itself, whatever the peer does.
        """
        if reason not in self._stopped_for:
            self._stopped_for.add(reason)
            self._transport.pause_reading()

    def go_on_after(self, reason: str) -> None:
        """That is over. Idempotent."""
        if reason in self._stopped_for:
            self._stopped_for.discard(reason)
            self._resume()

    def _resume(self) -> None:
        if not (self._stopped or self._stopped_for) and (self._is_peeking or not self.holds):
            self._transport.resume_reading()

    # ---- looks in between

    def peeked(self, chunks: Sequence[bytes]) -> None:
        """This has come while it is not read."""
        self._peeked_bytes += sum(map(len, chunks))
        if self._peeked_bytes > _PEEK_BYTES:
            self._stop_peeking()

    def stop(self) -> None:
        """The connection is gone."""
        self._stopped = True
        if self._peek_timer is not None:
            self._peek_timer.cancel()
        self.over_soft.clear()
        self.busy.clear()
        self.paused = self.owed_too_much = False

    def _hold_or_go_on(self) -> None:
        if self._stopped:
            return
        self._is_peeking = False
        if self.holds:
            self._transport.pause_reading()
            self._peek_later(self._interval_s, self._peek)
        else:
            if self._peek_timer is not None:
                self._peek_timer.cancel()
            self._resume()

    @property
    def _interval_s(self) -> float:
        return _PEEK_INTERVAL_S if self.paused else _OWED_INTERVAL_S

    def _peek_later(self, delay_s: float, then: Callable[[], None]) -> None:
        if self._peek_timer is not None:
            self._peek_timer.cancel()
        self._peek_timer = asyncio.get_running_loop().call_later(delay_s, then)

    def _peek(self) -> None:
        # Each look fills the buffers a little. Near the limit a connection that may go silent is
        # better than a stream that surely is lost.
        if self._has_room:
            self._peeked_bytes = 0
            self._is_peeking = True
            self._resume()
            self._peek_later(_PEEK_S, self._stop_peeking)
        elif self.owed_too_much:
            self._peek_later(self._interval_s, self._peek)

    @property
    def _has_room(self) -> bool:
        return (
            self._send_queue.may_grow
            and all(state.buffer.has_room for state in self.over_soft)
            and all(jobs.has_room for jobs in self.busy)
        )

    def _stop_peeking(self) -> None:
        if self.holds:
            self._is_peeking = False
            self._transport.pause_reading()
            self._peek_later(self._interval_s, self._peek)
