"""A source that is still to be asked for: a function that makes the request, and what it gives.

The function is called when somebody wants the first item, where an iterator or an async iterable
would be driven, and the clock of the stream starts with it. What it gives goes on in the same
thread or task if that can be (a cursor belongs to its thread, a cancel scope to its task);
otherwise another feed takes over.
"""

from __future__ import annotations

import contextlib
import inspect
import itertools
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal

from kkjupyter.calls.call import Call, is_stream
from kkjupyter.connection.pumps import close_iterator, close_source
from kkjupyter.errors import UsageError
from kkjupyter.notebook.run.driving import DrivenFeed, Feed, Moments
from kkjupyter.notebook.run.iterator_feeds import AsyncFeed, IteratorFeed, LocalFeed, running_loop

if TYPE_CHECKING:
    import asyncio

__all__ = ["RequestFeed", "ValueFeed"]


class ValueFeed:
    """One plain value, which is there."""

    kind: Literal["unary"] = "unary"
    finished = True
    error: BaseException | None = None
    away_since_s: float | None = None

    def __init__(self, value: Any) -> None:
        self.value = value

    def take(self, limit: int = 0) -> list[Any]:
        """There are no items."""
        return []

    def on_ready(self, callback: Callable[[], object]) -> None:
        """There is nothing to wait for."""
        callback()

    def cancel(self) -> None:
        """There is nothing to cancel."""


