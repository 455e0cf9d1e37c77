"""``yield*`` for async generators: a stream within a stream, and both end together.

In Python's ``async for item in inner: yield item``, ``inner`` stays open when the outer generator
is ended at its yield; the garbage collector ends it, but not while something holds it. A source of
:func:`delegate` is closed with the stream that it is part of.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Iterator
from typing import Any, TypeVar

from kkjupyter.connection.failure_log import log_late_failure
from kkjupyter.connection.pumps import close_source, is_async_stream
from kkjupyter.errors import UsageError
from kkjupyter.runtime.turns import give_turn, turn_is_due

__all__ = ["close_delegated", "collect_delegated", "delegate"]

T = TypeVar("T")

# In the order in which they began: a source comes after the one that delegates to it.
_open: contextvars.ContextVar[dict[_Inner, None]] = contextvars.ContextVar("kkjupyter_delegated")


def delegate(source: AsyncIterable[T] | Iterable[T]) -> AsyncGenerator[T, None]:
    """``yield*``: ``async for token in vovk.delegate(self.hello.stream_tokens()): yield token``.

    The source is closed when the loop is left in any way, and at the latest when the client is
    gone, even if something else holds it. If the source is an iterable and not an iterator, only
    the iterator made from it is closed, because it may have other readers. Its exceptions come out
    of the loop.

    Args:
        source: a generator, async or not, or any other iterable. A sync one runs on the loop, so
            it must not block; return it from the handler if it does.

    Raises:
        UsageError: it is not an iterable, for example a coroutine that was not awaited.
    """
    if not hasattr(type(source), "__aiter__") and not hasattr(type(source), "__iter__"):
        raise UsageError(
            f"delegate takes something to iterate over, not {type(source).__name__}; "
            "await a coroutine first"
        )
    return _handed_through(_Inner(source))


async def _handed_through(inner: _Inner) -> AsyncGenerator[Any, None]:
    """What a loop over a delegation reads. Left at its yield, it is closed by the event loop: of
    the two that hold ``inner``, only the loop holds this."""
    async with contextlib.aclosing(inner):
        while True:
            if turn_is_due():  # the source may never have to wait
                await give_turn()
            try:
                item = await inner.next()
            except StopAsyncIteration:
                return
            yield item


class _Inner:
    """A source that is delegated to; held by its loop, and by the stream it is part of."""

    def __init__(self, source: Any) -> None:
        self._source = source
        self._iterator: Any = None
        self._begun = False
        self._closed = False

    async def next(self) -> Any:
        if self._closed:
            raise StopAsyncIteration
        if not self._begun:
            self._begin()
        try:
            if isinstance(self._iterator, _Sync):
                return self._iterator.next()
            return await anext(self._iterator)
        except BaseException:
            await self.aclose()
            raise

    def _begin(self) -> None:
        self._begun = True
        is_async = is_async_stream(self._source)
        self._iterator = aiter(self._source) if is_async else _Sync(iter(self._source))
        stream = _open.get(None)
        if stream is not None:
            stream[self] = None

    async def aclose(self) -> None:
        """End the source, now. Idempotent."""
        if self._closed:
            return
        self._closed = True
        _open.get({}).pop(self, None)
        iterator = self._iterator.iterator if type(self._iterator) is _Sync else self._iterator
        if iterator is not None:
            await close_source(iterator)
        if iterator is not self._source:
            await close_source(self._source)


class _Sync:
    """A sync iterator, asked for one item at a time."""

    def __init__(self, iterator: Iterator[Any]) -> None:
        self.iterator = iterator

    def next(self) -> Any:
        try:
            return next(self.iterator)
        except StopIteration:
            raise StopAsyncIteration from None


def collect_delegated() -> None:
    """Collect this task's sources for one stream from now on: see close_delegated()."""
    _open.set({})


async def close_delegated() -> None:
    """Close what the stream of this task still delegates to, the innermost first.

    Raises:
        Exception: the exception of the first source that failed; all are closed first.
    """
    failure: BaseException | None = None
    for inner in reversed(list(_open.get({}))):
        try:
            await inner.aclose()
        except BaseException as exc:  # noqa: BLE001  raised below, or logged here
            if failure is None:
                failure = exc
            else:
                log_late_failure("a stream that was delegated to", exc)
    if failure is not None:
        raise failure
