"""One stream of ours: what the peer says to it, and what leaves in which order."""

from __future__ import annotations

import asyncio
import json
import math
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from support.waiting import PATIENCE_S, until

import kkjupyter as kk
from kkjupyter.connection.outgoing_streams import OutgoingStream, OutgoingStreams, as_exception
from kkjupyter.runtime.loop_threads import handler_loop, io_loop
from kkjupyter.runtime.waiting import Notifier
from kkjupyter.wire.events import Credited, Ended, Failed, Item, Thrown
from kkjupyter.wire.kkrpc.classic.protocol import Classic
from kkjupyter.wire.kkrpc.compact.protocol import Compact


class Sent:
    """A send queue that keeps what it is given."""

    def __init__(self) -> None:
        self.notifier = Notifier()
        self.full = False
        self.messages: list[bytes] = []
        self.put = self.messages.append

    @property
    def events(self) -> list[Any]:
        wire = Compact("json") if b'"t":' in b"".join(self.messages) else Classic("json")
        return list(wire.receive(list(self.messages), whole=True))

    @property
    def values(self) -> list[Any]:
        return [event.value for event in self.events if isinstance(event, Item)]


@pytest.fixture
def sent() -> Sent:
    return Sent()


def make(source: Any, sent: Sent, protocol: Any = None, **options: Any) -> OutgoingStream:
    wire = protocol or Compact("json")
    return OutgoingStream(source, "s1", "test", wire, sent, "json", **options)  # type: ignore[arg-type]


def start(stream: OutgoingStream) -> Any:
    return handler_loop().submit(stream.run())


def on_io(fn: Any, *args: Any) -> Any:
    async def run() -> Any:
        return fn(*args)

    return io_loop().submit(run()).result(PATIENCE_S)


class Sources:
    def __init__(self) -> None:
        self.made = 0
        self.log: list[str] = []
        self.gate = threading.Event()

    async def numbers(self, count: int = 10**6) -> AsyncIterator[int]:
        try:
            for number in range(count):
                self.made = number + 1
                yield number
        finally:
            await asyncio.sleep(0.01)
            self.log.append("ended")

    def sync_numbers(self, count: int = 10**6) -> Iterator[int]:
        try:
            for number in range(count):
                self.made = number + 1
                yield number
        finally:
            self.log.append("ended")

    def blocked(self) -> Iterator[int]:
        yield 1
        self.log.append("blocked")
        self.gate.wait(5)
        yield 2

    async def failing(self) -> AsyncIterator[int]:
        yield 1
        raise ValueError("broken")


@pytest.fixture
def sources() -> Sources:
    return Sources()


KINDS = ["numbers", "sync_numbers"]


@pytest.mark.parametrize("kind", KINDS)
def test_it_sends_as_much_as_it_has_credit(sources: Sources, sent: Sent, kind: str) -> None:
    stream = make(getattr(sources, kind)(), sent)
    done = start(stream)
    for total, count in [(1, 1), (4, 3), (10, 6)]:
        on_io(stream.credited, count)
        until(lambda total=total: len(sent.values) == total)
        assert sources.made == total
    assert stream.must_wait
    stream.cancel()
    wait(done)
    until(lambda: sources.log == ["ended"])
    assert len(sent.values) == 10


@pytest.mark.parametrize("kind", KINDS)
def test_the_end_needs_credit(sources: Sources, sent: Sent, kind: str) -> None:
    stream = make(getattr(sources, kind)(3), sent)
    done = start(stream)
    on_io(stream.credited, 3)
    until(lambda: len(sent.values) == 3)
    assert not done.done()
    on_io(stream.credited, 1)
    done.result(PATIENCE_S)
    assert sent.events[-1] == Ended("s1", kk.undefined)
    assert stream.over


def test_without_credit_in_the_protocol_nothing_is_waited_for(sources: Sources, sent: Sent) -> None:
    stream = make(sources.numbers(3), sent, Classic("json"))
    assert stream._granted == math.inf
    start(stream).result(PATIENCE_S)
    assert [type(event) for event in sent.events] == [Item, Item, Item, Ended]


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_send_queue_holds_it_up(sources: Sources, sent: Sent, kind: str) -> None:
    stream = make(getattr(sources, kind)(5), sent)
    sent.full = True
    on_io(stream.credited, 100)
    done = start(stream)
    handler_loop().submit(asyncio.sleep(0.05)).result(PATIENCE_S)
    assert sent.messages == []
    sent.full = False
    sent.notifier.notify()
    done.result(PATIENCE_S)
    assert sent.values == [0, 1, 2, 3, 4]


