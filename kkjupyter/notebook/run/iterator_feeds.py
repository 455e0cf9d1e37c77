"""Feeds for the notebook's own sources: iterators and async iterables.

An iterator is driven by the thread that waits for it, or by a worker thread if none waits; an async
iterable by a task on its loop. Both can be cancelled at once from any thread, whatever the source
is doing.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Callable, Coroutine, Iterator
from types import AsyncGeneratorType
from typing import Any, Literal

from IPython import get_ipython
from IPython.core.async_helpers import get_asyncio_loop

from kkjupyter.connection.pumps import close_iterator, close_source
from kkjupyter.errors import CallCancelled
from kkjupyter.notebook.retention.sizes import SizeMeter
from kkjupyter.notebook.run.driving import DrivenFeed
from kkjupyter.notebook.run.snapshots import snapshot
from kkjupyter.notebook.run.stopping import Stoppable, Stopped, can_stop_here
from kkjupyter.runtime.hooks import run_before_wait
from kkjupyter.runtime.ticker import ticker
from kkjupyter.runtime.turns import TurnKeeper
from kkjupyter.runtime.waiting import Notifier, wait_async

__all__ = ["BUSY_NOTE", "AsyncFeed", "IteratorFeed", "LocalFeed", "running_loop"]

AHEAD_ITEMS = 1024
"""How many items a view lets a local source run ahead of what it has taken."""
AHEAD_BYTES = 16 << 20
"""How many bytes of them, and one item."""

BUSY_NOTE = "the source is busy; it ends when next() returns"
"""What the state line says of a source that was cancelled and does not stop."""
# How long a stopped source may take before a note says so.
_BUSY_AFTER_S = 0.5

# How long a source in a terminal may take to close when it is left.
_CLOSE_S = 1.0

logger = logging.getLogger("kkjupyter")


class LocalFeed(DrivenFeed):
    """The common part of both local feeds: a buffer, its end, and the waiters."""

    kind: Literal["unary", "stream"] | None = "stream"

    def __init__(self, title: str, ahead_items: int) -> None:
        super().__init__(title)
        self.ahead_items = ahead_items
        self.value: Any = None
        self._buffer: deque[Any] = deque()
        self._sizes: deque[int] = deque()
        self._meter = SizeMeter()
        # Each is counted by only one thread: the source's and the taker's.
        self._put_bytes = self._taken_bytes = 0
        self._bell = Notifier()
        self._taken = 0
        # Reentrant: a signal handler may cancel in the middle of anything.
        self._lock = threading.RLock()
        self._over = False
        self._error: BaseException | None = None
        self._wanted = False

    @property
    def finished(self) -> bool:
        """Whether the source is over and all items were taken."""
        # After a cancel the buffer does not count: an item may be added while it is cleared.
        return self._over and (not self._buffer or isinstance(self._error, CallCancelled))

    @property
    def error(self) -> BaseException | None:
        """The error that it ended with, if it failed or was cancelled."""
        return self._error if self.finished else None

    def take(self, limit: int = 65_536) -> list[Any]:
        """Up to ``limit`` items that are available now."""
        items: list[Any] = []
        try:
            while len(items) < limit:
                items.append(self._buffer.popleft())
                self._taken_bytes += self._sizes.popleft()
        except IndexError:
            pass
        self._taken += len(items)
        if items and self.ahead_items:
            self._demand()
        return items

    def on_ready(self, callback: Callable[[], object]) -> None:
        """Have ``callback()`` called once when there is something; asks the source for it."""
        self._bell.on_notify(callback)
        if self._buffer or self._over:
            self._bell.forget(callback)
            callback()
            return
        self._wanted = True
        self._demand()

    def cancel(self) -> None:
        """End at once; the source is closed as soon as it returns. Idempotent; any thread."""
        if self._end(CallCancelled(self.title, self._taken)):
            self._buffer.clear()
            self._stop()

    def ask(self) -> None:
        """Have the source begin, where nobody waits for it yet. Returns at once."""
        self._demand()

    def run_ahead_no_more(self) -> None:
        """As of any driven feed."""
        self.ahead_items = 0

    def drive(self) -> None:
        """As of any driven feed."""
        run_before_wait()
        try:
            while not self._over:
                self._advance_when_wanted()
        finally:
            self.leave()

    def _advance_when_wanted(self) -> None:
        raise NotImplementedError

    def _demand(self) -> None:
        raise NotImplementedError

    def _stop(self) -> None:
        raise NotImplementedError

    def _has_room(self) -> bool:
        if self._wanted:
            return True
        held_bytes = self._put_bytes - self._taken_bytes
        return len(self._buffer) < self.ahead_items and held_bytes < AHEAD_BYTES

    def _put(self, item: Any) -> None:
        self._wanted = False
        if self.ahead_items:
            # Before the source goes on and changes it. A loop takes each item earlier.
            item = snapshot(item)
        size_bytes = self._meter.measure(item) if self.ahead_items else 0
        with self._lock:
            if self._over:
                return
            if self.moments.first_item_at_s is None:
                self.moments.first_item_at_s = time.monotonic()
            self._put_bytes += size_bytes
            self._sizes.append(size_bytes)  # first, because the size is taken with the item
            self._buffer.append(item)
        self._bell.notify()

    def _end(self, error: BaseException | None, value: Any = None) -> bool:
        with self._lock:
            if self._over:
                return False
            self._error, self.value = error, value
            self.moments.ended_at_s = time.monotonic()
            self._over = True
        self._bell.notify()
        return True

    def _report_close(self, error: BaseException) -> None:
        # The cell was freed long ago, so no one can get the exception.
        logger.error("%s: closing the source failed: %r", self.title, error)


class _Wakeup:
    """Wakes the one thread that waits for it. Any thread may set it, and any signal handler: one
    may run in the middle of any of these, which an Event's condition does not bear.
    """

    def __init__(self) -> None:
        self._is_unset = threading.Lock()
        self._is_unset.acquire()

    def set(self) -> None:
        with contextlib.suppress(RuntimeError):  # it is set already
            self._is_unset.release()

    def clear(self) -> None:
        self._is_unset.acquire(blocking=False)

    def wait(self) -> None:
        """Until it is set; clears it."""
        self._is_unset.acquire()


class IteratorFeed(LocalFeed):
    """A plain iterator, advanced in the thread that waits for it, or by its own thread.

    The main thread can be stopped inside ``next()``, so it calls :meth:`stay` first, and then
    :meth:`drive` or :meth:`advance`. Otherwise a worker thread drives it: nothing can interrupt its
    ``next()``, but nothing has to wait for it. The iterator is closed by the thread that drives it,
    when ``next()`` returns.

    Args:
        iterator: advanced only on demand; by a worker in a copy of the current context.
        title: its name in errors.
        ahead_items: how many items it may be ahead of the taken ones; 0: only on request.

    Attributes:
        source: the iterator.
    """

    def __init__(
        self, iterator: Iterator[Any], title: str = "iterator", ahead_items: int = AHEAD_ITEMS
    ) -> None:
        super().__init__(title, ahead_items)
        self.source = iterator
        self._context = contextvars.copy_context()
        self._change = _Wakeup()
        self._thread: threading.Thread | None = None
        self._inside: Stoppable | None = None
        self._is_closed = False
        self._is_stopping = False

    @property
    def finished(self) -> bool:
        """Like any feed's; after a cancel inside ``next()`` it waits briefly for its return."""
        return super().finished and not self._is_stopping

    def stay(self) -> bool:
        """Like any feed's: in the main thread, unless a worker already drives it."""
        with self._lock:
            if self._thread is None and self._inside is None and can_stop_here():
                self._inside = Stoppable()
            return self._inside is not None

    @property
    def is_begun(self) -> bool:
        """Whether it was driven, or is about to be."""
        return self._inside is not None or self._thread is not None or self._over

    @property
    def is_here(self) -> bool:
        """Whether the waiting thread drives it."""
        return self._inside is not None

    def cancel(self) -> None:
        """Like any feed's; code in ``next()`` in the main thread is interrupted."""
        inside = self._inside
        with self._lock:
            if inside is not None and inside.is_inside and not self._over:
                self._is_stopping = True
        super().cancel()

    def _advance_when_wanted(self) -> None:
        self._change.clear()
        if self._has_room():
            self.advance()
        else:
            self._change.wait()

    def advance(self) -> None:
        """Call ``next()`` here, once; its result can then be taken."""
        assert self._inside is not None
        try:
            item = self._inside.run(self._next)
        except StopIteration as stop:
            self._end(None, stop.value)
        except KeyboardInterrupt as interrupt:
            if not isinstance(interrupt, Stopped) or interrupt.owner is not self._inside:
                self.leave()
                raise
        except BaseException as error:  # noqa: BLE001 - whatever it is, the waiting cell raises it
            self._end(error)
        else:
            self._put(item)
        if self._over:
            self.leave()

    def leave(self) -> None:
        """Like any feed's."""
        self.cancel()
        with self._lock:
            is_first, self._is_closed = not self._is_closed, True
        if is_first and isinstance(self._error, CallCancelled):
            self._close()
        self._has_stopped()

    def _next(self) -> Any:
        return next(self.source)

    def _demand(self) -> None:
        self._change.set()
        with self._lock:
            if self._thread is None and self._inside is None:
                name = f"kkjupyter-{self.title}"
                self._thread = threading.Thread(
                    target=self._context.run, args=(self._drive,), name=name, daemon=True
                )
                self._thread.start()

    def _stop(self) -> None:
        inside = self._inside
        if inside is None:
            self._demand()  # the thread closes the iterator, even if it was never advanced
            return
        inside.stop()
        self._change.set()
        if inside.is_inside:
            ticker().post(self._is_busy, _BUSY_AFTER_S)
        else:
            self._has_stopped()

    def _is_busy(self) -> None:
        if self._is_stopping:
            self.notes.append(BUSY_NOTE)
            self._has_stopped()

    def _has_stopped(self) -> None:
        if self._is_stopping:
            self._is_stopping = False
            self._bell.notify()

    def _drive(self) -> None:
        try:
            while not self._over:
                self._change.clear()
                if not self._has_room():
                    self._change.wait()
                    continue
                try:
                    item = next(self.source)
                except StopIteration as stop:
                    self._end(None, stop.value)
                    return
                self._put(item)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the waiting cell raises it
            self._end(error)
            return
        self._close()

    def _close(self) -> None:
        try:
            close_iterator(self.source)
        except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - nobody is left to raise it to
            self._report_close(error)


