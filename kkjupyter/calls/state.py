"""What both ends of a call share: the channel that fills it and whoever waits for it.

The user's :class:`~kkjupyter.calls.call.Call` is only a handle on this, so that a collected Call
can be noticed while the channel still knows the call.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
import time
from collections.abc import Callable
from typing import Any, Literal, Protocol

from kkjupyter.calls.buffer import NOT_NOW, CreditWindow, StreamBuffer
from kkjupyter.calls.callback_jobs import Job, Jobs
from kkjupyter.calls.titles import Title
from kkjupyter.errors import CallCancelled, CallError, CallTimeout, ConnectionLost, KKError
from kkjupyter.runtime.logs import SafeLogger
from kkjupyter.runtime.loop_threads import io_loop
from kkjupyter.runtime.waiting import Notifier, wait_async, wait_blocking
from kkjupyter.wire.values.javascript import undefined

__all__ = ["CallBackend", "CallObserver", "CallState", "Phase", "next_number"]

Phase = Literal["waiting", "streaming", "done", "failed", "cancelled"]
logger = SafeLogger("kkjupyter")

# How long a callback waits for somebody to wait for its call: `await api.work(callback)` is sent a
# moment before the `await` begins.
_CALLBACK_GRACE_S = 0.03

_numbers = itertools.count(1)


def next_number() -> int:
    """The next number of the one row that calls, and other things shown with them, share."""
    return next(_numbers)


class CallBackend(Protocol):
    """What takes calls to the peer. On the I/O loop, unless a method says otherwise."""

    @property
    def reading_paused(self) -> bool:
        """Whether it has stopped reading because a buffer is full. Any thread."""

    @property
    def away_since_s(self) -> float | None:
        """Since when it reconnects, by ``time.monotonic()``; None if it does not. Any thread."""

    def cancel_call(self, state: CallState) -> None:
        """Tell the peer that nobody wants the answer any more."""

    def reconsider_reading(self) -> None:
        """Somebody waits now who did not before, or a buffer has room."""

    def pull(self, state: CallState) -> None:
        """Grant the peer as much credit as is due for this stream."""

    def throw(self, state: CallState, error: Any) -> CallState:
        """Raise ``error`` inside the generator behind a stream. Any thread.

        Returns the state of the call that brings the generator's answer.
        """


class CallObserver(Protocol):
    """What is told of the end of a call: the record of its frames, for one."""

    def call_ended(self) -> None:
        """The call has ended. Any thread."""


class Waiters:
    """The waiting half of a :class:`~kkjupyter.calls.state.CallState`.

    Attributes:
        notifier: notified after every change of the call.
        jobs: what the peer has called back and what has not run yet.
        waiting: how many threads and coroutines wait now.
        has_functions: whether it was passed functions, so that the peer can call back.
    """

    def __init__(self) -> None:
        self.notifier = Notifier()
        self.jobs = Jobs(self.notifier)
        self.waiting = 0
        self.has_functions = False
        # Taken again by a signal handler that cancels while this thread has it.
        self._lock = threading.RLock()

    def someone_waits(self) -> None:
        """Somebody waits now who did not before. Any thread."""

    def wait_blocking(self, ready: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Wait in plain code until ``ready()``; callbacks of this call run here meanwhile."""
        self._begin_to_wait()
        try:
            if not self.has_functions:
                return wait_blocking(self.notifier, ready, timeout_s)
            left_s = _countdown(timeout_s)
            while wait_blocking(self.notifier, lambda: self._may_go_on(ready), left_s()):
                if not self.jobs.can_run:
                    return True
                if _is_up(left_s()):
                    break
                self.jobs.run_one()
            return False
        finally:
            self._wait_no_longer()

    async def wait_async(self, ready: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Wait in a coroutine until ``ready()``; callbacks of this call run here meanwhile."""
        self._begin_to_wait()
        try:
            if not self.has_functions:
                return await wait_async(self.notifier, ready, timeout_s)
            left_s = _countdown(timeout_s)
            while await wait_async(self.notifier, lambda: self._may_go_on(ready), left_s()):
                if not self.jobs.can_run:
                    return True
                if _is_up(left_s()):
                    break
                await self.jobs.run_one_async()
            return False
        finally:
            self._wait_no_longer()

    def _may_go_on(self, ready: Callable[[], bool]) -> bool:
        # What the peer called before it answered runs before the answer is handed over; a call
        # ended from here has dropped what had not begun, and does not wait for what has.
        jobs = self.jobs
        return jobs.can_run or (ready() and (jobs.idle or jobs.ended_locally))

    def _begin_to_wait(self) -> None:
        with self._lock:
            self.waiting += 1
        self.someone_waits()

    def _wait_no_longer(self) -> None:
        with self._lock:
            self.waiting -= 1
        if self.has_functions and self.jobs.can_run:
            io_loop().post(self._leave_callbacks)

    def callback_arrived(self, job: Job) -> None:
        """The peer called a function that was passed with this call. I/O loop only."""
        # Add first, look second: a waiter that leaves looks after it has left.
        self.jobs.add(job)
        if self.waiting:
            self.notifier.notify()
        else:
            self._leave_callbacks()

    def _leave_callbacks(self) -> None:
        """Give the caller a moment to begin to wait, or to come round to its next item."""
        asyncio.get_running_loop().call_later(_CALLBACK_GRACE_S, self._hand_callbacks_over)

    def _hand_callbacks_over(self) -> None:
        if not self.waiting:
            self.jobs.hand_to_worker(lambda: self.waiting > 0)


class CallState(Waiters):
    """One call, from its making to its end.

    Args:
        method: the name as called, ``"math.add"``.
        title: what to show for it, ``"math.add(1, 2)"``.
        call_id: its id on the wire.
        backend: takes it to the peer.
        timeout_s: how long the reply may take; None for no limit.
        idle_timeout_s: how long the next item may take; None for no limit.
    """

    def __init__(
        self,
        method: str,
        title: str | Title,
        call_id: str,
        backend: CallBackend,
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
        self.observer: CallObserver | None = None
        self.value: Any = undefined
        self.error: BaseException | None = None
        self.watching = 0
        self.claimed = False
        self.timer: asyncio.TimerHandle | None = None
        self.backend = backend
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
        self.notifier.notify()

    def put(self, value: Any, size_bytes: int) -> bool:
        """The next value of the stream is there; whoever puts notifies afterwards.

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
        self._lock = threading.RLock()  # whoever held it did not come along
        self._looked_at = True
        reason = "it belongs to the process that this one was forked from"
        self.failed(ConnectionLost(url, reason, self.buffer.put_items))

    # ---- what the user's side does; any thread

    def cancel(self) -> None:
        """End the call from this side, drop what is buffered, tell the peer. Idempotent."""
        error = CallCancelled(self.method, self.buffer.taken_items)
        if self._end("cancelled", error=error, ended_locally=True):
            self.buffer.clear()
            self.jobs.drop()
            io = io_loop()
            if io.is_current:  # a finalizer's: at once, so that it leaves before the next call
                self.backend.cancel_call(self)
            else:
                io.post(self.backend.cancel_call, self)

    def expire(self, timeout_s: float, waited_for: str = "reply") -> None:
        """End the call because a time limit has passed, and tell the peer."""
        error = CallTimeout(self.method, timeout_s, waited_for)
        if self._end("failed", error=error, ended_locally=True):
            self.jobs.drop()
            io_loop().post(self.backend.cancel_call, self)

    def break_off(self, error: KKError) -> None:
        """End the call for what is wrong here, and tell the peer. I/O loop only.

        More has come for it than can be kept, or a part of it was lost.
        """
        self.stop_timer()
        if isinstance(error, CallError):
            error.method = self.method
        self.jobs.drop()  # first: who sees the failure must not run what waited before it
        if self._end("failed", error=error, ended_locally=True):
            self.backend.cancel_call(self)
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

    def throw(self, error: Any) -> CallState:
        """Raise ``error`` inside the generator behind this stream, as the backend does."""
        return self.backend.throw(self, error)

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
            io_loop().post(self.backend.pull, self)
        if self.backend.reading_paused and buffer.below_low_mark:
            io_loop().post(self.backend.reconsider_reading)
        return value

    def claim(self) -> bool:
        """One consumer begins: the values are its own. False if there is one already."""
        with self._lock:
            if self.claimed:
                return False
            self.claimed = True
        if self.credit is not None:
            io_loop().post(self.backend.pull, self)
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
            with self._lock:  # the notice and the look below may both come here
                if fired:
                    return
                fired.append(True)
            self._count_watching(-1)
            callback()

        self.notifier.on_notify(fire)
        if self.something_to_take():
            self.notifier.forget(fire)
            fire()
        else:
            io_loop().post(self._watched, self.buffer.put_items)

    def _watched(self, put_items: int) -> None:
        """A watcher cannot measure its own idle time, so the I/O loop does it."""
        self.backend.reconsider_reading()
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
        if self.backend.reading_paused:
            io_loop().post(self.backend.reconsider_reading)

    # ---- ends

    def _end(
        self,
        phase: Phase,
        *,
        value: Any = undefined,
        error: BaseException | None = None,
        kind: Literal["unary"] | None = None,
        ended_locally: bool = False,
    ) -> bool:
        """Reach the one end a call has; False when it had ended before."""
        with self._lock:
            if self.over:
                return False
            self.kind = self.kind or kind
            self.value, self.error = value, error
            self.jobs.ended_locally = ended_locally
            self.phase = phase
        self.notifier.notify()
        if self.observer is not None:
            self.observer.call_ended()
        return True

    def _drop_unread(self) -> None:
        if not self.over:
            logger.warning("%s: stream dropped unread", self.title)
            self.cancel()

    def _report_unseen(self) -> None:
        if not self._looked_at:
            self._looked_at = True
            text = str(self.error)
            logger.error("%s failed, and its result was never retrieved: %s", self.title, text)


def _countdown(timeout_s: float | None) -> Callable[[], float | None]:
    """What is left of ``timeout_s``, however often a wait is taken up again."""
    if timeout_s is None:
        return lambda: None
    deadline_s = time.monotonic() + timeout_s
    return lambda: deadline_s - time.monotonic()


def _is_up(left_s: float | None) -> bool:
    return left_s is not None and left_s <= 0
