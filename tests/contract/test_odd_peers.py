"""Peers that say what no decent peer says: every call ends, and nobody else is harmed."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from support.endpoints import Endpoint
from support.peers.raw import RawPeer, raw_client, raw_server
from support.waiting import until

import kkjupyter as kk
from kkjupyter.wire.events import Acknowledged, Credited, Item, Opened, StreamRef

COMPACT = {"protocol": "compact", "codec": "json"}
UNWRITABLE = 2**53 + 1  # JSON text may say it, and this side never does


class Threaded(Endpoint):
    """Handlers that read a stream in a thread, or not at all."""

    async def ignore(self, numbers: Any) -> None:
        pass

    def read_all(self, numbers: Any) -> None:
        try:
            for _ in numbers:
                self.calls.append("item")
        finally:
            self.finals.append("read_all")

    def pass_on(self, numbers: Any) -> Iterator[Any]:
        try:
            yield from numbers
        finally:
            self.finals.append("pass_on")


@pytest.fixture
def endpoint() -> Threaded:
    return Threaded()


@pytest.fixture
def peer(endpoint: Threaded) -> Iterator[RawPeer]:
    with kk.serve(endpoint, token=False) as server, raw_client(server.url, "compact") as peer:
        yield peer


# ---- cancels with a value that cannot be sent back


def test_a_cancel_of_nothing_with_a_value_that_cannot_be_sent_back(peer: RawPeer) -> None:
    assert peer.call("echo", 1).value == 1
    peer.send_json(t="sq", id="mine", sid="nobody", op="return", v=UNWRITABLE)
    assert "2**53" in peer.receive_text()
    assert peer.call("echo", 1).value == 1


def test_a_cancel_of_a_stream_with_a_value_that_cannot_be_sent_back(
    peer: RawPeer, endpoint: Threaded
) -> None:
    stream = peer.call("once_then_wait").stream_id
    peer.send(peer.wire.pull(stream, 2))
    assert isinstance(peer.receive(), Item)
    peer.send_json(t="sq", id="first", sid=stream, op="return", v=UNWRITABLE)
    peer.send(peer.wire.cancel(stream))
    assert "2**53" in peer.receive_text()
    assert isinstance(peer.receive(), Acknowledged)  # nor is the other control forgotten
    until(lambda: endpoint.finals == ["once_then_wait"])


# ---- ids that are taken


def test_two_streams_of_one_id_end_both_calls() -> None:
    def play(peer: RawPeer) -> None:
        for _ in range(2):
            peer.send(peer.wire.open_stream(peer.receive().call_id, "same", "json"))
        assert isinstance(peer.receive(), Credited)

    with raw_server(play) as url, kk.connect(url, **COMPACT) as api:
        first, second = iter(api.one()), api.two()
        with pytest.raises(kk.ProtocolError, match="two streams of the same id"):
            second.result(timeout_s=5)
        with pytest.raises(kk.ConnectionLost):
            next(first)


def test_two_arguments_of_one_id_end_both_handlers(peer: RawPeer, endpoint: Threaded) -> None:
    for call_id in ("c1", "c2"):
        peer.send(peer.wire.request(call_id, "call", ["read_all"], [StreamRef("same")]))
    until(lambda: endpoint.finals == ["read_all"])
    peer.vanish()
    until(lambda: endpoint.finals == ["read_all", "read_all"])


def test_an_argument_with_the_id_of_a_call_does_not_take_its_place() -> None:
    def play(peer: RawPeer) -> None:
        ours = peer.receive()
        peer.send(peer.wire.request("theirs", "call", ["ignore"], [StreamRef(ours.call_id)]))
        peer.take(2)  # the stream is returned, and the call answered
        peer.send(peer.wire.reply(ours.call_id, "in time", "json"))

    with raw_server(play) as url, kk.connect(url, expose=Threaded(), **COMPACT) as api:
        assert api.anything().result(timeout_s=5) == "in time"


# ---- peers that cancel and leave their own streams open


def test_cancelling_a_call_ends_a_thread_that_reads_its_argument(
    peer: RawPeer, endpoint: Threaded
) -> None:
    peer.send(peer.wire.request("c1", "call", ["read_all"], [StreamRef("s1")]))
    assert isinstance(peer.receive(), Credited)
    peer.send(peer.wire.item("s1", 1, "json"))
    until(lambda: endpoint.calls == ["item"])
    peer.send(peer.wire.cancel("c1"))
    until(lambda: endpoint.finals == ["read_all"])


def test_cancelling_a_result_ends_a_generator_that_reads_an_argument_in_a_thread(
    peer: RawPeer, endpoint: Threaded
) -> None:
    peer.send(peer.wire.request("c1", "call", ["pass_on"], [StreamRef("s1")]))
    opened = peer.receive()
    assert isinstance(opened, Opened)
    peer.send(peer.wire.pull(opened.stream_id, 5))
    assert isinstance(peer.receive(), Credited)
    peer.send(peer.wire.item("s1", 1, "json"))
    while not isinstance(peer.receive(), Item):
        pass
    peer.send(peer.wire.cancel(opened.stream_id))
    until(lambda: endpoint.finals == ["pass_on"])


# ---- what they pass to our functions


def test_a_callback_is_given_a_stream_and_not_its_handle() -> None:
    def play(peer: RawPeer) -> None:
        call = peer.receive()
        peer.send(peer.wire.invoke_callback(call.args[0].id, [StreamRef("s1")], "json"))
        assert isinstance(peer.receive(), Credited)
        peer.send(peer.wire.item("s1", "an item", "json"), peer.wire.end("s1", None, "json"))
        peer.send(peer.wire.reply(call.call_id, "done", "json"))
        peer.receive()

    items: list[Any] = []

    async def read(stream: Any) -> None:
        items.extend([item async for item in stream])

    with raw_server(play) as url, kk.connect(url, **COMPACT) as api:
        assert api.work(read).result(timeout_s=5) == "done"
        assert items == ["an item"]


def test_a_stream_that_a_callback_does_not_read_is_returned() -> None:
    def play(peer: RawPeer) -> None:
        call = peer.receive()
        peer.send(peer.wire.invoke_callback(call.args[0].id, [StreamRef("s1")], "json"))
        peer.send(peer.wire.reply(call.call_id, "done", "json"))
        returned.append(peer.receive())

    returned: list[Any] = []
    with raw_server(play) as url, kk.connect(url, **COMPACT) as api:
        assert api.work(lambda stream: None).result(timeout_s=5) == "done"
        until(lambda: (gc.collect(), returned)[1])
        assert returned[0].stream_id == "s1"


def test_calls_of_functions_that_nobody_passed_do_not_fill_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def play(peer: RawPeer) -> None:
        call = peer.receive()
        for _ in range(100):
            peer.send(peer.wire.invoke_callback("nobody" * 1000, [1], "json"))
        peer.send(peer.wire.reply(call.call_id, "done", "json"))
        peer.receive()

    with raw_server(play) as url, kk.connect(url, **COMPACT) as api:
        assert api.work().result(timeout_s=5) == "done"
    assert "an unknown function: nobody" in caplog.text
    assert len(caplog.records) < 50
    assert len(caplog.text) < 20_000
