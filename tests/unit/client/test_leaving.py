"""What is closed when a reader leaves a stream: what was its own, and nothing of the others'."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from support.waiting import until

import kkjupyter as kk
from kkjupyter import vovk
from kkjupyter.api.in_process import serve_in_memory
from kkjupyter.connection.pumps import close_iterator, close_source
from kkjupyter.notebook.run.iterator_feeds import AsyncFeed


class Shared:
    """Everybody may iterate over it; each gets an iterator of its own."""

    def __init__(self) -> None:
        self.closed = 0
        self.left = 0
        self.readers = 0

    async def _read(self) -> AsyncIterator[int]:
        self.readers += 1
        number = 0
        try:
            while not self.closed:
                yield number
                number += 1
                await asyncio.sleep(0.002)
        finally:
            self.readers -= 1
            self.left += 1

    def __aiter__(self) -> AsyncIterator[int]:
        return self._read()


class Topic(Shared):
    def close(self) -> None:
        self.closed += 1


class AsyncTopic(Shared):
    async def aclose(self) -> None:
        self.closed += 1


class Cursor:
    """An iterator that is no generator."""

    def __init__(self, topic: CursorTopic) -> None:
        self._topic = topic
        self._number = 0
        topic.readers += 1

    def __aiter__(self) -> Cursor:
        return self

    async def __anext__(self) -> int:
        await asyncio.sleep(0.002)
        if self._topic.closed:
            raise StopAsyncIteration
        self._number += 1
        return self._number

    async def close(self) -> None:
        self._topic.readers -= 1
        self._topic.left += 1


class CursorTopic(Topic):
    def __aiter__(self) -> Any:
        return Cursor(self)


class Own(Topic):
    """One reader's own, as an LLM client's stream: it is an iterator itself."""

    def __init__(self) -> None:
        super().__init__()
        self._inside = self._read()

    def __aiter__(self) -> AsyncIterator[int]:
        return self._forward()

    async def _forward(self) -> AsyncIterator[int]:
        async for number in self._inside:
            yield number

    async def __anext__(self) -> int:
        return await anext(self._inside)


SHARED = [Topic, AsyncTopic, CursorTopic]


@pytest.mark.parametrize("make", SHARED)
@pytest.mark.parametrize("protocol", ["compact", "classic"])
def test_a_reader_that_leaves_a_served_stream_leaves_it_to_the_others(
    make: Callable[[], Shared], protocol: str
) -> None:
    shared = make()
    with serve_in_memory({"news": lambda: shared}) as server:
        a = server.connect(protocol=protocol, codec="json")
        b = server.connect(protocol=protocol, codec="json")
        with a, b:
            reader = iter(b.news())
            next(reader)
            for _ in a.news():
                break
            until(lambda: shared.left == 1)
            assert not shared.closed
            assert len([next(reader) for _ in range(20)]) == 20
            del reader
            until(lambda: shared.readers == 0)
            assert not shared.closed  # nor is it after the last one: there may be others yet
            assert len([number for number, _ in zip(a.news(), range(3), strict=False)]) == 3


@pytest.mark.parametrize("make", SHARED)
def test_a_shared_stream_that_was_passed_to_a_call_stays_open(make: Callable[[], Shared]) -> None:
    class Api:
        async def first(self, stream: Any) -> Any:
            return await anext(aiter(stream))

    shared = make()
    with serve_in_memory(Api()) as server, server.connect(protocol="compact") as api:
        for number in (1, 2):
            assert api.first(shared).result(timeout_s=5) in (0, 1)
            until(lambda number=number: shared.left == number)
        assert not shared.closed


@pytest.mark.parametrize("make", SHARED)
def test_a_shared_stream_over_http_that_carries_none_stays_open(
    make: Callable[[], Shared],
) -> None:
    shared = make()
    with kk.serve({"news": lambda: shared}, transport="http", token=False) as server:
        api = server.connect()
        with pytest.raises(kk.RemoteError, match="does not support"):
            api.news().result(timeout_s=5)
        kk.close(api)
    assert not shared.closed


@pytest.mark.parametrize("make", SHARED)
@pytest.mark.parametrize("delegates", [False, True])
def test_a_shared_stream_of_a_vovk_server_stays_open(
    make: Callable[[], Shared], delegates: bool
) -> None:
    shared = make()

    class News(vovk.Controller):
        @vovk.get.auto()
        async def direct(self, req: Any) -> Any:
            return shared

        @vovk.get.auto()
        async def delegated(self, req: Any) -> Any:
            async for item in vovk.delegate(shared):
                yield item

    with vovk.serve([News], token=False) as server, server.connect() as api:
        news = api.News.delegated if delegates else api.News.direct
        for number in (1, 2):
            for _ in news(is_stream=True):
                break
            until(lambda number=number: shared.left == number)
        assert not shared.closed


@pytest.mark.parametrize("make", SHARED)
def test_a_view_that_is_cancelled_leaves_a_shared_stream_to_the_others(
    make: Callable[[], Shared],
) -> None:
    async def main() -> None:
        shared = make()
        feed, other = AsyncFeed(shared), aiter(shared)
        await anext(other)
        feed.on_ready(lambda: None)
        while shared.readers < 2 or not feed._buffer:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        feed.cancel()
        while shared.readers > 1:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        assert not shared.closed
        assert await anext(other)

    asyncio.run(asyncio.wait_for(main(), 10))


def test_what_is_one_readers_own_is_closed() -> None:
    served, shown = Own(), Own()
    with serve_in_memory({"answer": lambda: served}) as server, server.connect() as api:
        for _ in api.answer():
            break
        until(lambda: served.closed == 1)
    feed = AsyncFeed(shown)
    feed.on_ready(lambda: None)
    until(lambda: bool(feed._buffer))
    feed.cancel()
    until(lambda: shown.closed == 1)


# ---- a task group inside


async def in_a_group(ended: list[str], pause_s: float = 0.001) -> AsyncIterator[int]:
    async def beside() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("beside")

    async with asyncio.TaskGroup() as group:
        group.create_task(beside())
        number = 0
        while True:
            yield number
            number += 1
            await asyncio.sleep(pause_s)


async def in_groups(ended: list[str]) -> AsyncIterator[int]:
    async with asyncio.TaskGroup(), contextlib.aclosing(in_a_group(ended)) as inner:
        async for number in inner:
            yield number


async def failing_in_a_group(ended: list[str]) -> AsyncIterator[int]:
    async def beside() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("beside")
            raise ValueError("the cleanup is broken")

    async with asyncio.TaskGroup() as group:
        group.create_task(beside())
        await asyncio.sleep(0)
        yield 1
        yield 2
        await asyncio.sleep(60)


def grouped(ended: list[str]) -> Iterator[int]:
    try:
        while True:
            yield 1
            time.sleep(0.001)
    except GeneratorExit as leaving:
        ended.append("beside")
        raise BaseExceptionGroup("of a library's own", [leaving]) from None


@pytest.mark.parametrize("make", [in_a_group, in_groups, grouped])
@pytest.mark.parametrize("protocol", ["compact", "classic"])
def test_leaving_a_served_stream_that_holds_a_task_group_is_no_failure(
    make: Callable[..., Any], protocol: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Wherever the producer stands: it may wait in the group, or for the peer to read."""
    ended: list[str] = []
    with (
        serve_in_memory({"feed": lambda: make(ended)}) as server,
        server.connect(protocol=protocol, codec="json") as api,
    ):
        for pause_s in (0, 0, 0.001, 0.002, 0.005, 0.02, 0.1):  # at last it waits for credit
            before = len(ended)
            for _ in api.feed():
                time.sleep(pause_s)
                break
            until(lambda before=before: len(ended) > before)
    assert "ExceptionGroup" not in caplog.text
    assert "failed" not in caplog.text


