"""What both ends of a call share: the channel that fills it and whoever waits for it.

The user's :class:`~kkjupyter.calls.call.Call` is only a handle on this, so that a collected Call
can be noticed while the channel still knows the call.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from kkjupyter.calls.backend import CallBackend
from kkjupyter.calls.buffer import StreamBuffer
from kkjupyter.calls.credit import NOT_NOW, CreditWindow
from kkjupyter.calls.titles import Title
from kkjupyter.calls.waiters import Waiters
from kkjupyter.connection.outgoing_streams import OutgoingStream
from kkjupyter.errors import CallCancelled, CallError, CallTimeout, ConnectionLost, KKError
from kkjupyter.runtime.logs import SafeLogger
from kkjupyter.runtime.loop_threads import io_loop
from kkjupyter.traces.record import CallRecord
from kkjupyter.wire.values.javascript import undefined

if TYPE_CHECKING:
    from kkjupyter.calls.call import Call

__all__ = ["CallState", "Phase", "next_number"]

Phase = Literal["waiting", "streaming", "done", "failed", "cancelled"]
logger = SafeLogger("kkjupyter")

_numbers = itertools.count(1)


def next_number() -> int:
    """The next number of the one row that calls, and other things shown with them, share."""
    return next(_numbers)


class CallState(Waiters):
    """One call, from its making to its end.

    Args:
        method: the name as called, ``"math.add"``.
        title: what to show for it, ``"math.add(1, 2)"``.
        call_id: its id on the wire.
        carrier: who takes it to the peer.
        timeout_s: how long the reply may take; None for ever.
        idle_timeout_s: how long the next item may take; None for ever.
    """

    def __init__(
        self,
        method: str,
        title: str | Title,
        call_id: str,
        carrier: CallBackend,
        *,
        timeout_s: float | None = None,
        idle_timeout_s: float | None = None,
    ) -> None:
        super().__init__()
        self.number = next_number()
        self.method = method
        self._title = title
        self.call_id = call_id
        self.timeout_s = timeout_s
        self.idle_timeout_s = idle_timeout_s
        self.phase: Phase = "waiting"
        self.kind: Literal["unary", "stream"] | None = None
        self.buffer = StreamBuffer()
        self.stream_id = ""
        self.credit: CreditWindow | None = None
        self.sends: list[OutgoingStream] = []
        self.record: CallRecord | None = None
        self.value: Any = undefined
        self.error: BaseException | None = None
        self.watching = 0
        self.claimed = False
        self.timer: asyncio.TimerHandle | None = None
        self._carrier = carrier
        self._abandoned = False
        self._looked_at = False

    def start_timer(self) -> None:
        """The call is on its way: from now on the time limit for the reply runs. I/O loop only."""
        if self.timeout_s is not None and self.phase == "waiting":
            self.timer = asyncio.get_running_loop().call_later(
                self.timeout_s, self.expire_reply, self.timeout_s
            )

    def stop_timer(self) -> None:
        """The time limit for the reply no longer matters. I/O loop only."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    # ---- looking

    @property
    def title(self) -> str:
        """What to show for it."""
        return str(self._title)

    @property
    def over(self) -> bool:
        """Whether nothing more will arrive; values may still be in the buffer."""
        return self.phase in ("done", "failed", "cancelled")

    @property
    def finished(self) -> bool:
        """Whether the call is over and every value is taken."""
        # In this order: the last value is put before the phase changes. After a cancel the buffer
        # does not count: a value may slip in while it is cleared, and nobody gets it.
        return self.phase == "cancelled" or (self.over and not self.buffer)

    def something_to_take(self) -> bool:
        """Whether a consumer need not wait."""
        return bool(self.buffer) or self.over

    def answered(self) -> bool:
        """Whether the reply is there: a value, a stream, or an end of any kind."""
        return self.phase != "waiting"

    # ---- what the channel tells; I/O loop only

    def replied(self, value: Any) -> None:
        """The value of a unary call is there."""
        self.stop_timer()
        self._end("done", value=value, kind="unary")

    def opened(self, stream_id: str, *, has_credit: bool = False) -> None:
        """The reply is a stream; with ``has_credit`` one whose values have to be pulled."""
        self.stop_timer()
        with self._lock:
            self.stream_id = stream_id  # also when it was cancelled meanwhile: it goes back
            if self.over:
                return
            self.credit = CreditWindow(self.buffer) if has_credit else None
            self.kind = "stream"
            self.phase = "streaming"
        if self._abandoned and not self.claimed:
            self._drop_unread()
        self.bell.ring()

    def put(self, value: Any, size_bytes: int) -> bool:
        """The next value of the stream is there; whoever puts rings the bell afterwards.

        Returns whether the buffer is over its soft limit.
        """
        return self.phase == "streaming" and self.buffer.put(value, size_bytes)

    def ended(self, value: Any) -> None:
        """The stream is complete."""
        self._end("done", value=value)

    def failed(self, error: BaseException) -> None:
        """The call or the stream failed; what came before stays to be taken."""
        self.stop_timer()
        if isinstance(error, CallError):
            error.method = self.method
        if self._end("failed", error=error) and self._abandoned and not self.claimed:
            self._report_unseen()

    def forked(self, url: str) -> None:
        """This process is a fork, and the answer goes to the other one."""
        self._lock = threading.Lock()  # whoever held it did not come along
        self._looked_at = True
        reason = "it belongs to the process that this one was forked from"
        self.failed(ConnectionLost(url, reason, self.buffer.put_items))

    # ---- what the user's side does; any thread

    def cancel(self) -> None:
        """End the call from this side, drop what is buffered, tell the peer. Idempotent."""
        error = CallCancelled(self.method, self.buffer.taken_items)
        if self._end("cancelled", error=error, ended_here=True):
            self.buffer.clear()
            self.jobs.drop()
            io = io_loop()
            if io.is_current:  # a finalizer's: at once, so that it leaves before the next call
                self._carrier.cancel_call(self)
            else:
                io.post(self._carrier.cancel_call, self)

    def expire(self, timeout_s: float, waited_for: str = "reply") -> None:
        """End the call because a time limit has passed, and tell the peer."""
        error = CallTimeout(self.method, timeout_s, waited_for)
        if self._end("failed", error=error, ended_here=True):
            self.jobs.drop()
            io_loop().post(self._carrier.cancel_call, self)

    def break_off(self, error: KKError) -> None:
        """End the call for what is wrong here, and tell the peer. I/O loop only.

        More has come for it than can be kept, or a part of it was lost.
        """
        self.stop_timer()
        if isinstance(error, CallError):
            error.method = self.method
        self.jobs.drop()  # first: who sees the failure must not run what waited before it
        if self._end("failed", error=error, ended_here=True):
            self._carrier.cancel_call(self)
            if self._abandoned and not self.claimed:
                self._report_unseen()

    def expire_reply(self, timeout_s: float) -> None:
        """As :meth:`expire`, unless the reply has come."""
        if self.phase == "waiting":
            self.expire(timeout_s)

    def give_up(self) -> None:
        """The loop over this call is gone: cancel, unless all was taken. For finalizers."""
        if not self.finished:
            io_loop().post(self.cancel)

    def throw(self, error: Any) -> Call:
        """Raise ``error`` inside the generator behind this stream."""
        return self._carrier.throw(self, error)

    def abandon(self) -> None:
        """The user's handle is gone. I/O loop only; finalizers post it there."""
        self._abandoned = True
        if self.claimed:  # a loop or a view has the call, and sees its end
            return
        if self.phase == "failed":
            self._report_unseen()
        elif self.kind == "stream":
            self._drop_unread()

    def take(self) -> Any:
        """Take the oldest value.

        Raises:
            IndexError: nothing is there now, or the call was cancelled.
        """
        if self.phase == "cancelled":
            raise IndexError
        buffer = self.buffer
        value = buffer.take()
        credit = self.credit
        if credit is not None and buffer.begun_items >= credit.pull_at:
            credit.pull_at = NOT_NOW
            io_loop().post(self._carrier.pull, self)
        if self._carrier.reading_paused and buffer.below_low_mark:
            io_loop().post(self._carrier.reconsider_reading)
        return value

    def claim(self) -> bool:
        """One consumer begins: the values are its own. False if there is one already."""
        with self._lock:
            if self.claimed:
                return False
            self.claimed = True
        if self.credit is not None:
            io_loop().post(self._carrier.pull, self)
        return True

    def look(self) -> BaseException | None:
        """The error the call ended with, if any; from now on it counts as seen."""
        self._looked_at = True
        return self.error

    # ---- watching: waiting without a thread or a coroutine

    def watch(self, callback: Callable[[], object]) -> None:
        """Have ``callback()`` called once when there is something to take; at once if there is."""
        self._count_watching(1)
        fired: list[bool] = []

        def fire() -> None:
            with self._lock:  # the ring and the look below may both come here
                if fired:
                    return
                fired.append(True)
            self._count_watching(-1)
            callback()

        self.bell.on_ring(fire)
        if self.something_to_take():
            self.bell.forget(fire)
            fire()
        else:
            io_loop().post(self._watched, self.buffer.put_items)

    def _watched(self, put_items: int) -> None:
        """A watcher cannot measure its own idle time, so the I/O loop does it."""
        self._carrier.reconsider_reading()
        if self.idle_timeout_s is not None and self.phase == "streaming":
            asyncio.get_running_loop().call_later(
                self.idle_timeout_s, self._expire_idle, self.idle_timeout_s, put_items
            )

    def _expire_idle(self, timeout_s: float, put_items: int) -> None:
        if self.phase == "streaming" and put_items == self.buffer.put_items and self.watching:
            self.expire(timeout_s, "next item")

    def _count_watching(self, change: int) -> None:
        with self._lock:
            self.watching += change

    def someone_waits(self) -> None:
        if self._carrier.reading_paused:
            io_loop().post(self._carrier.reconsider_reading)

    # ---- ends

    def _end(
        self,
        phase: Phase,
        *,
        value: Any = undefined,
        error: BaseException | None = None,
        kind: Literal["unary"] | None = None,
        ended_here: bool = False,
    ) -> bool:
        """Reach the one end a call has; False when it had ended before."""
        with self._lock:
            if self.over:
                return False
            self.kind = self.kind or kind
            self.value, self.error = value, error
            self.fate.ended_here = ended_here
            self.phase = phase
        self.bell.ring()
        record = self.record
        if record is not None and not record.is_over:
            # Behind the frames that the end may still bring; it is known as under way until then.
            io_loop().post(record.over)
        return True

    def _drop_unread(self) -> None:
        if not self.over:
            logger.warning("%s: stream dropped unread", self.title)
            self.cancel()

    def _report_unseen(self) -> None:
        if not self._looked_at:
            self._looked_at = True
            text = str(self.error)
            logger.error("%s failed and nobody looked: %s", self.title, text)
