"""The background event loops, and how to post work to any loop from any thread.

Two daemon threads, each with its own loop, start at first use: :func:`io_loop` moves bytes and
keeps buffers, :func:`handler_loop` runs exposed async functions, so that blocking user code cannot
delay a cancel. ``anyio``'s blocking portal does not fit: it wakes the loop once for each call and
lives inside a ``with`` block; here many posts share one wake-up, and the loops live as long as the
process.

Waking a sleeping loop takes a byte through a pair of sockets, read in two system calls, and a
switch of threads. So each loop, ours or another, has one :class:`Inbox`: work that is posted while
the loop is waking up is only added to its queue.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import os
import selectors
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from kkjupyter.runtime.logs import SafeLogger
from kkjupyter.runtime.turns import TURN_S, monotonic_s

__all__ = [
    "Inbox",
    "LoopThread",
    "handler_loop",
    "inbox_of",
    "io_loop",
    "leave_to_parent",
    "on_own_loop",
]

T = TypeVar("T")
logger = SafeLogger("kkjupyter")

_inboxes: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Inbox] = weakref.WeakKeyDictionary()


class Inbox:
    """The queue of work for one event loop; a loop has exactly one.

    Args:
        loop: the loop that does the work. If it is closed, nothing is done.
        name: the loop's name in the log.
    """

    # These are logged; anything else is raised to the code that runs the loop.
    _logged: type[BaseException] = Exception

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str) -> None:
        self._loop_ref = weakref.ref(loop)  # inboxes are looked up by their loop, see below
        self._name = name
        self._waiting: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._is_woken = False
        _inboxes[loop] = self

    def post(self, fn: Callable[..., object], *args: Any) -> None:
        """Call ``fn(*args)`` on the loop, soon and in order. Safe in any thread and in finalizers.

        The loop is woken once, however many calls are posted before it has done them all.
        """
        self._waiting.append((fn, args))
        if self._is_woken:
            return
        self._is_woken = True
        try:
            self._wake()
        except RuntimeError:
            pass  # the loop is closed: no work is left for it
        except BaseException:
            # Ctrl-C came in between: the flag that says the loop was woken must not stay.
            self._is_woken = False
            raise

    @property
    def is_busy(self) -> bool:
        """Whether posted work is not done yet. Any thread."""
        return self._is_woken

    def _wake(self) -> None:
        loop = self._loop_ref()
        if loop is not None:
            loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        waiting = self._waiting
        end_s = monotonic_s() + TURN_S
        try:
            while waiting:
                fn, args = waiting.popleft()
                try:
                    fn(*args)
                except self._logged:
                    logger.exception("a callback for %s failed", self._name)
                if monotonic_s() >= end_s:  # tasks and sockets get their turn
                    break
        finally:
            # First clear the flag, then look once more: work posted in between is not lost.
            self._is_woken = False
            if waiting:
                self._is_woken = True
                asyncio.get_running_loop().call_soon(self._drain)


def inbox_of(loop: asyncio.AbstractEventLoop) -> Inbox:
    """The inbox that all who post to ``loop`` share; the loop runs in this thread."""
    inbox = _inboxes.get(loop)
    if inbox is None:
        # Work posted too late for a closed loop would keep that loop alive for ever.
        for reference in _inboxes.keyrefs():
            other = reference()
            if other is not None and other.is_closed():
                _inboxes.pop(other, None)
        inbox = Inbox(loop, "an event loop")
    return inbox


class LoopThread(Inbox):
    """An event loop in a daemon thread.

    Args:
        name: the thread's name, shown by debuggers.
    """

    _logged = BaseException  # no one runs the loop who could handle it

    def __init__(self, name: str) -> None:
        # On Windows the default policy gives a ProactorEventLoop, which pipes and sockets need.
        self.loop = asyncio.new_event_loop()
        super().__init__(self.loop, name)
        self._stopping = False
        started = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(started,), name=name, daemon=True)
        if sys.is_finalizing():  # a finalizer posts in a fork, where no thread runs
            self.loop.close()
            return
        self._thread.start()
        started.wait()

    def _run(self, started: threading.Event) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.call_soon(started.set)
        while not self._stopping:
            try:
                self.loop.run_forever()
            except BaseException:
                logger.exception("a task tried to end %s", self._thread.name)

    def stop(self, timeout_s: float) -> None:
        """End the thread for good; wait at most ``timeout_s`` seconds for its end."""
        self._stopping = True
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(timeout_s)

    @property
    def is_current(self) -> bool:
        """Whether the caller runs on this loop's thread."""
        return threading.get_ident() == self._thread.ident

    def _wake(self) -> None:
        if self.is_current:  # it need not be woken
            self.loop.call_soon(self._drain)
        else:
            self.loop.call_soon_threadsafe(self._drain)

    def flush(self, timeout_s: float) -> None:
        """Wait until all work posted before is done, at most ``timeout_s`` seconds."""
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
    return any(loop.is_current for loop in [*_loops.values()])  # another may start in the meantime


# What a fork inherits and must not finalize, see below.
_inherited: list[object] = []


def leave_to_parent(thing: object) -> None:
    """Keep ``thing`` alive in a fork: it belongs to the parent and must not be finalized here."""
    _inherited.append(thing)


def _forget_after_fork() -> None:
    # Threads do not survive a fork; the child starts its own at first use.
    global _lock
    _lock = threading.RLock()
    for thread in [*_loops.values()]:
        _let_go(thread)
    _loops.clear()


def _let_go(thread: LoopThread) -> None:
    """Let go of the parent's loop, so that closing something here does not close it there.

    Both processes share the selector's state in the kernel (epoll), so this one gets a new
    selector. The loop itself is never collected: its thread's frame holds it and all that it holds.
    """
    loop = getattr(thread, "loop", None)  # there is none while it starts
    selector = getattr(loop, "_selector", None)  # other kinds of loops have no selector
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