class RequestFeed(DrivenFeed):
    """What a function gives, which is called when the first item is wanted.

    It is the feed of whatever comes: an iterator, an async iterable, a call, an awaitable of one of
    these, or a value.

    Args:
        request: called once, without arguments.
        title: what to call it.
        open_result: makes a feed of what the function gave, given its loop, too; raises UsageError.
        is_async: call it on the loop that it belongs to, or one of its own; otherwise as ``next()``
            of an iterator is called.
        loop: the loop it belongs to, if that is not the one that runs here.

    Attributes:
        on_handed_over: called when another feed has taken over; any thread.
        loop: the loop it belongs to, or None.
    """

    def __init__(
        self,
        request: Callable[[], Any],
        title: str,
        open_result: Callable[[Any, RequestFeed], Feed],
        *,
        is_async: bool,
        loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(title)
        self.on_handed_over: Callable[[], object] = lambda: None
        self.loop = loop or running_loop()
        self.prefers_async = False
        """Whether what can be read in both ways is read with ``async for``."""
        self._open_result = open_result
        self._is_opened = self._is_cancelled = self._only_on_request = False
        # Reentrant: a handler of a signal may cancel in the middle of anything.
        self._lock = threading.RLock()
        opener: LocalFeed
        if is_async:
            opener = _AsyncRequestFeed(_AsyncOpening(self, request), title, self.loop)
        else:
            opener = IteratorFeed(_Opening(self, request), title)
        opener.moments = self.moments
        self._current: Feed = opener

    # ---- as of any feed

    @property
    def kind(self) -> Literal["unary", "stream"] | None:
        """What came of it; None until it is known."""
        return self._current.kind if self._is_opened else None

    @property
    def away_since_s(self) -> float | None:
        """As what came of it says."""
        return self._current.away_since_s

    @property
    def finished(self) -> bool:
        """Whether the source is over and everything was taken."""
        return self._current.finished

    @property
    def error(self) -> BaseException | None:
        """What it ended with, if it failed or was cancelled."""
        return self._current.error

    @property
    def value(self) -> Any:
        """The value, if it gave no stream; or what a generator returned."""
        return self._current.value

    def take(self, limit: int = 65_536) -> list[Any]:
        """Up to ``limit`` items that are there now."""
        return self._current.take(limit)

    def on_ready(self, callback: Callable[[], object]) -> None:
        """Have ``callback()`` called once when there may be something; asks for it."""
        # A feed that hands over ends, which it tells: whoever listened to it comes again.
        self._current.on_ready(callback)

    def cancel(self) -> None:
        """End at once; what the function gives from now on is closed. Idempotent; any thread."""
        with self._lock:
            self._is_cancelled = True
            current = self._current
        current.cancel()

    # ---- as of any driven feed

    def add_notes_to(self, notes: list[str]) -> None:
        """As of any driven feed."""
        self.notes = notes
        if isinstance(self._current, DrivenFeed):
            self._current.add_notes_to(notes)

    def run_ahead_no_more(self) -> None:
        """As of any driven feed."""
        self._only_on_request = True
        if isinstance(self._current, DrivenFeed):
            self._current.run_ahead_no_more()

    @property
    def is_here(self) -> bool:
        """Whether whoever waits drives it."""
        return isinstance(self._current, DrivenFeed) and self._current.is_here

    def stay(self) -> bool:
        """As of any driven feed; it is to be asked again when another feed has taken over."""
        return isinstance(self._current, DrivenFeed) and self._current.stay()

    def drive(self) -> None:
        """As of any driven feed; or until something else drives what the function gave."""
        while True:
            feed = self._current
            assert isinstance(feed, DrivenFeed)
            feed.drive()
            if self._current is feed or not self.stay():
                return

    def advance(self) -> None:
        """As of any driven feed; or until another feed has taken over."""
        assert isinstance(self._current, DrivenFeed)
        self._current.advance()

    def leave(self) -> None:
        """As of any driven feed."""
        self.cancel()
        if isinstance(self._current, DrivenFeed) and self._current.is_here:
            self._current.leave()

    # ---- as of an async feed

    @property
    def home(self) -> asyncio.AbstractEventLoop | None:
        """The loop that it needs, as far as that is known; None if it needs none of others."""
        return self._current.home if isinstance(self._current, AsyncFeed) else None

    def claim_task(self) -> bool:
        """As of an async feed; False where a thread makes the request."""
        return isinstance(self._current, AsyncFeed) and self._current.claim_task()

    async def drive_in_task(self) -> None:
        """As of an async feed; or until something else drives what the function gave."""
        assert isinstance(self._current, AsyncFeed)
        await self._current.drive_in_task()

    # ---- making the request

    def ask(self) -> None:
        """Make the request now, in a thread of its own or as a task. Returns at once."""
        if isinstance(self._current, LocalFeed):
            self._current.ask()

    def note_request(self) -> None:
        """The function is about to be called: the clock starts."""
        self.moments.asked_at_s = time.monotonic()

    @property
    def is_wanted(self) -> bool:
        """Whether what the function gives is still of use."""
        return not self._is_cancelled

    def opened(self, result: Any) -> IteratorFeed | AsyncFeed | None:
        """Take what the function gave.

        Returns:
            A feed, not begun, whose source may be read in the thread or task that called it; None
            if another feed has taken over.

        Raises:
            UsageError: there is nothing to show in it.
        """
        feed = self._open_result(result, self)
        opener = self._current
        for kind in (IteratorFeed, AsyncFeed):
            if isinstance(feed, kind) and isinstance(opener, kind):
                self._is_opened = True
                return feed
        self._hand_over(feed, opener)
        return None

    def awaiting(self, awaitable: Awaitable[Any]) -> AsyncFeed:
        """A feed of what ``awaitable`` gives: that of an async client's request."""
        return _AsyncRequestFeed(_AsyncOpening(self, awaitable), self.title, self.loop)

    def discard(self, result: Any) -> None:
        """Close what the function gave and nobody takes; in the thread in which it gave that."""
        if isinstance(result, Call):
            result.cancel()
            return
        try:
            feed = self._open_result(result, self)
        except UsageError:
            return  # it is nothing that could be closed
        if isinstance(feed, IteratorFeed):
            close_iterator(feed.source)
        else:
            feed.cancel()

    def _hand_over(self, feed: Feed, opener: Feed) -> None:
        if isinstance(feed, LocalFeed):
            feed.moments = self.moments
            feed.add_notes_to(self.notes)
            if self._only_on_request:
                feed.run_ahead_no_more()
        with self._lock:
            # With the lock: a cancel stops the one or the other.
            is_wanted = not self._is_cancelled
            if is_wanted:
                if isinstance(opener, LocalFeed):
                    opener.moments = Moments()  # its end is not that of the source
                self._current = feed
                self._is_opened = not isinstance(feed, _AsyncRequestFeed)
        if not is_wanted:
            feed.cancel()
        self.on_handed_over()


class _Opening:
    """An iterator over what ``request()`` gives, whose first ``next()`` calls it."""

    def __init__(self, owner: RequestFeed, request: Callable[[], Any]) -> None:
        self._owner = owner
        self._request: Callable[[], Any] | None = request
        self._items: Iterator[Any] | None = None
        # What it gave, until somebody has taken it.
        self._given: list[Any] = []

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        if self._items is None:
            owner, request = self._owner, self._request
            if request is None:
                raise StopIteration
            self._request = None
            owner.note_request()
            # In C, so that a signal that stops this thread comes before the function has returned,
            # or after its result is kept, where `close` finds it.
            self._given.extend(itertools.starmap(request, ((),)))
            if not self._given:  # to `extend` that is an end
                raise RuntimeError(f"{owner.title} raised StopIteration")
            if not owner.is_wanted:
                return None  # nobody takes that; what follows is `close`
            feed = owner.opened(self._given[0])
            if isinstance(feed, IteratorFeed):
                self._items = feed.source
            self._given.clear()
            if self._items is None:
                raise StopIteration
        return next(self._items)

    def close(self) -> None:
        """Close what came."""
        items, self._items = self._items, None
        if items is not None:
            close_iterator(items)
        elif self._given:
            self._owner.discard(self._given.pop())


class _AsyncOpening:
    """An async iterator over what a coroutine gives, which runs at the first item.

    Args:
        owner: told of it.
        request: a function that gives it, or the coroutine.
    """

    def __init__(self, owner: RequestFeed, request: Callable[[], Any] | Awaitable[Any]) -> None:
        self._owner = owner
        # In a list, from which one thread only takes it: the one that runs it, or that cancels it.
        self._request = [request]
        self._source: Any = None
        self._items: AsyncIterator[Any] | None = None
        self._given: list[Any] = []

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        if self._items is None:
            if not self._request:
                raise StopAsyncIteration
            request = self._request.pop()
            self._given.append(await self._result(request))
            if not self._owner.is_wanted:
                return None  # nobody takes that; what follows is `close`
            feed = self._owner.opened(self._given[0])
            if isinstance(feed, AsyncFeed):
                self._source = feed.source
                self._items = aiter(feed.source)
            self._given.clear()
            if self._items is None:
                raise StopAsyncIteration
        return await anext(self._items)

    async def _result(self, request: Callable[[], Any] | Awaitable[Any]) -> Any:
        try:
            result: Any = request
            if not inspect.isawaitable(request):
                self._owner.note_request()
                result = request()
            while inspect.isawaitable(result) and not _is_source(result):
                result = await result
        except StopAsyncIteration as stop:
            raise RuntimeError(f"{self._owner.title} raised StopAsyncIteration") from stop
        return result

    async def close(self) -> None:
        """Close what came: the iterator that is read, and the stream that gave it."""
        items, source = self._items, self._source
        self._items = self._source = None
        self.discard()
        if items is not None:
            try:
                await close_source(items)
            finally:
                if source is not items:
                    await close_source(source)

    def discard(self) -> None:
        """Let go of what nobody has read. On the loop."""
        self.forget()
        if self._given:
            self._owner.discard(self._given.pop())

    def forget(self) -> None:
        """Never begin, if that has not happened. Any thread."""
        with contextlib.suppress(IndexError):
            request = self._request.pop()
            if inspect.iscoroutine(request):
                request.close()


class _AsyncRequestFeed(AsyncFeed):
    """What a coroutine gives; one that was cancelled before it began needs no loop."""

    def __init__(
        self, opening: _AsyncOpening, title: str, loop: asyncio.AbstractEventLoop | None
    ) -> None:
        super().__init__(opening, title, loop=loop)
        self._opening = opening

    def _stop(self) -> None:
        self._opening.forget()
        if self._started:
            super()._stop()


def _is_source(value: Any) -> bool:
    """Whether it is read as it is, though it could be awaited, too."""
    return isinstance(value, Call) or is_stream(value)
