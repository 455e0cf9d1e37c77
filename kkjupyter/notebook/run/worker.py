"""The thread of one shown stream, for its ``pick``, its views and its saved output.

Each stream has its own thread, so that its slow functions do not delay others.
"""

from __future__ import annotations

import contextvars
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable

from kkjupyter.runtime.ticker import Timer, ticker

__all__ = ["Worker"]

Job = Callable[[], object]
_Inbox = queue.SimpleQueue[Job | None]
logger = logging.getLogger("kkjupyter")


class Worker:
    """Runs posted functions in order, one at a time, on its own daemon thread.

    The thread starts with the first post and ends with :meth:`close`, or when this is collected; a
    function posted after that gets a separate thread. Functions run in a copy of the context in
    which the worker was made, so what they print lands in the right cell.

    Args:
        name: the name of the thread.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._context = contextvars.copy_context()
        self._inbox: _Inbox | None = None
        self._thread: threading.Thread | None = None
        self._is_closed = False
        # What is to be done with the thread, by whoever has the lock: nobody ever waits for it.
        self._orders: deque[Callable[[], object]] = deque()
        self._lock = threading.Lock()

    def post(self, job: Job) -> None:
        """Have ``job()`` called on the thread. Any thread, and any signal handler."""
        self._order(lambda: self._post(job))

    def post_later(self, job: Job, delay_s: float) -> Timer:
        """Call ``job()`` on the thread after ``delay_s`` seconds."""
        return ticker().post(lambda: self.post(job), delay_s)

    def close(self, *, leave: bool = False) -> None:
        """End the thread when it has done all posted work. Any thread.

        Args:
            leave: whether it is stuck in a function, so that new work must not wait for it.
        """
        self._order(lambda: self._close(leave=leave))

    def _order(self, order: Callable[[], object]) -> None:
        """Have ``order()`` carried out, in turn, here or by whoever is at it.

        That may be this very thread: a signal handler that cancels runs in the middle of a post,
        which may take long, as a thread's start does on a busy machine.
        """
        self._orders.append(order)
        # Looked at again after the lock is given back: others may have come meanwhile.
        while self._orders and self._lock.acquire(blocking=False):
            try:
                while self._orders:
                    self._orders.popleft()()
            finally:
                self._lock.release()

    def _post(self, job: Job) -> None:
        # After a fork the thread is not there in the child.
        if self._inbox is None or self._thread is None or not self._thread.is_alive():
            self._start()
        assert self._inbox is not None
        self._inbox.put(job)
        if self._is_closed:
            self._stop()

    def _close(self, *, leave: bool) -> None:
        self._is_closed = True
        self._stop()
        if leave:
            self._thread = None

    def __del__(self) -> None:
        inbox = self.__dict__.get("_inbox")
        if inbox is not None:
            inbox.put(None)

    def _start(self) -> None:
        before, self._inbox = self._thread, queue.SimpleQueue()
        # A copy for each thread: a stuck one has its context entered.
        work = (self._inbox, self._context.copy(), before)
        self._thread = threading.Thread(target=_work, args=work, name=self._name, daemon=True)
        self._thread.start()

    def _stop(self) -> None:
        if self._inbox is not None:
            self._inbox.put(None)
            self._inbox = None


def _work(
    inbox: _Inbox, context: contextvars.Context, before: threading.Thread | None
) -> None:  # not a method: a sleeping thread must not keep its worker alive
    if before is not None:
        before.join()
    del before
    while (job := inbox.get()) is not None:
        try:
            context.run(job)
        except BaseException:
            # The stream goes on, whatever a function of the user's raises.
            logger.exception("a view failed")
        del job
