"""Streams as arguments: from us to a handler and back, and what becomes of their sources."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from support.endpoints import Endpoint
from support.peers.raw import raw_client
from support.sessions import carrier
from support.waiting import until

import kkjupyter as kk
from kkjupyter.runtime.loop_threads import io_loop
from kkjupyter.wire.events import (
    Acknowledged,
    Cancelled,
    Credited,
    Ended,
    Failed,
    Item,
    Opened,
    Replied,
    StreamRef,
)

pytestmark = pytest.mark.only("compact")


class Takes(Endpoint):
    """Handlers that are given streams."""

    async def sum(self, numbers: Any) -> float:
        total = 0
        async for number in numbers:
            total += number
        return total

    def sum_in_a_thread(self, numbers: Any) -> float:
        return sum(numbers)

    async def doubled(self, numbers: Any) -> AsyncIterator[float]:
        async for number in numbers:
            yield 2 * number

    def doubled_in_a_thread(self, numbers: Any) -> Iterator[float]:
        for number in numbers:
            yield 2 * number

    async def first(self, numbers: Any) -> Any:
        async for number in numbers:
            return number
        return None

    def first_in_a_thread(self, numbers: Any) -> Any:
        for number in numbers:
            return number
        return None

    async def two(self, one: Any, other: Any) -> list[Any]:
        return [[n async for n in one], [n async for n in other]]

    async def what_comes(self, numbers: Any) -> list[Any]:
        seen: list[Any] = []
        try:
            async for number in numbers:
                seen.append(number)
        except kk.RemoteError as error:
            seen.append(f"{error.name}: {error.message}")
        return seen

    async def refuses(self, numbers: Any) -> None:
        raise PermissionError("not today")

    async def reads_one_and_refuses(self, numbers: Any) -> None:
        async for _ in numbers:
            raise PermissionError("not after this one")

    async def ignores(self, numbers: Any) -> str:
        return "not needed"

    async def returned(self, numbers: Any) -> Any:
        async for _ in numbers:
            pass
        return numbers.return_value

    async def keeps_waiting(self, numbers: Any) -> None:
        async for _ in numbers:
            self.calls.append("item")


@pytest.fixture
def endpoint() -> Takes:
    return Takes()


class Source:
    """Makes sources and sees how they end."""

    def __init__(self) -> None:
        self.made = 0
        self.ended: list[str] = []

    async def numbers(self, count: int = 10**9) -> AsyncIterator[int]:
        try:
            for number in range(count):
                self.made = number + 1
                yield number
        finally:
            self.ended.append("numbers")

    def sync_numbers(self, count: int = 10**9) -> Iterator[int]:
        try:
            for number in range(count):
                self.made = number + 1
                yield number
        finally:
            self.ended.append("sync_numbers")

    async def one_and_wait(self) -> AsyncIterator[int]:
        try:
            self.made = 1
            yield 1
            await asyncio.sleep(30)
        finally:
            self.ended.append("one_and_wait")

    async def failing(self) -> AsyncIterator[int]:
        yield 1
        raise ValueError("the source is broken")

    def by_hand(self) -> Any:
        """Sees that it is closed even when it has not begun."""
        source = self

        class Numbers:
            def __aiter__(self) -> Any:
                return self

            async def __anext__(self) -> int:
                source.made += 1
                return source.made

            async def aclose(self) -> None:
                source.ended.append("by_hand")

        return Numbers()

    def returning(self) -> Any:
        yield 1
        return {"total": 1}


@pytest.fixture
def source() -> Source:
    return Source()


MANY = 1000


@pytest.mark.parametrize("kind", ["numbers", "sync_numbers"])
@pytest.mark.parametrize("method", ["sum", "sum_in_a_thread"])
def test_a_source_is_consumed_to_its_end(api: Any, source: Source, kind: str, method: str) -> None:
    call = getattr(api, method)(getattr(source, kind)(MANY))
    assert call.result(timeout_s=10) == sum(range(MANY))
    until(lambda: source.ended == [kind])


@pytest.mark.parametrize("method", ["doubled", "doubled_in_a_thread"])
def test_a_stream_of_a_stream(api: Any, source: Source, method: str) -> None:
    got = list(getattr(api, method)(source.numbers(MANY)))
    assert got == [2 * number for number in range(MANY)]
    until(lambda: source.ended == ["numbers"])


@pytest.mark.parametrize("method", ["doubled", "doubled_in_a_thread"])
def test_breaking_off_a_stream_of_a_stream_ends_both(
    api: Any, server: Any, source: Source, method: str
) -> None:
    for number in getattr(api, method)(source.numbers()):
        if number == 20:
            break
    until(lambda: source.ended == ["numbers"])
    until(lambda: server.running == 0)


@pytest.mark.parametrize("kind", ["numbers", "sync_numbers"])
@pytest.mark.parametrize("method", ["first", "first_in_a_thread"])
def test_a_handler_that_breaks_off_ends_the_source(
    api: Any, source: Source, kind: str, method: str
) -> None:
    assert getattr(api, method)(getattr(source, kind)()).result(timeout_s=5) == 0
    until(lambda: source.ended == [kind])
    assert source.made < 100  # pulled, not pushed


def test_two_sources_at_once(api: Any, source: Source) -> None:
    assert api.two(source.numbers(3), source.sync_numbers(2)).result(timeout_s=5) == [
        [0, 1, 2],
        [0, 1],
    ]


def test_a_plain_iterator_is_a_stream_and_a_list_is_not(api: Any) -> None:
    assert api.sum(map(abs, [-1, -2])).result(timeout_s=5) == 3
    assert api.sum(iter([1, 2, 3])).result(timeout_s=5) == 6
    assert api.echo([1, 2, 3]).result(timeout_s=5) == [1, 2, 3]


def test_what_a_source_raises_reaches_the_handler(api: Any, source: Source) -> None:
    assert api.what_comes(source.failing()).result(timeout_s=5) == [
        1,
        "ValueError: the source is broken",
    ]
    with pytest.raises(kk.RemoteError, match="the source is broken"):
        api.sum(source.failing()).result(timeout_s=5)


def test_what_a_source_returns_reaches_the_handler(api: Any, source: Source) -> None:
    assert api.returned(source.returning()).result(timeout_s=5) == {"total": 1}


def test_an_item_that_cannot_be_sent_fails_the_source(api: Any) -> None:
    seen = api.what_comes(iter([1, object()])).result(timeout_s=5)
    assert seen[0] == 1
    assert seen[1].startswith("EncodeError")


@pytest.mark.parametrize("method", ["refuses", "reads_one_and_refuses"])
def test_a_handler_that_fails_ends_the_source(api: Any, source: Source, method: str) -> None:
    with pytest.raises(kk.RemoteError, match="not "):
        getattr(api, method)(source.by_hand()).result(timeout_s=5)
    until(lambda: source.ended == ["by_hand"])


def test_a_source_that_nobody_read_is_returned(api: Any, source: Source) -> None:
    assert api.ignores(source.by_hand()).result(timeout_s=5) == "not needed"
    until(lambda: source.ended == ["by_hand"])
    assert source.made == 0


def test_a_method_that_is_not_there_returns_the_source(api: Any, source: Source) -> None:
    with pytest.raises(kk.RemoteError, match="nowhere"):
        api.nowhere(source.by_hand()).result(timeout_s=5)
    until(lambda: source.ended == ["by_hand"])


def test_cancelling_the_call_ends_the_source(api: Any, endpoint: Takes, source: Source) -> None:
    call = api.keeps_waiting(source.one_and_wait())
    until(lambda: endpoint.calls == ["item"])
    call.cancel()
    until(lambda: source.ended == ["one_and_wait"])
    with pytest.raises(kk.CallCancelled):
        call.result()


@pytest.mark.parametrize("busy_s", [0, 0.05], ids=["sent", "not sent"])
def test_cancelling_at_once_ends_a_source_that_has_not_begun(
    api: Any, source: Source, busy_s: float
) -> None:
    io_loop().post(time.sleep, busy_s)
    api.keeps_waiting(source.by_hand()).cancel()
    until(lambda: source.ended == ["by_hand"])
    until(lambda: len(carrier(api)._channel.outgoing) == 0)


def test_a_time_limit_of_the_call_ends_the_source(api: Any, source: Source) -> None:
    with pytest.raises(kk.CallTimeout):
        kk.call(api.keeps_waiting, source.one_and_wait(), timeout_s=0.2).result()
    until(lambda: source.ended == ["one_and_wait"])


def test_losing_the_connection_ends_the_source_and_its_handler(
    api: Any, server: Any, endpoint: Takes, source: Source
) -> None:
    call = api.keeps_waiting(source.one_and_wait())
    until(lambda: endpoint.calls == ["item"])
    io_loop().post(carrier(api)._channel.abort)
    with pytest.raises(kk.ConnectionLost):
        call.result(timeout_s=5)
    until(lambda: source.ended == ["one_and_wait"])
    until(lambda: server.running == 0)


def test_a_call_of_another_connection_is_passed_on(
    api: Any, start: Callable[..., Any], spoken: dict[str, str]
) -> None:
    with start(Endpoint()) as second, second.connect(**spoken) as other:
        passed = other.countdown(200)
        until(lambda: passed.is_open_stream)
        assert api.sum(passed).result(timeout_s=5) == sum(range(201))

        endless = other.ticks()
        until(lambda: endless.is_open_stream)
        assert api.first(endless).result(timeout_s=5) == 0
        until(lambda: endless.state == "cancelled")
        until(lambda: second.running == 0)


def test_a_call_of_the_other_protocol_is_passed_on(api: Any, start: Callable[..., Any]) -> None:
    with start(Endpoint()) as second, second.connect(protocol="classic") as other:
        passed = other.countdown(200)
        until(lambda: passed.is_open_stream)
        assert api.sum(passed).result(timeout_s=5) == sum(range(201))


def test_nothing_is_kept_of_a_source_that_is_over(api: Any, server: Any, source: Source) -> None:
    for _ in range(20):
        assert api.sum(source.numbers(3)).result(timeout_s=5) == 3
        assert api.first(source.numbers(3)).result(timeout_s=5) == 0
    (producer,) = server._clients._producers
    for channel in (carrier(api)._channel, producer.channel):
        until(lambda channel=channel: len(channel.outgoing) == 0)
        until(lambda channel=channel: channel.calls.under_way == [])


def test_a_source_is_read_at_the_pace_of_its_reader(api: Any, source: Source) -> None:
    """The reader of the result stands still, so its handler does, and so does the source."""
    loop = iter(api.doubled(source.numbers()))
    assert next(loop) == 0
    api.echo("a round trip").result()
    rest = source.made
    assert rest < 1000
    assert [next(loop) for _ in range(500)] == [2 * number for number in range(1, 501)]
    assert source.made > rest
    del loop
    gc.collect()
    until(lambda: source.ended == ["numbers"])


# ---- message by message


def test_what_a_handler_was_passed_goes_back_before_its_error() -> None:
    """As the peers have it: `return` first, then the error."""
    with kk.serve(Takes(), token=False) as server, raw_client(server.url, "compact") as peer:
        peer.send(peer.wire.request("c1", "call", ["refuses"], [StreamRef("s1")]))
        back, failed = peer.receive(), peer.receive()
        assert isinstance(back, Cancelled)
        assert back.stream_id == "s1"
        assert isinstance(failed, Failed)
        assert failed.id == "c1"
        peer.send(peer.wire.acknowledge(back.control_id, "s1", None, "json"))
        assert peer.call("echo", 1).value == 1


def test_our_side_pulls_an_argument_when_it_is_read() -> None:
    with kk.serve(Takes(), token=False) as server, raw_client(server.url, "compact") as peer:
        peer.send(peer.wire.request("c1", "call", ["sum"], [StreamRef("s1")]))
        credit, sent = 0, 0
        while sent < 50:
            if sent == credit:
                pulled = peer.receive()
                assert isinstance(pulled, Credited)
                credit += pulled.count
            peer.send(peer.wire.item("s1", 1, "json"))
            sent += 1
        peer.send(peer.wire.end("s1", kk.undefined, "json"))
        event = peer.receive()
        while isinstance(event, Credited):
            event = peer.receive()
        assert event == Replied("c1", 50)


def test_a_peer_that_ends_its_argument_too_early_and_goes_on_harms_nobody() -> None:
    with kk.serve(Takes(), token=False) as server, raw_client(server.url, "compact") as peer:
        peer.send(
            peer.wire.request("c1", "call", ["sum"], [StreamRef("s1")]),
            peer.wire.end("s1", 1, "json"),
            peer.wire.item("s1", 5, "json"),
            peer.wire.end("s1", 1, "json"),
        )
        event = peer.receive()
        while isinstance(event, Credited | Cancelled | Acknowledged | Item | Ended | Opened):
            event = peer.receive()
        assert event == Replied("c1", 0)
