"""Streams that are an iterator and an async iterator in one class, as LLM clients' wrappers are."""

from __future__ import annotations

import asyncio
import gc
import threading
import warnings
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import kkjupyter as kk
from kkjupyter.connection.pumps import is_async_stream
from kkjupyter.errors import UsageError

WORDS = ["Hello ", "World"]


def plain_words() -> Iterator[str]:
    yield from WORDS


async def async_words() -> AsyncIterator[str]:
    for word in WORDS:
        await asyncio.sleep(0)
        yield word


class Both:
    """Neither way needs the other; ``read`` notes which was taken."""

    def __init__(self) -> None:
        self.read: list[str] = []
        self._left = len(WORDS)

    def __iter__(self) -> Both:
        return self

    def __aiter__(self) -> Both:
        return self

    def __next__(self) -> str:
        self.read.append("plain")
        if not self._left:
            raise StopIteration
        self._left -= 1
        return WORDS[-1 - self._left]

    async def __anext__(self) -> str:
        self.read.append("async")
        if not self._left:
            raise StopAsyncIteration
        self._left -= 1
        return WORDS[-1 - self._left]


class Wrapper:
    """As litellm's: one class around a stream of either kind; a mistake is hidden by its errors."""

    def __init__(self, stream: Any) -> None:
        self.completion_stream = stream
        self.chunks: list[str] = []

    def __iter__(self) -> Wrapper:
        return self

    def __aiter__(self) -> Wrapper:
        return self

    def __next__(self) -> str:
        try:
            return next(self.completion_stream)
        except StopIteration:
            raise
        except Exception as exc:
            raise ConnectionError(str(exc)) from exc

    async def __anext__(self) -> str:
        if hasattr(self.completion_stream, "__anext__"):
            return await anext(self.completion_stream)
        try:
            return next(self.completion_stream)
        except StopIteration:
            raise StopAsyncIteration from None


class Proxy:
    """As tracing has it: it looks like what it wraps, and has both ways whatever that is."""

    def __init__(self, wrapped: Any) -> None:
        self.__wrapped__ = wrapped

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__wrapped__, name)

    def __iter__(self) -> Proxy:
        return self

    def __aiter__(self) -> Proxy:
        return self

    def __next__(self) -> str:
        return self.__wrapped__.__next__()

    async def __anext__(self) -> str:
        return await self.__wrapped__.__anext__()


PLAIN = {
    "both": Both,
    "wrapper": lambda: Wrapper(plain_words()),
    "proxy": lambda: Proxy(plain_words()),
    "proxy of a wrapper": lambda: Proxy(Wrapper(plain_words())),
}
ASYNC = {
    "wrapper": lambda: Wrapper(async_words()),
    "proxy": lambda: Proxy(async_words()),
    "proxy of a wrapper": lambda: Proxy(Wrapper(async_words())),
}


@pytest.mark.parametrize("kind", PLAIN)
def test_in_plain_code_it_is_an_iterator(kind: str) -> None:
    async def in_a_cell() -> None:
        """A loop runs there, too, which waiting would stop."""
        source = PLAIN[kind]()
        assert kk.show(source).wait().items == WORDS
        assert list(kk.show(PLAIN[kind]())) == WORDS
        assert kk.show(PLAIN[kind]()).last_line().items == WORDS
        replies = kk.compare({"a": PLAIN[kind](), "b": PLAIN[kind]()}).wait()
        assert [reply.items for reply in replies.values()] == [WORDS, WORDS]
        if isinstance(source, Both):
            assert set(source.read) == {"plain"}

    asyncio.run(in_a_cell())
    assert kk.show(PLAIN[kind]()).wait().items == WORDS


@pytest.mark.parametrize("kind", [*PLAIN, *(f"async {kind}" for kind in ASYNC)])
def test_where_a_coroutine_waits_it_is_async(kind: str) -> None:
    make = ASYNC[kind.removeprefix("async ")] if kind.startswith("async ") else PLAIN[kind]

    async def in_a_cell() -> None:
        source = make()
        assert (await kk.show(source)).items == WORDS
        assert [word async for word in kk.show(make())] == WORDS
        assert (await kk.compare({"a": make()}))["a"].items == WORDS
        if isinstance(source, Both):
            assert set(source.read) == {"async"}

    asyncio.run(in_a_cell())


@pytest.mark.parametrize("kind", ASYNC)
def test_what_is_truly_async_stays_so(kind: str) -> None:
    async def in_a_cell() -> None:
        for way in (lambda shown: shown.wait(), list):
            shown = kk.show(ASYNC[kind]())
            with pytest.raises(UsageError, match=r"`await kk.show|`async for`"):
                way(shown)
            shown.cancel()

    asyncio.run(in_a_cell())
    assert kk.show(ASYNC[kind]()).wait().items == WORDS


@pytest.mark.parametrize("make", [*PLAIN.values(), *ASYNC.values()])
def test_as_an_argument_and_as_a_result_of_a_call(make: Any) -> None:
    class Api:
        async def collect(self, words: Any) -> list[str]:
            return [word async for word in words]

        def words(self) -> Any:
            return make()

    with kk.serve(Api()) as server:
        api = server.connect()
        assert api.collect(make()).result(timeout_s=20) == WORDS
        assert api.words().result(timeout_s=20) == WORDS


def test_which_way_is_told_by_what_it_holds() -> None:
    for make in PLAIN.values():
        assert not is_async_stream(make())
    for make in ASYNC.values():
        assert is_async_stream(make())
    assert is_async_stream(async_words())
    assert not is_async_stream(plain_words())
    looped = Wrapper(None)
    looped.completion_stream = looped  # one that holds itself
    assert not is_async_stream(looped)


class Bar:
    """As progress bars are: read with ``for`` or ``async for``, an iterator of the latter only."""

    def __init__(self, iterable: Any) -> None:
        self.iterable = iterable
        self.threads: list[str] = []
        self._is_async = hasattr(iterable, "__anext__")
        if not self._is_async:
            self.iterator = iter(iterable)

    def __iter__(self) -> Iterator[str]:
        for item in self.iterable:
            self.threads.append(threading.current_thread().name)
            yield item

    def __aiter__(self) -> Bar:
        return self

    async def __anext__(self) -> str:
        if self._is_async:
            return await anext(self.iterable)
        try:
            return next(self.iterator)
        except StopIteration:
            raise StopAsyncIteration from None


def test_a_progress_bar_around_a_list_is_plain_and_around_an_async_source_async() -> None:
    bar = Bar(WORDS)
    assert kk.show(bar).wait().items == WORDS
    assert bar.threads == [threading.main_thread().name] * 2
    assert asyncio.run(shown_in_a_coroutine(Bar(WORDS))) == WORDS
    assert kk.show(Bar(async_words())).wait().items == WORDS
    assert asyncio.run(shown_in_a_coroutine(Bar(async_words()))) == WORDS


async def shown_in_a_coroutine(source: Any) -> list[Any]:
    reply = await kk.show(source)
    return list(reply.items)


def test_a_stream_given_up_as_its_loop_ends_leaves_no_task_that_never_ran() -> None:
    """That is an error of asyncio's on stderr, long after the cell, which nobody can place."""

    async def in_a_cell() -> None:
        with pytest.raises(UsageError):
            list(kk.show(async_words()))

    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        for _ in range(20):
            asyncio.run(in_a_cell())
            gc.collect()
    assert [str(one.message) for one in shown] == []
