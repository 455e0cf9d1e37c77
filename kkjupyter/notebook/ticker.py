"""The one thread of all views: takes what streams deliver, formats it, sends it to the front end.

Everything it does is a short function posted to it. So what belongs to a run or a view is touched
by one thread only, and needs no lock.
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

__all__ = ["Ticker", "ticker"]

Job = Callable[[], object]
logger = logging.getLogger("kkjupyter")


class Ticker:
    """A daemon thread that runs posted functions, in order, some of them later.

    It starts with the first post and lives as long as the process.
    """

    def __init__(self) -> None:
        # SimpleQueue.put may be called by a finalizer in the middle of another put.
        self._inbox: queue.SimpleQueue[tuple[float, Job]] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._start_lock = threading.Lock()

    def start(self) -> None:
        """Start the thread, if it does not run yet. Not from finalizers."""
        with self._start_lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="kkjupyter-views", daemon=True
                )
                self._thread.start()

    def post(self, job: Job, delay_s: float = 0.0) -> None:
        """Have ``job()`` called on the thread. Any thread, also a finalizer."""
        self._inbox.put((time.monotonic() + delay_s if delay_s else 0.0, job))

    def is_current(self) -> bool:
        """Whether the caller runs on this thread."""
        return threading.current_thread() is self._thread

    def _run(self) -> None:
        later: list[tuple[float, int, Job]] = []
        order = itertools.count()
        while True:
            wait_s = max(0.0, later[0][0] - time.monotonic()) if later else None
            try:
                due_s, job = self._inbox.get(timeout=wait_s)
            except queue.Empty:
                job = heapq.heappop(later)[2]
            else:
                if due_s:
                    heapq.heappush(later, (due_s, next(order), job))
                    continue
            try:
                job()
            except Exception:
                logger.exception("a view failed")


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
