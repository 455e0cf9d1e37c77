"""One interface for all sources that stream: that of a call's Consumer.

A :class:`~kkjupyter.calls.call.Call` gives its Consumer. Iterators and async iterables are in
:mod:`~kkjupyter.notebook.run.iterator_feeds`, functions that make a request in
:mod:`~kkjupyter.notebook.run.requests`.
Items are taken from all of them without waiting, and all can be cancelled at once from any thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import dis
import functools
import inspect
import sys
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable
from types import AsyncGeneratorType
from typing import Any

from kkjupyter.calls.call import Call, is_stream
from kkjupyter.client.remote import Remote, describe
from kkjupyter.connection.pumps import is_async_stream, is_plain_inside
from kkjupyter.errors import UsageError
from kkjupyter.notebook.run.driving import Feed
from kkjupyter.notebook.run.iterator_feeds import AsyncFeed, IteratorFeed
from kkjupyter.notebook.run.requests import RequestFeed, ValueFeed
from kkjupyter.notebook.shell.remote_repr import group_cure, name_of

__all__ = [
    "Feed",
    "awaited",
    "is_open",
    "lives_on_this_loop",
    "open_feed",
    "open_request",
    "title_of",
]

# To a call these are values. Whoever has them shown wants to see the items.
_COLLECTIONS = (list, tuple, set, frozenset, range, deque)


_RETURN_GENERATOR = dis.opmap["RETURN_GENERATOR"]


def open_request(
    request: Callable[[], Any], title: str, loop: asyncio.AbstractEventLoop | None = None
) -> RequestFeed:
    """A feed of what ``request()`` gives; it is not called before its first item is wanted.

    Args:
        request: a function without arguments.
        title: what to call it.
        loop: the loop it belongs to, if that is not the one that runs here.
    """
    return RequestFeed(request, title, _open_result, is_async=_is_async(request), loop=loop)


def open_feed(source: Any) -> Feed:
    """Start to consume ``source``; a function is not called before its first item is wanted.

    Raises:
        UsageError: it does not stream, or is already read; the text says what to do.
    """
    if isinstance(source, Call):
        return source.consume()
    _refuse_remote(source)
    if callable(source) and not is_stream(source):
        _check_request(source)
        return open_request(source, title_of(source))
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
            f"{type(source).__name__} is a value, not a stream; kk.show takes a call, an iterator, "
            "an async iterable, a list, tuple, set or range, or a function that makes one of these "
            "(iter(x) makes an iterator)"
        )
    return _stream_feed(source)


def _stream_feed(source: Any, loop: asyncio.AbstractEventLoop | None = None) -> Feed:
    if is_async_stream(source):
        if not isinstance(source, AsyncGenerator) and is_plain_inside(source):
            return IteratorFeed(iter(source), title_of(source))
        return AsyncFeed(source, title_of(source), loop=loop)
    return IteratorFeed(source, title_of(source))


def _open_result(result: Any, request: RequestFeed) -> Feed:
    """The feed of what a function gave that was to make a request."""
    if isinstance(result, Call):
        return result.consume()
    _refuse_remote(result)
    if is_stream(result):
        loop = request.loop
        feed = _stream_feed(result, None if loop is None or loop.is_closed() else loop)
        return awaited(feed) if request.prefers_async else feed
    if inspect.isawaitable(result):
        return request.awaiting(result)
    if result is None:
        raise UsageError(
            f"{request.title} returned None, so there is nothing to show; "
            "a forgotten `return`? It must return the stream"
        )
    if inspect.isroutine(result) or isinstance(result, (type, functools.partial)):
        raise UsageError(
            f"{request.title} returned {title_of(result)} without calling it; "
            "it must return the stream"
        )
    return ValueFeed(result)


def _refuse_remote(source: Any) -> None:
    if isinstance(source, Remote):
        if describe(source).path and (group := group_cure(source, name_of(source))) is not None:
            raise UsageError(group)
        raise UsageError(f"{source!r} is not called yet: add () to call it")


def _check_request(function: Callable[..., Any]) -> None:
    """Raise UsageError unless ``function()`` can be called as it is."""
    title = title_of(function)
    name = title.removesuffix("()")
    if isinstance(function, type):
        raise UsageError(
            f"{name} is a class, not a stream; kk.show(lambda: {name}(...)) shows what it makes"
        )
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # many functions in C do not say
        return
    try:
        signature.bind()
    except TypeError as error:
        # Of an object that can be called, only its class has a name.
        call = f"{name}(...)" if title != name else "..."
        raise UsageError(
            f"{title} cannot be called without arguments ({error}); "
            f"write kk.show(lambda: {call}) with them"
        ) from None


def _is_async(function: Any) -> bool:
    """Whether a loop is to call it: it is ``async def``, or an object that is called so."""
    while isinstance(function, functools.partial):
        function = function.func
    called = function if inspect.isroutine(function) else type(function).__call__
    return any(
        is_one(one)
        for one in (function, called)
        for is_one in (inspect.iscoroutinefunction, inspect.isasyncgenfunction)
    )


def awaited(feed: Feed) -> Feed:
    """The feed to use instead of an unused ``feed`` if a coroutine waits for it.

    An object that is both an iterator and an async iterator is then read as the latter.
    """
    if isinstance(feed, RequestFeed):
        feed.prefers_async = True
    if isinstance(feed, IteratorFeed) and not feed.is_begun:
        source = feed.source
        inner = getattr(source, "__wrapped__", source)
        if isinstance(source, AsyncIterable) and isinstance(inner, AsyncIterable):
            read_async = AsyncFeed(source, feed.title)
            read_async.moments = feed.moments
            return read_async
    return feed


def lives_on_this_loop(feed: Feed) -> bool:
    """Whether waiting for it in plain code, here, would stop the loop that drives it."""
    home = feed.home if isinstance(feed, (AsyncFeed, RequestFeed)) else None
    if home is None:
        return False
    with contextlib.suppress(RuntimeError):
        return asyncio.get_running_loop() is home
    return False


def is_open(source: Any) -> bool:
    """Whether ``source`` has begun before it was given, so that nobody knows when.

    A generator that has not begun makes its request when it is driven.
    """
    if inspect.isgenerator(source):
        return inspect.getgeneratorstate(source) != inspect.GEN_CREATED
    if inspect.isasyncgen(source):
        return not _is_created(source)
    return not isinstance(source, Call) and is_stream(source)


def _is_created(source: AsyncGeneratorType[Any, Any]) -> bool:
    """Whether an async generator has not begun."""
    if sys.version_info >= (3, 12):
        return inspect.getasyncgenstate(source) == inspect.AGEN_CREATED
    frame = source.ag_frame
    # It stands at the instruction that made it.
    return frame is not None and frame.f_code.co_code[frame.f_lasti] == _RETURN_GENERATOR


def title_of(source: Any) -> str:
    """The name of a source on screen."""
    if isinstance(source, Call):
        return source.title
    while isinstance(source, functools.partial):
        source = source.func
    name = getattr(source, "__name__", None)
    if name == "<lambda>":
        return "lambda"
    if not isinstance(name, str):
        return type(source).__name__
    if inspect.isgenerator(source) or inspect.isasyncgen(source) or callable(source):
        return f"{name}()"
    return type(source).__name__
