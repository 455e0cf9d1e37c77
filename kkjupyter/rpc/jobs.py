"""Where passed functions run when the peer calls them.

In the thread or on the loop that waits for the call they were passed with; if nobody waits, in one
worker thread. Always in a copy of the caller's context, taken at the call, so that what they print
lands in the caller's cell. Those of one call run one at a time, in the order the peer called them,
and all that came before the reply have run before the reply is handed over.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextvars
import inspect
import logging
import os
import queue
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from kkjupyter.rpc.waiting import Bell, wait_blocking

__all__ = ["Job", "Jobs", "run_in_worker"]

logger = logging.getLogger("kkjupyter")

# The calls whose callbacks the code at hand runs in: a callback may wait for its own call.
_inside: contextvars.ContextVar[tuple[Jobs, ...]] = contextvars.ContextVar(
    "kkjupyter_inside", default=()
)


class Job:
    """One invocation of a passed function."""

    __slots__ = ("_args", "_context", "_fn")

    def __init__(
        self, fn: Callable[..., Any], context: contextvars.Context, args: Sequence[Any]
    ) -> None:
        self._fn = fn
        # A context can be entered only once at a time; a copy can always be.
        self._context = context.copy()
        self._args = args

    def enter(self, jobs: Jobs) -> None:
        """Note in the context of this invocation which call it belongs to."""
        self._context.run(lambda: _inside.set((*_inside.get(), jobs)))

    def run(self) -> None:
        """Run it in this thread; its errors are logged."""
        try:
            result = self._context.run(self._fn, *self._args)
            if inspect.iscoroutine(result):
                self._run_coroutine(result)
        except Exception:  # noqa: BLE001  logged: the protocol has no way to tell the peer
            self._log_failure()

    async def run_async(self) -> None:
        """Run it on this loop; its errors are logged."""
        try:
            result = self._context.run(self._fn, *self._args)
            if inspect.iscoroutine(result):
                loop = asyncio.get_running_loop()
                await loop.create_task(result, context=self._context)
        except Exception:  # noqa: BLE001  logged: the protocol has no way to tell the peer
            self._log_failure()

    def _run_coroutine(self, coro: Coroutine[Any, Any, Any]) -> None:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            self._context.run(asyncio.run, coro)
            return
        # A plain wait in a cell: its thread has a loop already, and that loop is blocked.
        done: concurrent.futures.Future[None] = concurrent.futures.Future()
        bell = Bell()
        done.add_done_callback(lambda _: bell.ring())
        threading.Thread(target=self._run_for, args=(coro, done), daemon=True).start()
        wait_blocking(bell, done.done)
        done.result()

    def _run_for(
        self, coro: Coroutine[Any, Any, Any], done: concurrent.futures.Future[None]
    ) -> None:
        try:
            self._context.run(asyncio.run, coro)
        except BaseException as exc:  # noqa: BLE001  handed over
            done.set_exception(exc)
        else:
            done.set_result(None)

    def _log_failure(self) -> None:
        name = getattr(self._fn, "__name__", repr(self._fn))
        self._context.run(logger.exception, "callback %s failed", name)


class Jobs:
    """The invocations that belong to one call: in order, one at a time.

    Args:
        bell: rung whenever one is done, for those who wait to run the next.
    """

    def __init__(self, bell: Bell) -> None:
        self._bell = bell
        self._waiting: deque[Job] = deque()
        self._running = 0
        self._lock = threading.Lock()

    @property
    def can_run(self) -> bool:
        """Whether one waits that may be run now and here."""
        return bool(self._waiting) and self._is_free

    @property
    def idle(self) -> bool:
        """Whether none waits and none runs."""
        return not self._waiting and self._is_free

    @property
    def _is_free(self) -> bool:
        return not self._running or self in _inside.get()

    def add(self, job: Job) -> None:
        """Add the newest. Any thread."""
        job.enter(self)
        self._waiting.append(job)

    def drop(self) -> None:
        """Forget those that have not begun. Any thread."""
        self._waiting.clear()

    def run_one(self) -> None:
        """Run the oldest in this thread, if one can run."""
        job = self._begin()
        if job:
            try:
                job.run()
            finally:
                self._finish()

    async def run_one_async(self) -> None:
        """Run the oldest on this loop, if one can run."""
        job = self._begin()
        if job:
            try:
                await job.run_async()
            finally:
                self._finish()

    def hand_to_worker(self, is_waited_for: Callable[[], bool]) -> None:
        """Have the worker thread run them until somebody waits. Any thread.

        Args:
            is_waited_for: whether somebody waits for the call, and runs them there.
        """
        if self._waiting:
            run_in_worker(lambda: self._run_unwaited(is_waited_for))

    def _run_unwaited(self, is_waited_for: Callable[[], bool]) -> None:
        while self.can_run and not is_waited_for():
            self.run_one()

    def _begin(self) -> Job | None:
        with self._lock:
            if not self.can_run:
                return None
            self._running += 1
            return self._waiting.popleft()

    def _finish(self) -> None:
        with self._lock:
            self._running -= 1
        self._bell.ring()


class _Worker:
    """The one thread for callbacks that nobody waits for; started at first use."""

    def __init__(self) -> None:
        self._forget_thread()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget_thread)

    def _forget_thread(self) -> None:
        """Begin without one; a fork does not take it along."""
        self._queue: queue.SimpleQueue[Callable[[], object]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._started = False

    def run(self, work: Callable[[], object]) -> None:
        self._queue.put(work)
        with self._lock:
            if not self._started:
                self._started = True
                threading.Thread(target=self._work, name="kkjupyter-callbacks", daemon=True).start()

    def _work(self) -> None:
        while True:
            work = self._queue.get()
            try:
                work()
            except BaseException:
                logger.exception("a callback ended its thread")
            del work  # else the last function would be held until the next is called


_worker = _Worker()


def run_in_worker(work: Callable[[], object]) -> None:
    """Have ``work()`` called in the one thread for what nobody waits for. Any thread."""
    _worker.run(work)
