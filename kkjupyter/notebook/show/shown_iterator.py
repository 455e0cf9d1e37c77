"""The iterators of ``kk.show(...)``: the loop takes the items, and the view follows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Self

from kkjupyter.errors import CallCancelled, UsageError
from kkjupyter.notebook.run.driving import DrivenFeed
from kkjupyter.notebook.run.feeds import lives_on_this_loop
from kkjupyter.notebook.run.requests import RequestFeed
from kkjupyter.notebook.run.run import Run
from kkjupyter.notebook.shell.tracebacks import hide_our_frames
from kkjupyter.runtime.hooks import run_before_wait
from kkjupyter.runtime.turns import CancelWatch, TurnKeeper
from kkjupyter.runtime.waiting import wait_async, wait_blocking

__all__ = ["GRACE_S", "AsyncShownIterator", "ShownIterator", "cancel_and_settle"]

GRACE_S = 1.0
"""So long an interrupted cell waits for the end of what it cancelled, in seconds."""


class _Loop:
    """The common part of both iterators. Nothing else holds one: leaving the loop disposes of it.

    Args:
        run: the run whose items it takes.
        begin: called at the first item; until then the loop claims nothing. Some callers, such as
            ``tqdm.auto``, ask for an iterator more than once and use one of them.
    """

    def __init__(self, run: Run, begin: Callable[[], object]) -> None:
        self._run = run
        self._feed = run.feed
        self._is_through = False
        self._begin: Callable[[], object] | None = begin

    def _begun(self) -> None:
        if self._begin is not None:
            self._begin()
            self._begin = None
            # The run drops it at its end, which may come before this thread has closed it.
            self._feed = self._run.feed
            run_before_wait()

    def _next_now(self) -> tuple[Any, ...]:
        """The next item in a tuple, or an empty one if there is none now."""
        items = self._feed.take(1)
        if items:
            self._run.handed_out(items[0])
        return tuple(items)

    def _sees_end(self) -> bool:
        if self._run.is_ending or self._feed.finished:
            self._run.loop_ended()
            return True
        return False

    def _raise_failure(self) -> None:
        self._is_through = True
        error = self._run.failure
        if error is not None and not isinstance(error, CallCancelled):
            hide_our_frames(error)
            raise error

    def _listen(self) -> Any:
        """A condition that holds when there may be something new; the run's notifier tells."""
        news: list[bool] = []

        def tell() -> None:
            news.append(True)
            self._run.notifier.notify()

        self._feed.on_ready(tell)
        return lambda: bool(news) or self._run.is_ending

    def _advance_here(self) -> bool:
        """Advance the source in the loop's own thread; False if something else does."""
        feed = self._feed
        if isinstance(feed, DrivenFeed) and feed.stay():
            feed.advance()
            return True
        return False

    def _leave_here(self) -> None:
        feed = self._feed
        if isinstance(feed, DrivenFeed) and feed.is_here:
            feed.leave()

    def __del__(self) -> None:
        if not self._is_through and self._begin is None:
            self._leave_here()  # as the end of a plain `for` closes its generator
            # A finalizer may run in the middle of anything, so it only posts.
            self._run.is_left = True
            self._run.let_go()


class ShownIterator(_Loop):
    def __init__(self, run: Run, begin: Callable[[], object]) -> None:
        super().__init__(run, begin)
        self._watch = CancelWatch()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        if self._begin is not None:
            self._begun()
        run = self._run
        try:
            self._watch.raise_if_cancelled()  # plain code gives its loop no chance to deliver it
            while True:
                if not run.has_room():
                    wait_blocking(run.notifier, run.has_room)
                if found := self._next_now():
                    return found[0]
                if self._is_through or self._sees_end():
                    break
                if not self._advance_here():
                    wait_blocking(run.notifier, self._listen())
                    self._refuse_own_loop()
            self._leave_here()
            run.wait(GRACE_S)
        except (KeyboardInterrupt, asyncio.CancelledError) as interrupt:
            self._leave_here()
            cancel_and_settle(run)
            hide_our_frames(interrupt)
            raise
        self._raise_failure()
        raise StopIteration

    def _listen(self) -> Any:
        has_news, feed = super()._listen(), self._feed
        if not isinstance(feed, RequestFeed):
            return has_news
        return lambda: has_news() or lives_on_this_loop(feed)

    def _refuse_own_loop(self) -> None:
        """What a function gave may need the very loop that this one blocks."""
        if isinstance(self._feed, RequestFeed) and lives_on_this_loop(self._feed):
            self._is_through = True
            cancel_and_settle(self._run)
            raise UsageError(
                f"{self._run.title} runs on this event loop, which a plain `for` would block; "
                "use `async for`"
            )


class AsyncShownIterator(_Loop):
    """Yields to its event loop at least every 2 ms, however many items are there."""

    def __init__(self, run: Run, begin: Callable[[], object]) -> None:
        super().__init__(run, begin)
        self._turns = TurnKeeper()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        if self._begin is not None:
            self._begun()
        run = self._run
        try:
            await self._turns.before_item()
            while True:
                if not run.has_room():
                    await wait_async(run.notifier, run.has_room)
                if found := self._next_now():
                    return found[0]
                if self._is_through or self._sees_end():
                    break
                await wait_async(run.notifier, self._listen())
            await wait_async(run.notifier, lambda: run.is_over, GRACE_S)
        except BaseException as error:  # CancelledError above all: the cell was interrupted
            run.cancel()
            await wait_async(run.notifier, lambda: run.is_over, GRACE_S)
            hide_our_frames(error)
            raise
        self._raise_failure()
        raise StopAsyncIteration


def cancel_and_settle(run: Run) -> None:
    """Handle an interrupt: cancel, and give the last output time to be sent."""
    run.cancel()
    run.wait(GRACE_S)