def test_a_failure_is_told_once(sources: Sources, sent: Sent) -> None:
    stream = make(sources.failing(), sent)
    on_io(stream.credited, 10)
    start(stream).result(PATIENCE_S)
    (item, failed) = sent.events
    assert item.value == 1
    assert isinstance(failed, Failed)
    assert (failed.id, failed.error.message) == ("s1", "broken")  # type: ignore[attr-defined]


def test_each_value_is_checked(sent: Sent) -> None:
    def check(value: Any) -> Any:
        if value == 2:
            raise ValueError("not this one")
        return value * 10

    stream = make(iter([0, 1, 2, 3]), sent, check_item=check)
    on_io(stream.credited, 10)
    start(stream).result(PATIENCE_S)
    assert sent.values == [0, 10]
    assert isinstance(sent.events[-1], Failed)


# ---- cancels


@pytest.mark.parametrize("kind", KINDS)
def test_one_that_is_cancelled_before_it_began_makes_nothing(
    sources: Sources, sent: Sent, kind: str
) -> None:
    stream = make(getattr(sources, kind)(), sent)
    on_io(stream.credited, 10)
    on_io(stream.cancel, "c1", "kept")
    start(stream).result(PATIENCE_S)
    until(lambda: sent.messages)
    assert sources.made == 0
    (text,) = [message.decode() for message in sent.messages]
    assert '"id":"c1"' in text
    assert '"v":"kept"' in text


def test_an_acknowledgement_waits_for_the_finally(sources: Sources, sent: Sent) -> None:
    stream = make(sources.numbers(), sent)
    done = start(stream)
    on_io(stream.credited, 1)
    until(lambda: sent.values == [0])
    on_io(stream.cancel, "c1")
    assert len(sent.messages) == 1
    wait(done)
    until(lambda: len(sent.messages) == 2)
    assert sources.log == ["ended"]
    on_io(stream.cancel, "c2")  # that of one that is over comes at once
    assert len(sent.messages) == 3


def test_a_sync_source_that_cannot_be_reached_is_acknowledged_at_once(
    sources: Sources, sent: Sent
) -> None:
    stream = make(sources.blocked(), sent)
    done = start(stream)
    on_io(stream.credited, 10)
    until(lambda: sources.log == ["blocked"])
    on_io(stream.cancel, "c1")
    assert len(sent.messages) == 2
    sources.gate.set()
    wait(done)
    assert sent.values == [1]


