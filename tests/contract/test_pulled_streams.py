"""Streams of the compact protocol: credit, return values, errors thrown in, acknowledgements."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import pytest
from support.endpoints import Endpoint
from support.peers.raw import RawPeer, raw_client
from support.waiting import PATIENCE_S, until

import kkjupyter as kk
from kkjupyter.wire.events import Acknowledged, Ended, Failed, Item, Opened

pytestmark = pytest.mark.only("compact")


class Streams(Endpoint):
    """What only this protocol can carry, and what makes trouble in it."""

    def __init__(self) -> None:
        super().__init__()
        self.log: list[str] = []

    def returning(self, value: Any = None) -> Generator[int, None, Any]:
        yield 1
        return value

    async def catching(self) -> AsyncIterator[str]:
        try:
            yield "first"
            yield "second"
        except kk.RemoteError as error:
            yield f"caught {error.message}"
            yield "and on"

    def catching_sync(self) -> Iterator[str]:
        try:
            yield "first"
            yield "second"
        except kk.RemoteError as error:
            yield f"caught {error.message}"
            yield "and on"

    async def counting(self) -> AsyncIterator[Any]:
        number: int = 0
        value: Any = 0
        while True:
            try:
                yield value
            except kk.RemoteError as error:
                value = f"caught {error.message}"
            else:
                value = number = number + 1

    def counting_sync(self) -> Iterator[Any]:
        number: int = 0
        value: Any = 0
        while True:
            try:
                yield value
            except kk.RemoteError as error:
                value = f"caught {error.message}"
            else:
                value = number = number + 1

    async def catching_at_its_end(self) -> AsyncIterator[str]:
        try:
            yield "first"
        except kk.RemoteError:
            self.log.append("caught")

    async def rethrowing(self) -> AsyncIterator[str]:
        try:
            yield "first"
        except kk.RemoteError as error:
            raise KeyError("instead") from error

    async def cleaning(self) -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
            await asyncio.sleep(30)
        finally:
            self.log.append("begin")
            await asyncio.sleep(0.05)
            self.log.append("end")

    async def stubborn(self) -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.sleep(30)
        finally:
            yield 2  # which Python forbids

    async def swallowing(self) -> AsyncIterator[int]:
        number = 0
        while True:
            yield number
            number += 1
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                self.log.append("swallowed")


@pytest.fixture
def endpoint() -> Streams:
    return Streams()


@pytest.fixture
def peer(endpoint: Streams) -> Iterator[RawPeer]:
    """A client that does only what it is told; its server is ours."""
    with kk.serve(endpoint, token=False) as server, raw_client(server.url, "compact") as peer:
        yield peer
        endpoint.gate.set()


def opened(peer: RawPeer, method: str, *args: Any) -> str:
    """Call something that streams; the stream's id."""
    answer = peer.call(method, *args)
    assert isinstance(answer, Opened)
    return answer.stream_id


def values(events: list[Any]) -> list[Any]:
    assert all(isinstance(event, Item) for event in events), events
    return [event.value for event in events]


# ---- credit, as our producer obeys it


def test_a_stream_begins_with_the_first_pull(peer: RawPeer, endpoint: Streams) -> None:
    stream = opened(peer, "once_then_wait")
    assert peer.is_quiet()
    assert endpoint.calls == []
    peer.send(peer.wire.pull(stream, 1))
    assert values(peer.take(1)) == ["first"]


def test_a_producer_makes_what_was_pulled_and_no_more(peer: RawPeer, endpoint: Streams) -> None:
    stream = opened(peer, "items", 1000)
    made = 0
    for count in (1, 3, 32, 16):
        peer.send(peer.wire.pull(stream, count))
        assert values(peer.take(count)) == list(range(made, made + count))
        made += count
        assert peer.is_quiet()
        assert endpoint.produced == made
    peer.send(peer.wire.pull(stream, 2), peer.wire.pull(stream, 5))  # it adds up
    assert len(values(peer.take(7))) == 7
    assert peer.is_quiet()


def test_a_sync_producer_makes_what_was_pulled_and_no_more(
    peer: RawPeer, endpoint: Streams
) -> None:
    stream = opened(peer, "sync_ticks")
    for _ in range(2):
        peer.send(peer.wire.pull(stream, 3))
        assert len(values(peer.take(3))) == 3
        assert peer.is_quiet()
    assert endpoint.produced == 5  # it counts when it goes on behind a value
    peer.send(peer.wire.cancel(stream))
    until(lambda: endpoint.finals == ["sync_ticks"])


