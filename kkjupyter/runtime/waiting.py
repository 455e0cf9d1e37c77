"""Interruptible waiting for other threads, in plain code and in ``await``.

A plain wait in the main thread wakes up at least every 0.1 s, so that a KeyboardInterrupt is seen
on every platform. No other wait polls. A result is never delayed: it wakes the waiter at once.

:func:`run_blocking` and :func:`run_async` run a coroutine on the I/O loop and wait for it.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import contextvars
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar

from kkjupyter.errors import UsageError
from kkjupyter.runtime.hooks import run_before_wait
from kkjupyter.runtime.logs import SafeLogger
from kkjupyter.runtime.loop_threads import inbox_of, io_loop, on_own_loop
from kkjupyter.runtime.turns import CancelWatch, give_turn, turn_is_due

__all__ = ["Notifier", "run_async", "run_blocking", "wait_async", "wait_blocking"]

T = TypeVar("T")
_POLL_S = 0.05
logger = SafeLogger("kkjupyter")


class Notifier:
    """Wakes threads and coroutines that wait for a change.

    Whoever makes the change makes it first and notifies then; whoever waits registers first and
    looks then. So no change goes unseen, without a lock.
    """

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: deque[Callable[[], object]] = deque()

    def notify(self) -> None:
        """Wake everybody who waits now, once. Any thread."""
        waiting = self._waiting
        while waiting:
            try:
                wake = waiting.popleft()
            except IndexError:  # another thread notified, too
                return
            try:
                wake()
            except Exception:
                # The one who notifies is not to blame, and others wait to be woken.
                logger.exception("waking a waiter failed")

    def on_notify(self, wake: Callable[[], object]) -> None:
        """Have ``wake()`` called at the next notice; it must be quick and may run in any thread."""
        self._waiting.append(wake)

    def forget(self, wake: Callable[[], object]) -> None:
        """Undo :meth:`on_notify`, if that has not happened."""
        # IndexError: another thread notified in the middle, so it is gone.
        with contextlib.suppress(ValueError, IndexError):
            self._waiting.remove(wake)


def wait_blocking(
    notifier: Notifier, ready: Callable[[], bool], timeout_s: float | None = None
) -> bool:
    """Wait in plain code until ``ready()``; return whether it is.

    Args:
        notifier: notified after every change that may make ``ready()`` true.
        ready: looked at each time.
        timeout_s: give up after that many seconds; None waits for ever.

    Raises:
        UsageError: it is called on one of the package's own loops, where it would wait for itself.
        KeyboardInterrupt: the wait was interrupted.
        CancelledError: a signal handler cancelled the task that this runs in.
    """
    if ready():
        return True
    if on_own_loop():
        raise UsageError(
            "a blocking wait inside a handler would wait for itself; use `await` there"
        )
    run_before_wait()
    return _sleep_until(notifier, ready, timeout_s)


def _sleep_until(notifier: Notifier, ready: Callable[[], bool], timeout_s: float | None) -> bool:
    deadline_s = None if timeout_s is None else time.monotonic() + timeout_s
    # Signal handlers run in the main thread; other threads are not interrupted.
    is_main = threading.current_thread() is threading.main_thread()
    poll_s = _POLL_S if is_main else threading.TIMEOUT_MAX
    watch = CancelWatch()
    # A bare lock, held until somebody notifies: an Event costs a starved reader 5 µs for each item.
    asleep = threading.Lock()
    asleep.acquire()
    notifier.on_notify(asleep.release)
    try:
        while not ready():
            watch.raise_if_cancelled()
            slice_s = poll_s
            if deadline_s is not None:
                slice_s = min(slice_s, deadline_s - time.monotonic())
                if slice_s <= 0:
                    return ready()
            if asleep.acquire(timeout=slice_s):
                notifier.on_notify(asleep.release)
        return True
    finally:
        notifier.forget(asleep.release)


async def wait_async(
    notifier: Notifier, ready: Callable[[], bool], timeout_s: float | None = None
) -> bool:
    """Wait in a coroutine until ``ready()``; return whether it is. Cancelling is safe.

    Even if there is nothing to wait for, other tasks get a turn now and then.

    Args:
        notifier: notified after every change that may make ``ready()`` true.
        ready: looked at each time.
        timeout_s: give up after that many seconds; None waits for ever.
    """
    if ready():
        if not turn_is_due():
            return True
        await give_turn()
        if ready():
            return True
    run_before_wait()
    loop = asyncio.get_running_loop()
    deadline_s = None if timeout_s is None else loop.time() + timeout_s
    while True:
        alarm = _Alarm(loop)
        notifier.on_notify(alarm.set_off)
        timer = None if deadline_s is None else loop.call_at(deadline_s, alarm.go_off)
        try:
            if ready():
                return True
            await alarm
        finally:
            if timer is not None:
                timer.cancel()
            if not alarm.was_set_off:
                notifier.forget(alarm.set_off)
        if ready():  # as nearly always; else one registers first and looks then
            return True
        if deadline_s is not None and loop.time() >= deadline_s:
            return False


class _Alarm:
    """What a coroutine sleeps on; it belongs to one task and goes off once.

    To asyncio it is a future, as far as a task needs one. A future of asyncio's own that is set
    from another thread takes two turns of the loop before the task goes on; this one takes one.

    Args:
        loop: the task's event loop.

    Attributes:
        was_set_off: whether :meth:`set_off` was called.
    """

    __slots__ = (
        "_asyncio_future_blocking",
        "_cancelled",
        "_inbox",
        "_loop",
        "_sleeper",
        "was_set_off",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.was_set_off = False
        self._loop = loop
        self._inbox = inbox_of(loop)
        self._asyncio_future_blocking = False
        self._cancelled: asyncio.CancelledError | None = None
        self._sleeper: tuple[Callable[[_Alarm], object], contextvars.Context | None] | None = None

    def set_off(self) -> None:
        """Have it go off. Any thread."""
        self.was_set_off = True
        self._inbox.post(self.go_off)

    def go_off(self) -> None:
        """Let the task go on. On its loop only."""
        sleeper, self._sleeper = self._sleeper, None
        if sleeper is not None:
            wake, context = sleeper
            if context is None:
                wake(self)
            else:
                context.run(wake, self)

    # ---- what the task calls

    def __await__(self) -> Generator[_Alarm, None, None]:
        self._asyncio_future_blocking = True
        yield self

    def get_loop(self) -> asyncio.AbstractEventLoop:
        return self._loop

    def add_done_callback(
        self, wake: Callable[[_Alarm], object], *, context: contextvars.Context | None = None
    ) -> None:
        self._sleeper = wake, context

    def cancel(self, msg: object = None) -> bool:
        if self._sleeper is None:
            return False
        self._cancelled = asyncio.CancelledError() if msg is None else asyncio.CancelledError(msg)
        self._loop.call_soon(self.go_off)
        return True

    def result(self) -> None:
        error, self._cancelled = self._cancelled, None
        if error is not None:
            try:
                raise error
            finally:
                # Its traceback holds this frame and the sleeper's: objects in a reference cycle,
                # such as a loop over a call, would live until the garbage collector runs.
                del error


def run_blocking(coro: Coroutine[Any, Any, T]) -> T:
    """Run ``coro`` on the I/O loop and wait in plain code; Ctrl-C cancels it.

    Raises:
        UsageError: called on one of the package's own loops.
    """
    if on_own_loop():
        coro.close()
        raise UsageError(
            "this call blocks, and a handler must not block; use the form to `await` there"
        )
    future, notifier = _start(coro)
    try:
        wait_blocking(notifier, future.done)
    except BaseException:
        future.cancel()
        raise
    return future.result()


async def run_async(coro: Coroutine[Any, Any, T]) -> T:
    """Run ``coro`` on the I/O loop and await it from any loop; cancelling cancels it there."""
    if io_loop().is_current:
        return await coro
    future, notifier = _start(coro)
    try:
        await wait_async(notifier, future.done)
    except BaseException:
        future.cancel()
        raise
    return future.result()


def _start(coro: Coroutine[Any, Any, T]) -> tuple[concurrent.futures.Future[T], Notifier]:
    future = io_loop().submit(coro)
    notifier = Notifier()
    future.add_done_callback(lambda _: notifier.notify())
    return future, notifier