class AsyncFeed(LocalFeed):
    """An async iterable, driven by a task on the loop that runs where the feed is made.

    If none runs, it gets its own loop and thread. But in IPython in a terminal, the loop on which
    the shell runs cells with ``await`` is only paused: the source may be bound to it, so the
    waiting thread runs that loop.

    Args:
        source: advanced only on demand, in a copy of the current context.
        title: its name in errors.
        ahead_items: how many items it may be ahead of the taken ones; 0: only on request.
        loop: the loop it belongs to, if that is not the one that runs here.

    Attributes:
        source: the async iterable.
    """

    def __init__(
        self,
        source: AsyncIterable[Any],
        title: str = "async iterable",
        ahead_items: int = AHEAD_ITEMS,
        *,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(title, ahead_items)
        self.source = source
        self._context = contextvars.copy_context()
        self._task: asyncio.Task[Any] | None = None
        self._started = False
        self._loop = loop or running_loop()
        self.home = self._loop
        """The loop the source belongs to; None if it has one of its own."""
        self._change: asyncio.Event | None = None
        self._driving = False
        self._has_cancelled = self._saw_cancel = False
        self._is_here = False

    @property
    def is_here(self) -> bool:
        """Whether the waiting thread drives it."""
        return self._is_here

    def stay(self) -> bool:
        """Like any feed's: in a terminal's main thread, where the shell's own loop is paused."""
        with self._lock:
            if self._loop is None and not self._started:
                self._loop = _idle_loop()
                self._started = self._is_here = self._loop is not None
        return self._is_here

    def advance(self) -> None:
        """Run the loop until there is an item, or the end."""
        self._wanted = True
        if self._change is not None:
            self._change.set()
        self._run_until(wait_async(self._bell, lambda: bool(self._buffer) or self._over))

    def leave(self) -> None:
        """Like any feed's; the source gets a moment to close."""
        self.cancel()
        if self._loop is not None and not self._loop.is_running():
            self._run_until(None, timeout_s=_CLOSE_S)

    def _advance_when_wanted(self) -> None:
        self._run_until(None)

    def _run_until(
        self, waited_for: Coroutine[Any, Any, Any] | None, timeout_s: float | None = None
    ) -> None:
        """Run the loop until something arrives; by default, until the task is over."""
        loop = self._loop
        assert loop is not None
        if self._task is None:
            self._task = loop.create_task(self._drive())
        if waited_for is None:
            waited_for = asyncio.wait([self._task], timeout=timeout_s)
        waiter = loop.create_task(waited_for)
        try:
            loop.run_until_complete(waiter)
        except BaseException:  # mostly KeyboardInterrupt: the task goes on without a waiter
            waiter.cancel()
            raise

    def _demand(self) -> None:
        with self._lock:
            start, self._started = not self._started, True
        if not start:
            self._wake()
        elif self._loop is not None:
            if asyncio._get_running_loop() is self._loop:
                # At once: a task that is started when its loop ends would never take a step.
                self._start_task()
            else:
                self._loop.call_soon_threadsafe(self._start_task)
        else:
            target = self._context.run
            name = f"kkjupyter-{self.title}"
            threading.Thread(
                target=target, args=(asyncio.run, self._own_loop()), name=name, daemon=True
            ).start()

    def _stop(self) -> None:
        if not self._started and isinstance(self.source, AsyncGeneratorType):
            # There is nothing to close. If it has begun elsewhere, asyncio ends it when it is
            # collected; the loop of a task of ours might be shutting down.
            return
        if self._loop is None or not self._loop.is_closed():
            self._demand()  # wakes or starts the task, which sees the end and closes

    def _start_task(self) -> None:
        assert self._loop is not None
        self._task = self._loop.create_task(self._drive(), context=self._context)

    async def _own_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()
        await self._drive()

    def _wake(self) -> None:
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(self._woken)

    def _woken(self) -> None:
        if self._change is not None:
            self._change.set()
        # Only once, and not before its first step, which a cancelled task never takes.
        if self._over and self._driving and self._task is not None:
            self._driving = False
            self._has_cancelled = True
            self._task.cancel()

    def claim_task(self) -> bool:
        """Whether the current task may drive it, with :meth:`drive_in_task`; then nothing else
        does.

        A source that the task has begun to read may hold a cancel scope of this task, which no
        other task can leave.
        """
        with self._lock:
            can = not self._started and self._loop is not None
            self._started = self._started or can
        return can

    async def drive_in_task(self) -> None:
        """Advance it in this task until it is over. A cancel of the feed ends it without an error.

        Raises:
            CancelledError: the task itself was cancelled; the feed is then cancelled, too.
        """
        task = asyncio.current_task()
        assert task is not None
        run_before_wait()
        self._task, before = task, task.cancelling()
        try:
            await self._drive()
        except asyncio.CancelledError:  # while it closed
            self._end(CallCancelled(self.title, self._taken))
        finally:
            self._task = None
        if task.cancelling() > before:
            raise asyncio.CancelledError("the task was cancelled")

    async def _drive(self) -> None:
        self._change = asyncio.Event()
        self._driving = True
        to_close = await self._read()
        self._driving = False  # the closing must not be cancelled, too
        if self._has_cancelled and not self._saw_cancel:
            # It came with the last item, and must still be raised.
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
            self._see_cancel()
        if to_close is not None:
            await self._close(to_close)

    async def _read(self) -> AsyncIterator[Any] | None:
        """Advance the source until it is over; returns the iterator if it did not end by itself."""
        assert self._change is not None
        try:
            iterator = aiter(self.source)
        except BaseException as error:  # noqa: BLE001 - as below
            self._end(error)
            return None
        turns = TurnKeeper()
        try:
            while not self._over:
                self._change.clear()
                if not self._has_room():
                    await self._change.wait()
                    continue
                await turns.before_item()
                try:
                    item = await anext(iterator)
                except StopAsyncIteration:
                    self._end(None)
                    return None
                self._put(item)
        except asyncio.CancelledError:
            self._see_cancel()
            # Our own after a cancel; otherwise the loop is shutting down, with the stream.
            self._end(CallCancelled(self.title, self._taken))
        except BaseException as error:  # noqa: BLE001 - whatever it is, the waiting cell raises it
            if self._end(error):
                return None
            self._report_close(error)
        return iterator

    def _see_cancel(self) -> None:
        """Withdraw the task's cancel if it was this feed's own, because it has been handled.

        Otherwise a task group in the source would raise it again when it closes (Python 3.13).
        """
        if self._has_cancelled and not self._saw_cancel and self._task is not None:
            self._saw_cancel = True
            self._task.uncancel()

    async def _close(self, iterator: AsyncIterator[Any]) -> None:
        # An async generator has aclose; an LLM client's stream has `close`, on the given object and
        # not always on its iterator. But that object is itself an iterator: an iterable that is not
        # one may have other readers.
        for owner in (iterator, self.source):
            try:
                await close_source(owner)
            except (Exception, BaseExceptionGroup) as error:  # noqa: BLE001 - nobody is left to raise it to
                self._report_close(error)
            if owner is self.source:
                return


def running_loop() -> asyncio.AbstractEventLoop | None:
    """The loop that runs in this thread, or None."""
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _idle_loop() -> asyncio.AbstractEventLoop | None:
    """The loop on which IPython in a terminal runs cells with ``await``; elsewhere None."""
    shell = get_ipython()
    is_terminal = shell is not None and getattr(shell, "kernel", None) is None
    if not is_terminal or threading.current_thread() is not threading.main_thread():
        return None
    if str(getattr(shell, "loop_runner", None)) != "asyncio":
        return None
    loop = get_asyncio_loop()  # type: ignore[no-untyped-call]
    return None if loop.is_running() else loop
