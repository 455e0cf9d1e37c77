"""The envelope of messages on a bus; what real peers said is in tests/wire/peers."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kkjupyter.errors import EncodeError, RemoteError
from kkjupyter.wire.kkrpc.bus import Answered, Opened, Sealer, open_envelope, read_answer
from kkjupyter.wire.kkrpc.compact.protocol import Compact


def test_a_message_goes_into_its_envelope_and_comes_out() -> None:
    message = Compact("json").reply("id-1", "ä", "json")
    sealed = Sealer("nats", "server", "client").seal(message, 12)
    assert sealed.decode() == (
        '{"protocol":"kkrpc.bus.v1","transportId":"nats","from":"server","to":"client",'
        '"correlationId":"id-1","sentAt":12,"message":{"t":"r","id":"id-1","v":"ä"}}'
    )
    assert open_envelope(sealed) == Opened("server", "client", "r", "id-1", "", message.strip())


def test_a_release_has_no_id_and_what_is_no_message_goes_as_it_is() -> None:
    sealer = Sealer("nats", "server", "")
    sealed = sealer.seal(Compact("json").release_callbacks(["f"]), 1)
    assert b"correlationId" not in sealed
    assert b'"to"' not in sealed
    assert open_envelope(sealed) == Opened("server", "", "cbr", "", "", b'{"t":"cbr","ids":["f"]}')
    assert open_envelope(sealer.seal(b"{", 1)) is None


def test_halves_of_characters_pass_as_they_are() -> None:
    message = rb'{"t":"r","id":"a","v":"\ud83d","w":"\uD83D"}'
    opened = open_envelope(
        Sealer("nats", "a\ud83d".encode("utf-8", "replace").decode(), "b").seal(message, 1)
    )
    assert opened is not None
    assert opened.message == message


@given(st.binary(max_size=200))
def test_any_bytes_are_dropped(data: bytes) -> None:
    assert open_envelope(data) is None


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=8))
def test_any_json_is_dropped(value: object) -> None:
    envelope = {"protocol": "kkrpc.bus.v1", "transportId": "x", "from": "y", "message": value}
    assert open_envelope(json.dumps(envelope).encode()) is None


def test_a_message_over_the_limit_is_refused_by_name() -> None:
    compact = Compact("json", sent_limit_bytes=200)
    long = "x" * 200
    assert compact.reply("a", "x" * 100, "json")
    for make, path in (
        (lambda: compact.request("a", "call", ["f"], [long]), "args"),
        (lambda: compact.request("a", "set", ["f"], value=long), "value"),
        (lambda: compact.reply("a", long, "json"), "result"),
        (lambda: compact.item("a", long, "json"), "value"),
        (lambda: compact.end("a", long, "json"), "return value"),
        (lambda: compact.invoke_callback("a", [long], "json"), "args"),
        (lambda: compact.throw("a", "b", long), "error"),
    ):
        with pytest.raises(EncodeError, match="bytes, and what carries it takes 200") as caught:
            make()
        assert caught.value.path == path


def test_ids_begin_with_the_mark_that_is_asked_for() -> None:
    compact = Compact("json", id_mark="w1.7")
    assert [compact.new_id(), compact.new_id()] == ["w1.7-1", "w1.7-2"]


def test_what_a_message_does_for_who_waits() -> None:
    compact, error = Compact("json"), RemoteError("no")
    handle = {"__kkrpc_next_stream__": "async-iterable", "id": "s"}
    for message, does in (
        (compact.reply("c", {"v": handle, "more": 1}, "json"), Answered("c")),
        (compact.reply("c", "x" * 1000, "json"), Answered("c")),
        (compact.fail_call("c", error, "json"), Answered("c")),
        (compact.open_stream("c", "w1.2-3", "json"), Answered("c", "w1.2-3")),
        (compact.item("s", True, "json"), Answered()),
        (compact.item("s", {"d": True, "e": 1}, "json"), Answered()),
        (compact.end("s", None, "json"), Answered(ended_id="s")),
        (compact.fail_stream("s", error, "json"), Answered(ended_id="s")),
        (compact.acknowledge("k", "s", None, "json"), Answered(ended_id="s")),
        (compact.pull("s", 3), Answered()),
    ):
        assert read_answer(message) == does, message