@pytest.mark.parametrize("where", ["own thread", "this loop"])
def test_cancelling_a_view_of_a_stream_that_holds_a_task_group_is_no_failure(
    where: str, caplog: pytest.LogCaptureFixture
) -> None:
    ended: list[str] = []

    def begin() -> AsyncFeed:
        feed = AsyncFeed(in_groups(ended), "feed", ahead_items=1)
        feed.on_ready(lambda: None)
        return feed

    async def here() -> None:
        feed = begin()
        await asyncio.sleep(0.05)  # it waits for room now, so closing raises GeneratorExit in it
        feed.cancel()
        while not ended:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.02)

    with caplog.at_level(logging.DEBUG):
        if where == "this loop":
            asyncio.run(asyncio.wait_for(here(), 10))
        else:
            feed = begin()
            time.sleep(0.05)
            feed.cancel()
            until(lambda: bool(ended))
            time.sleep(0.05)
    assert "Group" not in caplog.text
    assert "closing the source failed" not in caplog.text


def test_what_really_fails_in_the_group_is_told(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        ended: list[str] = []
        source = failing_in_a_group(ended)
        await anext(source)
        with pytest.raises(BaseExceptionGroup) as failure:
            await close_source(source)
        assert [type(exc) for exc in failure.value.exceptions] == [ValueError]

        feed = AsyncFeed(failing_in_a_group(ended), "feed", ahead_items=1)
        feed.on_ready(lambda: None)
        await asyncio.sleep(0.05)
        feed.cancel()
        while "closing the source failed" not in caplog.text:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        assert "the cleanup is broken" in caplog.text

    asyncio.run(asyncio.wait_for(main(), 10))


def test_a_view_tells_what_its_source_raises_when_it_is_cancelled(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def broken() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.sleep(60)
        finally:
            raise ValueError("the cleanup is broken")

    async def main() -> None:
        feed = AsyncFeed(broken())
        feed.on_ready(lambda: None)
        while not feed._buffer:  # noqa: ASYNC110
            await asyncio.sleep(0.001)
        await asyncio.sleep(0.01)
        feed.cancel()
        while "the cleanup is broken" not in caplog.text:  # noqa: ASYNC110
            await asyncio.sleep(0.001)

    asyncio.run(asyncio.wait_for(main(), 10))


def test_iterators_in_plain_code() -> None:
    ended: list[str] = []
    source = grouped(ended)
    next(source)
    close_iterator(source)
    assert ended == ["beside"]
    close_iterator(iter([1]))  # has no end of its own

    def fails() -> Iterator[int]:
        with contextlib.suppress(KeyError):
            try:
                yield 1
            except GeneratorExit as leaving:
                raise BaseExceptionGroup("both", [leaving, ValueError("broken")]) from None

    source = fails()
    next(source)
    with pytest.raises(ExceptionGroup) as failure:
        close_iterator(source)
    assert [str(exc) for exc in failure.value.exceptions] == ["broken"]