def test_the_end_takes_a_credit(peer: RawPeer) -> None:
    stream = opened(peer, "countdown", 2)
    peer.send(peer.wire.pull(stream, 3))
    assert values(peer.take(3)) == [2, 1, 0]
    assert peer.is_quiet()
    peer.send(peer.wire.pull(stream, 1))
    assert peer.receive() == Ended(stream, kk.undefined)


def test_an_error_takes_a_credit(peer: RawPeer) -> None:
    stream = opened(peer, "failing_stream")
    peer.send(peer.wire.pull(stream, 2))
    assert values(peer.take(2)) == [1, 2]
    assert peer.is_quiet()
    peer.send(peer.wire.pull(stream, 1))
    failed = peer.receive()
    assert (failed.id, failed.error.name, failed.error.message) == (
        stream,
        "RuntimeError",
        "something went wrong",
    )


@pytest.mark.parametrize(
    ("count", "meant"),
    [(0, 1), (-5, 1), ("7", 1), (None, 1), (2.9, 2), ([], 1), (True, 1), (3, 3)],
    ids=str,
)
def test_an_odd_count_is_read_as_the_peers_read_it(peer: RawPeer, count: Any, meant: int) -> None:
    stream = opened(peer, "items", 100)
    peer.send_json(t="sq", id="x", sid=stream, op="pull", n=count)
    assert len(values(peer.take(meant))) == meant
    assert peer.is_quiet(0.05)


def test_a_pull_without_a_count_is_one(peer: RawPeer) -> None:
    stream = opened(peer, "items", 100)
    peer.send_json(t="sq", id="x", sid=stream, op="pull")
    assert values(peer.take(1)) == [0]
    assert peer.is_quiet(0.05)


def test_an_enormous_count_harms_nobody(peer: RawPeer, endpoint: Streams) -> None:
    stream = opened(peer, "tight")
    for count in (1e9, 1e300, 10**400):
        peer.send_json(t="sq", id="x", sid=stream, op="pull", n=count)
    assert values(peer.take(100)) == list(range(100))
    peer.send(peer.wire.cancel(stream))
    until(lambda: endpoint.finals == ["tight"])


# ---- credit, as our consumer grants it


def test_nothing_is_made_before_somebody_reads(api: Any, endpoint: Streams) -> None:
    call = api.items(1000)
    until(lambda: call.state == "streaming")
    api.echo("a round trip").result()
    assert endpoint.produced == 0
    loop = iter(call)
    assert [next(loop) for _ in range(200)] == list(range(200))
    call.cancel()


def test_the_window_grows_while_the_reader_keeps_up_and_not_before(
    api: Any, endpoint: Streams
) -> None:
    loop = iter(api.items(1_000_000))
    assert next(loop) == 0
    api.echo("a round trip").result()
    assert endpoint.produced <= 1 + 64
    for number in range(1, 20_000):
        assert next(loop) == number
    ahead = endpoint.produced - 20_000
    print("values ahead of the reader:", ahead)
    assert ahead < 65_536 + 64


# ---- the end


@pytest.mark.parametrize("value", [{"total": 3}, "text", 0, [1, 2], None])
def test_what_a_generator_returns_arrives(api: Any, value: Any) -> None:
    call = api.returning(value)
    assert list(call) == [1]
    assert call.return_value == (kk.undefined if value is None else value)


def test_a_generator_without_a_value_returns_undefined(api: Any) -> None:
    call = api.countdown(1)
    assert list(call) == [1, 0]
    assert call.return_value is kk.undefined


def test_next_after_an_error_or_a_cancel(api: Any) -> None:
    """The peers raise the same error for ever; here a loop ends once."""
    loop = iter(api.failing_stream())
    assert [next(loop), next(loop)] == [1, 2]
    with pytest.raises(kk.RemoteError):
        next(loop)
    for _ in range(2):
        with pytest.raises(StopIteration):
            next(loop)


# ---- errors thrown in


@pytest.mark.parametrize("method", ["counting", "counting_sync"])
def test_a_generator_may_catch_what_is_thrown_into_it(api: Any, method: str) -> None:
    call = getattr(api, method)()
    loop = iter(call)
    assert next(loop) == 0
    assert call.throw(ValueError("a word")).result(timeout_s=PATIENCE_S) == "caught a word"
    assert call.throw("no error").result(timeout_s=PATIENCE_S) == "caught no error"
    assert [next(loop) for _ in range(200)] == list(range(1, 201))
    call.cancel()


