"""Whoever waits for a call, and the callbacks of the call, which run there meanwhile."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

from kkjupyter.calls.callback_jobs import Job, Jobs
from kkjupyter.calls.callbacks import Fate
from kkjupyter.runtime.loop_threads import io_loop
from kkjupyter.runtime.waiting import Notifier, wait_async, wait_blocking

__all__ = ["Waiters"]

# How long a callback waits for somebody to wait for its call: `await api.work(callback)` is sent a
# moment before the `await` begins.
_CALLBACK_GRACE_S = 0.03


class Waiters:
    """The waiting half of a :class:`~kkjupyter.calls.state.CallState`.

    Attributes:
        bell: rung after every change of the call.
        jobs: what the peer has called back and what has not run yet.
        fate: what became of the call.
        waiting: how many threads and coroutines wait now.
        has_functions: whether it was passed functions, so that the peer can call back.
    """

    def __init__(self) -> None:
        self.bell = Notifier()
        self.jobs = Jobs(self.bell)
        self.fate = Fate()
        self.waiting = 0
        self.has_functions = False
        self._lock = threading.Lock()

    def someone_waits(self) -> None:
        """Somebody waits now who did not before. Any thread."""

    def wait_blocking(self, ready: Callable[[], bool], timeout_s: float | None = None) -> bool:
        """Wait in plain code until ``ready()``; callbacks of this call run here meanwhile."""
        self._begin_to_wait()
        try:
            if not self.has_functions:
                return wait_blocking(self.bell, ready, timeout_s)
            left_s = _countdown(timeout_s)
            while wait_blocking(self.bell, lambda: self._may_go_on(ready), left_s()):
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
                return await wait_async(self.bell, ready, timeout_s)
            left_s = _countdown(timeout_s)
            while await wait_async(self.bell, lambda: self._may_go_on(ready), left_s()):
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
        return jobs.can_run or (ready() and (jobs.idle or self.fate.ended_here))

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
            self.bell.ring()
        else:
            self._leave_callbacks()

    def _leave_callbacks(self) -> None:
        """Give the caller a moment to begin to wait, or to come round to its next item."""
        asyncio.get_running_loop().call_later(_CALLBACK_GRACE_S, self._hand_callbacks_over)

    def _hand_callbacks_over(self) -> None:
        if not self.waiting:
            self.jobs.hand_to_worker(lambda: self.waiting > 0)


def _countdown(timeout_s: float | None) -> Callable[[], float | None]:
    """What is left of ``timeout_s``, however often a wait is taken up again."""
    if timeout_s is None:
        return lambda: None
    deadline_s = time.monotonic() + timeout_s
    return lambda: deadline_s - time.monotonic()


def _is_up(left_s: float | None) -> bool:
    return left_s is not None and left_s <= 0
