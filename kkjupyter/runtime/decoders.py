"""Decoding big messages in threads, so that nobody else stands still meanwhile.

There are few of these threads, as they share one interpreter. Which message is next depends on when
it came and on how big it is: each MB may wait a quarter of a second for what is smaller. So nothing
little waits behind a row of what is big, and nothing big waits for ever.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import heapq
import itertools
import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from kkjupyter.runtime.loop_threads import inbox_of
from kkjupyter.runtime.worker_threads import WorkerPool, settle

__all__ = ["WORTH_A_THREAD_BYTES", "decode", "submit"]

WORTH_A_THREAD_BYTES: Final = 16 * 1024
"""A message that came as a whole, with a request of its own, is decoded in a thread from here on.

Handing it there takes some 0.1 ms, a tenth of what the request itself does; and of shorter ones a
thousand can come at once without anybody noticing.
"""

_BYTES_PER_S: Final = 4 * 1024 * 1024

_T = TypeVar("_T")
_Work = Callable[[], object]


class _Waiting:
    """One message that waits for its turn."""

    __slots__ = ("due_s", "number", "work")

    def __init__(self, work: _Work, size_bytes: int) -> None:
        self.due_s = time.monotonic() + size_bytes / _BYTES_PER_S
        self.number = next(_numbers)
        self.work: _Work | None = work

    def __lt__(self, other: _Waiting) -> bool:
        return (self.due_s, self.number) < (other.due_s, other.number)


_numbers = itertools.count()
# As few as keep one from waiting for another one's.
_pool = WorkerPool("kkjupyter-decoder", 2)
_row: list[_Waiting] = []
_lock = threading.Lock()


def submit(work: _Work, size_bytes: int) -> _Waiting:
    """Have ``work()`` called in a thread; returns at once. Any thread.

    Args:
        work: decodes a message; raises nothing.
        size_bytes: how long that is.
    """
    waiting = _Waiting(work, size_bytes)
    with _lock:
        heapq.heappush(_row, waiting)
    _pool.submit(_decode_next)
    return waiting


def _decode_next() -> None:
    with _lock:
        work = heapq.heappop(_row).work
    if work is not None:
        with _without_collector():
            work()


async def decode(fn: Callable[[], _T], size_bytes: int) -> _T:
    """The value of ``fn()``, which decodes a message; in a thread if that is big. On any loop.

    Cancelling is safe: what has not begun is forgotten, what has begun is for nobody.

    Args:
        fn: decodes it; what it raises is raised here.
        size_bytes: how long the message is.
    """
    if size_bytes < WORTH_A_THREAD_BYTES:
        return fn()
    loop = asyncio.get_running_loop()
    inbox = inbox_of(loop)
    done: asyncio.Future[_T] = loop.create_future()

    def work() -> None:
        try:
            value = fn()
        except BaseException as exc:  # noqa: BLE001  handed over
            inbox.post(settle, done, None, exc)
        else:
            inbox.post(settle, done, value, None)

    waiting = submit(work, size_bytes)
    try:
        return await done
    except BaseException:
        if done.cancelled():
            waiting.work = None  # it holds the message, and its turn may be long in coming
        else:
            del done  # as the error has this frame in its traceback, that would be a circle
        raise


_collector_lock = threading.Lock()
_collector_pauses = 0
_was_enabled = False


@contextlib.contextmanager
def _without_collector() -> Iterator[None]:
    """Keep the garbage collector from running: a decoder makes no garbage, but many objects.

    Each some hundred thousand of them it would look at all that there are, with everything else
    standing still: decoding 4 MB of empty lists takes 1 s with it, and 0.15 s without.
    """
    global _collector_pauses, _was_enabled
    with _collector_lock:
        _collector_pauses += 1
        if _collector_pauses == 1:
            _was_enabled = gc.isenabled()
            gc.disable()
    try:
        yield
    finally:
        with _collector_lock:
            _collector_pauses -= 1
            if _collector_pauses == 0 and _was_enabled:
                gc.enable()


def _forget() -> None:
    # What waits is decoded by the process that this one was forked from.
    global _lock, _collector_lock
    _lock = threading.Lock()
    _collector_lock = threading.Lock()
    _row.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget)
