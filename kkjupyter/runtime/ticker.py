"""The clock of all views: one thread that calls short functions, some of them later.

Slow work (formatting, a function of the user's) runs on the
:class:`~kkjupyter.notebook.run.worker.Worker` of its stream, never here, where it would delay all
others.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import os
import queue
import threading
import time
from collections.abc import Callable

__all__ = ["Ticker", "Timer", "ticker"]

Job = Callable[[], object]
# How many withdrawn timers may be in the heap before they are removed.
_WITHDRAWN_KEPT = 64
logger = logging.getLogger("kkjupyter")


class Timer:
    """A function that is to be called later; it can be withdrawn until then."""

    __slots__ = ("_job", "_ticker")

    def __init__(self, ticker: Ticker, job: Job) -> None:
        self._ticker = ticker
        self._job: Job | None = job

    @property
    def is_withdrawn(self) -> bool:
        """Whether it was withdrawn or called already."""
        return self._job is None

    def cancel(self) -> None:
        """Withdraw the function and drop it. Idempotent; any thread."""
        if self._job is not None:
            self._job = None
            self._ticker.clear_withdrawn()

    def run(self) -> None:
        """Call the function, once."""
        job, self._job = self._job, None
        if job is not None:
            job()


class Ticker:
    """A daemon thread that runs posted functions in order, some of them later.

    It starts with the first post and lives as long as the process.
    """

    def __init__(self) -> None:
        # SimpleQueue.put may be called by a finalizer in the middle of another put.
        self._inbox: queue.SimpleQueue[tuple[float, Timer]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._start_lock = threading.Lock()
        self._withdrawn = 0

    def start(self) -> None:
        """Start the thread, if it does not run yet. Not from finalizers."""
        # Who finds the lock taken need not wait: the thread will come, and what is posted waits
        # for it. In a signal handler it may be this very thread that has the lock.
        if self._thread is None and self._start_lock.acquire(blocking=False):
            try:
                if self._thread is None:
                    self._thread = threading.Thread(
                        target=self._run, name="kkjupyter-views", daemon=True
                    )
                    self._thread.start()
            finally:
                self._start_lock.release()

    def post(self, job: Job, delay_s: float = 0.0) -> Timer:
        """Call ``job()`` on the ticker's thread. Safe in any thread and in finalizers."""
        timer = Timer(self, job)
        self._inbox.put((time.monotonic() + delay_s if delay_s > 0 else 0.0, timer))
        return timer

    def clear_withdrawn(self) -> None:
        """Count a withdrawn timer; many of them are soon removed from the heap. Any thread."""
        self._withdrawn += 1  # a lost count only delays the removal
        if self._withdrawn == _WITHDRAWN_KEPT:
            self.post(lambda: None)  # wakes the thread, which looks

    def _run(self) -> None:
        later: list[tuple[float, int, Timer]] = []
        order = itertools.count()
        while True:
            if self._withdrawn >= _WITHDRAWN_KEPT:
                self._withdrawn = 0
                later = [entry for entry in later if not entry[2].is_withdrawn]
                heapq.heapify(later)
            wait_s = max(0.0, later[0][0] - time.monotonic()) if later else None
            try:
                due_s, timer = self._inbox.get(timeout=wait_s)
            except queue.Empty:
                timer = heapq.heappop(later)[2]
            else:
                if due_s:
                    heapq.heappush(later, (due_s, next(order), timer))
                    continue
            try:
                timer.run()
            except Exception:
                logger.exception("a view failed")
            del timer  # this thread may now sleep for long and must keep nothing alive


_ticker = Ticker()


def ticker() -> Ticker:
    """The ticker of this process, started."""
    _ticker.start()
    return _ticker


def _forget_after_fork() -> None:
    # Threads do not survive a fork; the child starts its own at first use.
    global _ticker
    _ticker = Ticker()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
