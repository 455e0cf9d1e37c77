"""One interface for all sources that stream: that of a call's Consumer.

A :class:`~kkjupyter.calls.call.Call` gives its Consumer; :mod:`~kkjupyter.notebook.run.local_feeds`
has the others. Items are taken from all of them without waiting, and all can be cancelled at once
from any thread.
"""

from __future__ import annotations

import inspect
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from typing import Any, Literal, Protocol

from kkjupyter.calls.call import Call, is_stream
from kkjupyter.client.remote import Remote, describe
from kkjupyter.connection.pumps import is_async_stream, is_plain_inside
from kkjupyter.errors import UsageError
from kkjupyter.notebook.run.local_feeds import AsyncFeed, IteratorFeed
from kkjupyter.notebook.shell.remote_repr import group_cure, name_of

__all__ = ["Feed", "awaited", "open_feed", "title_of"]

# To a call these are values. Whoever has them shown wants to see the items.
_COLLECTIONS = (list, tuple, set, frozenset, range, deque)


class Feed(Protocol):
    """The source of a run; :class:`kkjupyter.calls.call.Consumer` is one."""

    @property
    def kind(self) -> Literal["unary", "stream"] | None: ...
    @property
    def finished(self) -> bool: ...
    @property
    def error(self) -> BaseException | None: ...
    @property
    def value(self) -> Any: ...
    def take(self, limit: int = ..., /) -> list[Any]: ...
    def on_ready(self, callback: Callable[[], object], /) -> None: ...
    def cancel(self) -> None: ...


def open_feed(source: Any) -> Feed:
    """Start to consume ``source``.

    Raises:
        UsageError: it does not stream, or is already read; the text says what to do.
    """
    if isinstance(source, Call):
        return source.consume()
    if isinstance(source, Remote):
        if describe(source).path and (group := group_cure(source, name_of(source))) is not None:
            raise UsageError(group)
        raise UsageError(f"{source!r} is not called yet: add () to call it")
    if inspect.isawaitable(source):
        if inspect.iscoroutine(source):
            source.close()
        raise UsageError(
            f"{type(source).__name__} is not a stream yet; a forgotten `await`? "
            "Write kk.show(await ...)"
        )
    if isinstance(source, _COLLECTIONS):
        return IteratorFeed(iter(source), title_of(source))
    if not is_stream(source):
        raise UsageError(
            f"{type(source).__name__} is a value, not a stream, so there is nothing to watch; "
            "kk.show takes a call, an iterator, an async iterable, or a list, tuple, set or range"
        )
    if is_async_stream(source):
        if not isinstance(source, AsyncGenerator) and is_plain_inside(source):
            return IteratorFeed(iter(source), title_of(source))
        return AsyncFeed(source, title_of(source))
    return IteratorFeed(source, title_of(source))


def awaited(feed: Feed) -> Feed:
    """The feed to use instead of an unused ``feed`` if a coroutine waits for it.

    An object that is both an iterator and an async iterator is then read as the latter.
    """
    if isinstance(feed, IteratorFeed) and not feed.is_begun:
        source = feed.source
        inner = getattr(source, "__wrapped__", source)
        if isinstance(source, AsyncIterable) and isinstance(inner, AsyncIterable):
            return AsyncFeed(source, feed.title)
    return feed


def title_of(source: Any) -> str:
    """The name of a source on screen."""
    if isinstance(source, Call):
        return source.title
    name = getattr(source, "__name__", None)
    if isinstance(name, str) and (inspect.isgenerator(source) or inspect.isasyncgen(source)):
        return f"{name}()"
    return type(source).__name__
