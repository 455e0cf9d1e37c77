"""An iterator and an async iterable, taken from without waiting and cancelled at any moment."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from support.waiting import until

from kkjupyter.errors import CallCancelled, UsageError
from kkjupyter.notebook.run.feeds import Feed, open_feed, title_of
from kkjupyter.notebook.run.iterator_feeds import AsyncFeed, IteratorFeed


def drain(feed: Feed) -> list[Any]:
    items: list[Any] = []
    while not feed.finished:
        ready = threading.Event()
        feed.on_ready(ready.set)
        assert ready.wait(5)
        items += feed.take()
    return items


class Source:
    """An iterator that waits inside ``next()`` and records its end."""

    def __init__(self) -> None:
        self.advanced = 0
        self.closed = threading.Event()
        self.go_on = threading.Event()

    def __iter__(self) -> Iterator[int]:
        return self

    def __next__(self) -> int:
        self.advanced += 1
        if self.advanced > 2:
            self.go_on.wait(5)
        return self.advanced

    def close(self) -> None:
        self.closed.set()


async def agen(ended: list[str]) -> AsyncIterator[int]:
    try:
        yield 1
        yield 2
        await asyncio.sleep(60)
    finally:
        ended.append("finally")


def test_an_iterator_to_its_end() -> None:
    def numbers() -> Iterator[int]:
        yield from range(5000)
        return "value"

    feed = IteratorFeed(numbers())
    assert (feed.kind, feed.finished) == ("stream", False)
    assert drain(feed) == list(range(5000))
    assert (feed.error, feed.value) == (None, "value")


def test_an_iterator_is_advanced_on_demand_only() -> None:
    source = Source()
    source.go_on.set()
    feed = IteratorFeed(source, ahead_items=0)
    time.sleep(0.05)
    assert source.advanced == 0
    ready = threading.Event()
    feed.on_ready(ready.set)
    assert ready.wait(5)
    assert feed.take(1) == [1]
    time.sleep(0.05)
    assert source.advanced == 1
    feed.cancel()


def test_an_iterator_runs_ahead_no_further_than_said() -> None:
    source = Source()
    source.go_on.set()
    feed = IteratorFeed(source, ahead_items=10)
    feed.on_ready(lambda: None)
    until(lambda: source.advanced == 10)
    time.sleep(0.05)
    assert source.advanced == 10
    assert feed.take() == list(range(1, 11))
    until(lambda: source.advanced == 20)
    feed.cancel()


def test_an_iterator_of_large_items_runs_ahead_by_bytes() -> None:
    made = 0

    def blocks() -> Iterator[bytes]:
        nonlocal made
        while made < 60:
            made += 1
            yield bytes(1 << 20)

    feed = IteratorFeed(blocks())
    feed.on_ready(lambda: None)
    until(lambda: made == 16)
    time.sleep(0.05)
    assert made <= 17
    assert [len(item) for item in drain(feed)] == [1 << 20] * 60  # it goes on


def test_an_iterators_error_comes_after_its_items() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("boom")

    feed = IteratorFeed(failing())
    assert drain(feed) == [1]
    assert isinstance(feed.error, ValueError)


def test_cancel_frees_at_once_and_closes_where_next_returns() -> None:
    source = Source()
    feed = IteratorFeed(source)
    feed.on_ready(lambda: None)
    until(lambda: source.advanced == 3)
    started_s = time.monotonic()
    feed.cancel()
    feed.cancel()
    assert feed.finished
    assert isinstance(feed.error, CallCancelled)
    assert time.monotonic() - started_s < 4
    assert not source.closed.is_set()  # nobody can get into a running next()
    source.go_on.set()
    assert source.closed.wait(5)
    assert feed.take() == []


def test_a_source_that_was_never_advanced_is_closed_too() -> None:
    source = Source()
    IteratorFeed(source).cancel()
    assert source.closed.wait(5)
    assert source.advanced == 0


def test_a_failing_close_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    class Bad(Source):
        def close(self) -> None:
            super().close()
            raise OSError("cannot close")

    source = Bad()
    IteratorFeed(source, "bad").cancel()
    until(lambda: "cannot close" in caplog.text)


def test_the_context_of_the_maker_is_kept() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    variable.set("here")

    def reads() -> Iterator[str]:
        yield variable.get("nowhere")

    assert drain(IteratorFeed(reads())) == ["here"]


def test_an_async_iterable_without_a_loop_gets_its_own() -> None:
    async def numbers() -> AsyncIterator[int]:
        for n in range(3):
            await asyncio.sleep(0)
            yield n

    feed = AsyncFeed(numbers())
    assert feed.home is None
    assert drain(feed) == [0, 1, 2]

    ended: list[str] = []
    feed = AsyncFeed(agen(ended))
    feed.on_ready(lambda: None)
    until(lambda: len(feed._buffer) == 2)
    feed.cancel()
    until(lambda: ended)


class Unopenable:
    """As a stream whose connection is gone."""

    def __aiter__(self) -> AsyncIterator[int]:
        raise ConnectionError("gone")


@pytest.mark.parametrize("has_loop", [False, True])
def test_a_source_that_fails_before_its_first_item_ends_the_feed(has_loop: bool) -> None:
    async def error_on_this_loop() -> BaseException | None:
        feed = open_feed(Unopenable())
        feed.on_ready(lambda: None)
        for _ in range(5_000):
            if feed.finished:
                break
            await asyncio.sleep(0.001)
        return feed.error

    if has_loop:
        error = asyncio.run(error_on_this_loop())
    else:
        feed = open_feed(Unopenable())
        assert drain(feed) == []
        error = feed.error
    assert isinstance(error, ConnectionError)


def test_an_async_iterable_runs_on_the_loop_it_was_made_on() -> None:
    async def main() -> None:
        loops: list[object] = []

        async def numbers() -> AsyncIterator[int]:
            loops.append(asyncio.get_running_loop())
            yield 1
            raise ValueError("boom")

        feed = AsyncFeed(numbers())
        assert feed.home is asyncio.get_running_loop()
        feed.on_ready(lambda: None)
        while not feed._over:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        assert feed.take() == [1]
        assert isinstance(feed.error, ValueError)
        assert loops == [asyncio.get_running_loop()]

    asyncio.run(main())


def test_cancel_reaches_an_async_source_where_it_waits() -> None:
    async def main() -> None:
        ended: list[str] = []
        feed = AsyncFeed(agen(ended))
        feed.on_ready(lambda: None)
        while len(feed._buffer) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        await asyncio.to_thread(feed.cancel)
        assert isinstance(feed.error, CallCancelled)
        await asyncio.sleep(0.05)
        assert ended == ["finally"]

    asyncio.run(main())


@pytest.mark.parametrize("advanced", [True, False])
def test_the_given_object_is_closed_not_only_its_iterator(advanced: bool) -> None:
    class Client:
        """As LLM clients have it: the stream has ``close``, its iterator has not."""

        closed = 0

        def __aiter__(self) -> Client:
            return self

        async def __anext__(self) -> int:
            await asyncio.sleep(60)
            return 1

        async def close(self) -> None:
            self.closed += 1

    async def main() -> None:
        client = Client()
        feed = AsyncFeed(client)
        if advanced:
            feed.on_ready(lambda: None)
            await asyncio.sleep(0.05)
        feed.cancel()
        await asyncio.sleep(0.05)
        assert client.closed == 1

    asyncio.run(main())


async def coroutine() -> int:
    return 1


@pytest.mark.parametrize("value", [{"a": 1}, "text", b"bytes", 3, None, object()])
def test_a_value_is_no_stream(value: Any) -> None:
    with pytest.raises(UsageError, match="is a value, not a stream"):
        open_feed(value)


@pytest.mark.parametrize(
    "collection",
    [[1, 2, 3], (1, 2, 3), {1, 2, 3}, frozenset([1, 2, 3]), range(1, 4), deque([1, 2, 3])],
)
def test_a_collection_gives_its_items(collection: Any) -> None:
    feed = open_feed(collection)
    assert drain(feed) == [1, 2, 3]
    assert title_of(collection) == type(collection).__name__
    assert list(collection) == [1, 2, 3]  # nothing was taken out of it


def test_a_forgotten_await_is_named() -> None:
    with pytest.raises(UsageError, match="forgotten `await`"):
        open_feed(coroutine())


def test_titles() -> None:
    def numbers() -> Iterator[int]:
        yield 1

    assert title_of(numbers()) == "numbers()"
    assert title_of(agen([])) == "agen()"
    assert title_of(iter([1])) == "list_iterator"