@pytest.mark.parametrize("method", ["catching", "catching_sync"])
def test_a_thrown_error_is_raised_where_the_generator_stands(peer: RawPeer, method: str) -> None:
    stream = opened(peer, method)
    peer.send(peer.wire.pull(stream, 1))
    assert values(peer.take(1)) == ["first"]
    peer.send(peer.wire.throw("t1", stream, ValueError("a word")))
    assert peer.receive() == Acknowledged("t1", stream, False, "caught a word")
    peer.send(peer.wire.pull(stream, 1))
    assert values(peer.take(1)) == ["and on"]
    peer.send(peer.wire.pull(stream, 1))
    assert isinstance(peer.receive(), Ended)


def test_what_the_peers_make_of_an_error_that_is_thrown_is_raised_too(peer: RawPeer) -> None:
    """There an Error becomes {}."""
    stream = opened(peer, "catching")
    peer.send(peer.wire.pull(stream, 1))
    peer.take(1)
    peer.send_json(t="sq", id="x", sid=stream, op="throw", v={})
    answer = peer.receive()
    assert isinstance(answer, Item)  # a raw id: the peer's own reader knows its controls by theirs
    assert answer.value.startswith("caught")


@pytest.mark.parametrize(("method", "name"), [("items", "ValueError"), ("rethrowing", "KeyError")])
def test_an_error_that_is_not_caught_fails_the_stream(
    peer: RawPeer, method: str, name: str
) -> None:
    stream = opened(peer, method, *([5] if method == "items" else []))
    peer.send(peer.wire.pull(stream, 1))
    peer.take(1)
    peer.send(peer.wire.throw("t1", stream, ValueError("a word")))
    answer = peer.receive()
    assert isinstance(answer, Acknowledged)
    assert answer.error is not None
    assert getattr(answer.error, "name", "") == name
    peer.send(peer.wire.pull(stream, 1))
    unknown = peer.receive()
    assert isinstance(unknown, Failed)
    assert "Unknown RPC stream" in str(unknown.error)


def test_an_error_that_is_not_caught_reaches_who_threw_it_and_who_reads(
    api: Any, endpoint: Streams
) -> None:
    call = api.ticks()
    loop = iter(call)
    assert next(loop) == 0
    with pytest.raises(kk.RemoteError, match="a word"):
        call.throw(ValueError("a word")).result(timeout_s=PATIENCE_S)
    with pytest.raises(kk.RemoteError, match="a word"):
        list(loop)
    until(lambda: endpoint.finals == ["ticks"])


@pytest.mark.parametrize("method", ["catching", "catching_sync"])
def test_an_error_thrown_before_the_generator_began_ends_it(peer: RawPeer, method: str) -> None:
    stream = opened(peer, method)
    peer.send(peer.wire.throw("t1", stream, ValueError("a word")))
    answer = peer.receive()
    assert isinstance(answer, Acknowledged)
    assert "a word" in str(answer.error)


def test_a_generator_that_ends_when_something_is_thrown(peer: RawPeer, endpoint: Streams) -> None:
    stream = opened(peer, "catching_at_its_end")
    peer.send(peer.wire.pull(stream, 1))
    peer.take(1)
    peer.send(peer.wire.throw("t1", stream, ValueError("a word")))
    assert peer.receive() == Acknowledged("t1", stream, True, kk.undefined)
    assert endpoint.log == ["caught"]


def test_nothing_can_be_thrown_into_a_stream_that_is_over(api: Any) -> None:
    call = api.countdown(1)
    assert list(call) == [1, 0]
    with pytest.raises(kk.UsageError, match="not a running stream"):
        call.throw(ValueError())


@pytest.mark.only("memory")
def test_a_throw_is_raised_once_though_the_stream_waits_for_credit(api: Any) -> None:
    call = api.catching()
    until(lambda: call.state == "streaming")
    with pytest.raises(kk.RemoteError, match="too early"):
        call.throw(ValueError("too early")).result(timeout_s=PATIENCE_S)
    assert call.state == "failed"
    with pytest.raises(kk.RemoteError, match="too early"):
        list(call)


# ---- acknowledgements


def test_a_cancel_is_acknowledged_when_the_finally_of_an_async_generator_has_run(
    peer: RawPeer, endpoint: Streams
) -> None:
    stream = opened(peer, "cleaning")
    peer.send(peer.wire.pull(stream, 10))
    assert values(peer.take(2)) == [1, 2]
    peer.send(peer.wire.cancel(stream))
    answer = peer.receive()
    assert isinstance(answer, Acknowledged)
    assert (answer.stream_id, answer.done) == (stream, True)
    assert endpoint.log == ["begin", "end"]
    assert peer.is_quiet()


