"""The background event loops and the door to them.

Two daemon threads, each with a loop of its own, started at first use: :func:`io_loop` moves bytes
and keeps buffers, :func:`handler_loop` runs exposed async functions, so that blocking user code
cannot delay a cancel. ``anyio``'s blocking portal was looked at: it wakes the loop once for each
call and lives inside a ``with`` block; here many hand-overs share one wake-up and the loops live
as long as the process.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import os
import selectors
import sys
import threading
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from kkjupyter.rpc.logs import SafeLogger
from kkjupyter.rpc.turns import TURN_S, monotonic_s

__all__ = ["LoopThread", "handler_loop", "io_loop", "leave_to_parent", "on_own_loop"]

T = TypeVar("T")
logger = SafeLogger("kkjupyter")


class LoopThread:
    """An event loop in a daemon thread.

    Args:
        name: the thread's name, shown by debuggers.
    """

    def __init__(self, name: str) -> None:
        self._inbox: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._awake = False
        self._stopping = False
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), name=name, daemon=True)
        if sys.is_finalizing():  # a finalizer posts, in a fork: no thread gets to run any more
            self.loop = asyncio.new_event_loop()
            self.loop.close()
            return
        self._thread.start()
        started.wait()

    def _run(self, started: threading.Event) -> None:
        # On Windows the default policy gives a ProactorEventLoop, which pipes and sockets need.
        self.loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self.loop)
        self.loop.call_soon(started.set)
        while not self._stopping:
            try:
                self.loop.run_forever()
            except BaseException:
                logger.exception("a task tried to end %s", self._thread.name)

    def stop(self, timeout_s: float) -> None:
        """End the thread, for good; wait at most ``timeout_s`` seconds for that."""
        self._stopping = True
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout_s)

    @property
    def is_current(self) -> bool:
        """Whether the caller runs on this loop's thread."""
        return threading.get_ident() == self._thread.ident

    def post(self, fn: Callable[..., object], *args: Any) -> None:
        """Have ``fn(*args)`` called on the loop, soon and in order. Any thread, also a finalizer.

        However many calls are posted before the loop has done them all, it is woken once.
        """
        self._inbox.append((fn, args))
        if self._awake:
            return
        self._awake = True
        try:
            if self.is_current:  # it need not be torn from its sleep
                self.loop.call_soon(self._drain)
            else:
                self.loop.call_soon_threadsafe(self._drain)
        except RuntimeError:
            pass  # the loop is closed only when the interpreter goes down
        except BaseException:
            # Ctrl-C came in between: nothing may be left that says the loop was woken.
            self._awake = False
            raise

    def _drain(self) -> None:
        inbox = self._inbox
        end_s = monotonic_s() + TURN_S
        while inbox:
            fn, args = inbox.popleft()
            try:
                fn(*args)
            except BaseException:
                logger.exception("a hand-over to %s failed", self._thread.name)
            if inbox:
                if monotonic_s() >= end_s:  # tasks and sockets have their turn
                    self.loop.call_soon(self._drain)
                    return
            else:
                # First lower the flag, then look once more: what was posted in between is not lost.
                self._awake = False
                if inbox:
                    self._awake = True

    def flush(self, timeout_s: float) -> None:
        """Wait until what was posted before has been done, at most ``timeout_s`` seconds."""
        done = threading.Event()
        self.post(done.set)
        done.wait(timeout_s)

    def submit(self, coro: Coroutine[Any, Any, T]) -> concurrent.futures.Future[T]:
        """Run ``coro`` on the loop; cancelling the future cancels it there."""
        return asyncio.run_coroutine_threadsafe(coro, self.loop)


# Re-entrant: a finalizer that posts may run in the middle of a start.
_lock = threading.RLock()
_loops: dict[str, LoopThread] = {}


def _loop(name: str) -> LoopThread:
    loop = _loops.get(name)
    if loop is None:
        with _lock:
            loop = _loops.get(name)
            if loop is None:
                loop = _loops[name] = LoopThread(name)
    return loop


def io_loop() -> LoopThread:
    """The loop of transports, protocols and buffers."""
    return _loop("kkjupyter-io")


def handler_loop() -> LoopThread:
    """The loop of exposed async functions, async generators and interceptors."""
    return _loop("kkjupyter-handlers")


def on_own_loop() -> bool:
    """Whether the caller runs on one of these loops, where a blocking wait would be a deadlock."""
    return any(loop.is_current for loop in [*_loops.values()])  # another may begin meanwhile


# What a fork has inherited and must not finalize, see below.
_inherited: list[object] = []


def leave_to_parent(thing: object) -> None:
    """In a fork: ``thing`` is the other process's, and no finalizer shall ever end it here."""
    _inherited.append(thing)


def _forget_after_fork() -> None:
    # Threads do not survive a fork; the child starts its own at first use.
    global _lock
    _lock = threading.RLock()
    for thread in [*_loops.values()]:
        _let_go(thread)
    _loops.clear()


def _let_go(thread: LoopThread) -> None:
    """What is closed here shall not be closed for the parent, too.

    Both processes share what a selector asks of the kernel (epoll), so this one gets another. The
    loop itself is never collected: its thread's frame holds it, and by that all it holds.
    """
    loop = getattr(thread, "loop", None)  # none while it starts
    selector = getattr(loop, "_selector", None)  # other kinds of loops have none
    if selector is not None:
        leave_to_parent(selector)
        vars(loop).update(_selector=selectors.DefaultSelector(), _inherited=_inherited)


@atexit.register
def _stop_loops() -> None:
    # Otherwise daemon threads may still run Python code while the interpreter is torn down.
    for loop in [*_loops.values()]:
        loop.stop(timeout_s=1.0)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_after_fork)