@pytest.mark.parametrize("protocol", [Compact("json"), Classic("json")], ids=lambda p: p.name)
def test_nothing_is_made_between_a_cancel_and_its_coming_to_the_task(
    sent: Sent, protocol: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The I/O loop says it to the handler loop, which has more to do."""
    made: list[int] = []
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def source() -> AsyncIterator[int]:
        for number in range(10**6):
            made.append(number)
            if number == 1:
                reached.set()
                await go_on.wait()
            yield number

    stream = make(source(), sent, protocol)
    cancel_task = stream._cancel_task
    monkeypatch.setattr(stream, "_cancel_task", lambda: None)
    done = start(stream)
    if protocol.has_credit:
        on_io(stream.credited, 2)
    until(reached.is_set)
    on_io(stream.cancel)
    handler_loop().post(go_on.set)
    handler_loop().submit(asyncio.sleep(0.05)).result(PATIENCE_S)
    assert made == [0, 1]
    handler_loop().post(cancel_task)
    wait(done)
    assert made == [0, 1]


def test_our_side_fails_it_once(sources: Sources, sent: Sent) -> None:
    stream = make(sources.numbers(), sent)
    done = start(stream)
    on_io(stream.credited, 1)
    until(lambda: sent.values == [0])
    for _ in range(2):
        on_io(stream.fail, kk.RemoteError("no longer", name="CallCancelled"))
    wait(done)
    (failed,) = [event for event in sent.events if isinstance(event, Failed)]
    assert failed.error.name == "CallCancelled"  # type: ignore[attr-defined]
    until(lambda: sources.log == ["ended"])


def wait(done: Any) -> None:
    """Until it is over, however it ends."""

    until(done.done)
    handler_loop().submit(_nothing()).result(PATIENCE_S)
    io_loop().submit(_nothing()).result(PATIENCE_S)


async def _nothing() -> None:
    pass


# ---- errors thrown in


def test_a_throw_needs_no_credit_and_none_is_spent(sent: Sent) -> None:
    async def source() -> AsyncIterator[Any]:
        while True:
            try:
                yield "value"
            except kk.RemoteError as error:
                yield error.message

    stream = make(source(), sent)
    done = start(stream)
    on_io(stream.credited, 1)
    until(lambda: sent.values == ["value"])
    on_io(stream.thrown, "t1", {"name": "Error", "message": "a word"})
    until(lambda: len(sent.messages) == 2)
    assert b'"id":"t1"' in sent.messages[1]
    assert b"a word" in sent.messages[1]
    on_io(stream.credited, 1)
    until(lambda: len(sent.messages) == 3)
    stream.cancel()
    wait(done)


def test_what_is_yielded_in_answer_is_checked_like_every_item(sent: Sent) -> None:
    async def source() -> AsyncIterator[Any]:
        try:
            yield 1
        except kk.RemoteError:
            yield "no number"

    def check(value: Any) -> Any:
        if not isinstance(value, int):
            raise ValueError("it must be a number")
        return value

    stream = make(source(), sent, check_item=check)
    done = start(stream)
    on_io(stream.credited, 1)
    until(lambda: sent.values == [1])
    on_io(stream.thrown, "t1", {"name": "Error", "message": "a word"})
    wait(done)
    assert b"no number" not in b"".join(sent.messages)
    assert b"it must be a number" in sent.messages[-1]


def test_throws_that_are_left_when_it_ends_are_answered(sources: Sources, sent: Sent) -> None:
    stream = make(sources.numbers(), sent)
    on_io(stream.thrown, "t1", "first")
    on_io(stream.thrown, "t2", "second")
    wait(start(stream))
    until(lambda: len(sent.messages) == 2)
    assert b'"id":"t1"' in sent.messages[0]
    assert b'"id":"t2"' in sent.messages[1]


@pytest.mark.parametrize(
    ("thrown", "name", "text"),
    [
        ({"name": "TypeError", "message": "boom", "code": 7}, "TypeError", "boom"),
        ({"message": "boom"}, "Error", "boom"),
        ({"name": 5, "message": "boom"}, "Error", "boom"),
        ({}, None, "{}"),
        ("a text", None, "a text"),
        (None, None, "None"),
        ({"message": 5}, None, "{'message': 5}"),
    ],
    ids=str,
)
def test_what_is_thrown_as_an_exception(thrown: Any, name: str | None, text: str) -> None:
    error = as_exception(thrown)
    assert error.message == text
    if name is None:
        assert isinstance(error, kk.RemoteThrow)
        assert error.value == thrown
    else:
        assert error.name == name
        assert error.data == ({"code": 7} if "code" in thrown else {})


def test_an_error_is_raised_as_it_came() -> None:
    error = kk.RemoteError("mine")
    assert as_exception(error) is error


def test_a_table_whose_connection_ends_calls_no_stream_unknown(sent: Sent) -> None:
    """A server that closes has cancelled its streams; the lost connection tells their readers."""
    table = OutgoingStreams(Compact("json"), sent)  # type: ignore[arg-type]
    pull = Credited("s1", 5, "q1")
    table.credited(pull)
    assert len(sent.messages) == 1
    table.is_ending = True
    table.credited(pull)
    assert len(sent.messages) == 1


# ---- what a peer says to streams that are over


async def nothing() -> AsyncIterator[int]:
    return
    yield 0


async def failing() -> AsyncIterator[int]:
    raise ValueError("boo")
    yield 0


def said_at_the_end(source: AsyncIterator[int], late: Credited | Thrown) -> list[dict[str, Any]]:
    """What is sent when the peer says something while the end is on its way to the send queue."""
    said: list[dict[str, Any]] = []
    protocol = Compact("json")

    def put(message: bytes) -> None:
        if not said:
            streams.credited(late) if isinstance(late, Credited) else streams.thrown(late)
        said.append(json.loads(message))

    send_queue: Any = SimpleNamespace(put=put, full=False)
    streams = OutgoingStreams(protocol, send_queue)
    stream = OutgoingStream(source, "s", "f()", protocol, send_queue, "json")
    streams.add(stream)
    stream.credited(1)
    handler_loop().submit(stream.run()).result(timeout=10)
    for loop in (handler_loop(), io_loop()):
        loop.flush(timeout_s=10)
    return said


@pytest.mark.parametrize("source", [nothing, failing])
@pytest.mark.parametrize("late", [Thrown("s", "c", "late"), Credited("s", 1, "c")])
def test_what_is_said_to_a_stream_as_it_ends_is_answered_after_its_end(
    source: Callable[[], AsyncIterator[int]], late: Credited | Thrown
) -> None:
    """It would never be answered, as if the generator had caught it, or in place of the end."""
    end, answer = said_at_the_end(source(), late)
    assert end.get("d") or end["e"]["m"] == "boo"
    assert (answer["id"], answer["e"]["m"]) == ("c", "Unknown RPC stream s")
