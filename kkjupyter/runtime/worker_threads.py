"""Worker threads for exposed plain functions, and for callbacks whose call is not waited for.

A pool is bounded, and so is each of its lanes (one client, one call). A blocked lane delays only
itself, as long as the pool has threads left.
"""

from __future__ import annotations

import asyncio
import os
import threading
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

from kkjupyter.runtime.loop_threads import inbox_of

__all__ = ["Lane", "WorkerPool", "settle"]

# How long a thread without work stays, so that an unused pool ends its threads.
_IDLE_S = 5.0

_pools: weakref.WeakSet[WorkerPool] = weakref.WeakSet()


class Lane:
    """An owner of work: at most ``limit_threads`` threads of a pool work for one lane at a time.

    Args:
        limit_threads: None for all of the pool's.
    """

    __slots__ = ("limit_threads", "running", "waiting")

    def __init__(self, limit_threads: int | None = None) -> None:
        self.limit_threads = limit_threads
        self.running = 0
        self.waiting: deque[_Work] = deque()

    @property
    def is_full(self) -> bool:
        """Whether its next work has to wait, even if the pool has free threads."""
        return self.limit_threads is not None and self.running >= self.limit_threads


_Work = tuple[Callable[[], object], Lane]


class WorkerPool:
    """A bounded pool of daemon threads, for any loop; threads start and end as needed.

    Not :class:`concurrent.futures.ThreadPoolExecutor`: the interpreter joins its threads at exit,
    so one handler that blocks for an hour would keep a finished program alive for an hour.

    Args:
        name: the name of the threads.
        limit_threads: how many there are at most; further work waits for a free one. None for no
            limit.
    """

    def __init__(self, name: str, limit_threads: int | None) -> None:
        self._name = name
        self._limit_threads = limit_threads
        self._forget_threads()
        _pools.add(self)

    def _forget_threads(self) -> None:
        """Start without threads: a fork has none of its parent's."""
        self._changed = threading.Condition()
        self._ready: deque[_Work] = deque()
        self._threads = 0
        self._idle = 0

    @property
    def threads(self) -> int:
        """How many threads there are. Any thread."""
        return self._threads

    async def run(self, fn: Callable[[], Any], lane: Lane | None = None) -> Any:
        """Run ``fn()`` in a thread and return its value. On any loop.

        Cancelling stops the waiting. A function that has begun goes on; one that has not is
        dropped.
        """
        lane = lane or Lane()
        loop = asyncio.get_running_loop()
        inbox = inbox_of(loop)
        done: asyncio.Future[Any] = loop.create_future()

        def work() -> None:
            if done.cancelled():  # cancelled while it waited for a thread
                return
            try:
                value = fn()
            except BaseException as exc:  # noqa: BLE001  handed over
                inbox.post(settle, done, None, exc)
            else:
                inbox.post(settle, done, value, None)

        self.submit(work, lane)
        try:
            return await done
        except BaseException:
            if done.cancelled():
                self._withdraw(work, lane)
            else:
                # The error has this frame in its traceback: with its future in it that would be a
                # circle, which holds what the function was given until the garbage collector comes.
                del done
            raise

    def submit(self, work: Callable[[], object], lane: Lane | None = None) -> None:
        """Call ``work()`` in a thread. Any thread.

        Args:
            work: a function that raises nothing.
            lane: the lane that it counts for, if any.
        """
        lane = lane or Lane()
        with self._changed:
            if lane.is_full:
                lane.waiting.append((work, lane))
                return
            lane.running += 1
            self._ready.append((work, lane))
            if self._idle >= len(self._ready):
                self._changed.notify()
            elif self._limit_threads is None or self._threads < self._limit_threads:
                threading.Thread(target=self._work, name=self._name, daemon=True).start()
                self._threads += 1

    def _withdraw(self, work: Callable[[], object], lane: Lane) -> None:
        """Drop work that has not begun: it may never get a thread."""
        with self._changed:
            if (work, lane) in lane.waiting:
                lane.waiting.remove((work, lane))
            elif (work, lane) in self._ready:
                self._ready.remove((work, lane))
                self._leave(lane)

    def _work(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
                has_work = self._changed.wait_for(lambda: self._ready, _IDLE_S)
                self._idle -= 1
                if not has_work:
                    self._threads -= 1
                    return
                work, lane = self._ready.popleft()
            try:
                work()
            finally:
                del work  # else it would be kept alive until the next one arrives
                self._finish(lane)

    def _finish(self, lane: Lane) -> None:
        with self._changed:
            self._leave(lane)

    def _leave(self, lane: Lane) -> None:
        """Called under the lock: a work of the lane has ended, so its next may begin."""
        lane.running -= 1
        if lane.waiting and not lane.is_full:
            lane.running += 1
            self._ready.append(lane.waiting.popleft())  # a free thread looks next


def _forget_threads() -> None:
    for pool in list(_pools):
        pool._forget_threads()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)


def settle(done: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    """Resolve ``done``, unless it was cancelled. On its loop only."""
    if done.done():
        return
    if error is None:
        done.set_result(value)
    # A future cannot carry the first, and the second would close the waiting coroutine.
    elif isinstance(error, StopIteration | GeneratorExit):
        failure = RuntimeError(f"{type(error).__name__} was raised")
        failure.__cause__ = error
        done.set_exception(failure)
    else:
        done.set_exception(error)
