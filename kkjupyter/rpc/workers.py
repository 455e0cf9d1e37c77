"""Worker threads for exposed sync functions."""

from __future__ import annotations

import asyncio
import contextlib
import os
import queue
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["WorkerPool", "settle"]


class WorkerPool:
    """A bounded pool of daemon threads, for any loop.

    Not :class:`concurrent.futures.ThreadPoolExecutor`: the interpreter joins its threads at exit,
    so one handler that blocks for an hour would keep a finished program alive for an hour.

    Args:
        name: what the threads' names begin with.
        limit_threads: how many there are at most; further functions wait for a free one.
    """

    def __init__(self, name: str, limit_threads: int) -> None:
        self._name = name
        self._limit_threads = limit_threads
        self._forget_threads()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._forget_threads)

    def _forget_threads(self) -> None:
        """Begin without any; a fork takes none along."""
        self._queue: queue.SimpleQueue[tuple[Callable[[], Any], asyncio.Future[Any]]] = (
            queue.SimpleQueue()
        )
        self._lock = threading.Lock()
        self._threads = 0
        self._idle = 0

    async def run(self, fn: Callable[[], Any]) -> Any:
        """Run ``fn()`` in a thread and return its value. On any loop.

        Cancelling stops the waiting; the function, once begun, goes on.
        """
        done: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._queue.put((fn, done))
        with self._lock:
            if self._idle:
                self._idle -= 1
            elif self._threads < self._limit_threads:
                self._threads += 1
                threading.Thread(
                    target=self._work, name=f"{self._name}-{self._threads}", daemon=True
                ).start()
        return await done

    def _work(self) -> None:
        while True:
            self._run_one(*self._queue.get())
            with self._lock:
                self._idle += 1

    def _run_one(self, fn: Callable[[], Any], done: asyncio.Future[Any]) -> None:
        if done.cancelled():  # while it waited for a thread
            return
        try:
            value = fn()
        except BaseException as exc:  # noqa: BLE001  handed over
            _hand_over(done, None, exc)
        else:
            _hand_over(done, value, None)


def _hand_over(done: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    # A loop that was closed in the meantime has nobody left to wait.
    with contextlib.suppress(RuntimeError):
        done.get_loop().call_soon_threadsafe(settle, done, value, error)


def settle(done: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    """Resolve ``done``, unless it was cancelled. On its loop only."""
    if done.done():
        return
    if error is None:
        done.set_result(value)
    elif isinstance(error, StopIteration):  # a future cannot carry it
        done.set_exception(RuntimeError("StopIteration was raised"))
    else:
        done.set_exception(error)