def test_a_cancel_of_a_sync_generator_is_acknowledged_at_once(
    peer: RawPeer, endpoint: Streams
) -> None:
    stream = opened(peer, "sync_then_blocked")
    peer.send(peer.wire.pull(stream, 10))
    assert values(peer.take(1)) == ["first"]
    until(lambda: endpoint.calls == ["sync_then_blocked"])
    peer.send(peer.wire.cancel(stream))
    assert isinstance(peer.receive(), Acknowledged)
    assert endpoint.finals == []
    endpoint.gate.set()
    until(lambda: endpoint.finals == ["sync_then_blocked"])
    assert peer.is_quiet()


def test_a_cancel_brings_back_the_value_it_carries(peer: RawPeer) -> None:
    stream = opened(peer, "countdown", 3)
    peer.send_json(t="sq", id="mine", sid=stream, op="return", v={"kept": 1})
    assert '"kept":1' in peer.receive_text().replace(" ", "")


@pytest.mark.parametrize("method", ["stubborn", "swallowing"])
def test_a_stubborn_generator_is_acknowledged_and_nothing_comes_after(
    peer: RawPeer, method: str
) -> None:
    stream = opened(peer, method)
    peer.send(peer.wire.pull(stream, 5))
    assert len(values(peer.take(1))) == 1
    assert peer.is_quiet(0.03)
    peer.send(peer.wire.cancel(stream))
    answer = peer.receive()
    assert isinstance(answer, Acknowledged)
    assert peer.is_quiet()
    assert peer.call("echo", 1).value == 1


def test_a_stream_that_is_cancelled_twice_is_acknowledged_twice(peer: RawPeer) -> None:
    stream = opened(peer, "once_then_wait")
    peer.send(peer.wire.pull(stream, 1))
    peer.take(1)
    peer.send(peer.wire.cancel(stream), peer.wire.cancel(stream))
    assert [type(event) for event in peer.take(2)] == [Acknowledged, Acknowledged]


def test_no_value_follows_an_acknowledgement(peer: RawPeer, endpoint: Streams) -> None:
    stream = opened(peer, "tight")
    peer.send(peer.wire.pull(stream, 100_000))
    peer.take(50)
    peer.send(peer.wire.cancel(stream))
    while not isinstance(event := peer.receive(), Acknowledged):
        assert isinstance(event, Item)
    assert peer.is_quiet()
    until(lambda: endpoint.finals == ["tight"])


def test_a_stream_that_is_not_there(peer: RawPeer) -> None:
    peer.send(peer.wire.cancel("nowhere"))
    assert isinstance(peer.receive(), Acknowledged)
    peer.send(peer.wire.throw("t1", "nowhere", ValueError("a word")))
    answer = peer.receive()
    assert isinstance(answer, Acknowledged)
    assert "Unknown RPC stream nowhere" in str(answer.error)
    peer.send(peer.wire.pull("nowhere", 1))
    failed = peer.receive()
    assert isinstance(failed, Failed)
    assert "Unknown RPC stream nowhere" in str(failed.error)
    assert peer.call("echo", 1).value == 1


def test_a_call_is_cancelled_by_its_id(peer: RawPeer, endpoint: Streams) -> None:
    """The peers have no word for that; ours is one they merely acknowledge."""
    peer.send(peer.wire.request("a call", "call", ["slow"]))
    until(lambda: endpoint.calls == ["slow"])
    peer.send(peer.wire.cancel("a call"))
    assert isinstance(peer.receive(), Acknowledged)
    until(lambda: endpoint.finals == ["slow"])
    assert peer.is_quiet()


def test_leaving_a_loop_does_not_wait_for_the_acknowledgement(api: Any, endpoint: Streams) -> None:
    """A sync producer that cannot be reached: the loop is left all the same."""
    left = threading.Event()

    def read() -> None:
        for _ in api.sync_then_blocked():
            until(lambda: endpoint.calls == ["sync_then_blocked"])
            break
        left.set()

    thread = threading.Thread(target=read)
    thread.start()
    assert left.wait(PATIENCE_S)
    assert endpoint.finals == []
    endpoint.gate.set()
    thread.join()
    until(lambda: endpoint.finals == ["sync_then_blocked"])
