"""The compact protocol as bytes and events: no loop, no socket."""

from __future__ import annotations

import datetime as dt
import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.js_values import describe, values

from kkjupyter.errors import EncodeError, MessageTooBig, ProtocolError, RemoteError, RemoteThrow
from kkjupyter.wire.events import (
    Acknowledged,
    CallbackInvoked,
    CallbackRef,
    CallbacksReleased,
    Cancelled,
    Credited,
    Ended,
    Event,
    Failed,
    Item,
    NotUnderstood,
    Opened,
    Operation,
    Refusal,
    Replied,
    Requested,
    StreamRef,
    Thrown,
)
from kkjupyter.wire.kkrpc.base import Codec, Protocol
from kkjupyter.wire.kkrpc.compact.errors import unknown_stream
from kkjupyter.wire.kkrpc.compact.protocol import Compact
from kkjupyter.wire.values.javascript import Map, undefined

both_codecs = pytest.mark.parametrize("codec", ["json", "superjson"])
HANDLE = {"__kkrpc_next_stream__": "async-iterable", "id": "s1"}
EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
SOUND = b'{"t":"r","id":"a","v":1}'


def read(*frames: bytes, whole: bool = True) -> list[Event]:
    return Compact().receive(frames, whole=whole)


def read_one(frame: bytes) -> Event:
    [event] = read(frame)
    return event


def line(**message: Any) -> bytes:
    """A message of the json codec, as a peer would send it."""
    return json.dumps(message, separators=(",", ":")).encode()


def enveloped(meta: Any, /, **message: Any) -> bytes:
    """A message of the superjson codec."""
    return json.dumps({"json": message, "meta": meta}, separators=(",", ":")).encode()


def on_the_wire(frame: bytes) -> dict[str, Any]:
    """The message in a frame of ours, without its envelope."""
    assert frame.endswith(b"\n")
    assert frame.count(b"\n") == 1
    message: dict[str, Any] = json.loads(frame)
    return message.get("json", message)


def requested(frame: bytes) -> Requested:
    event = read_one(frame)
    assert isinstance(event, Requested)
    return event


def test_it_is_a_protocol_with_credit() -> None:
    protocol: Protocol = Compact("json")
    assert (protocol.name, protocol.codec, protocol.has_credit) == ("compact", "json", True)
    assert Compact().codec == "superjson"


# ---- requests


@both_codecs
@pytest.mark.parametrize(
    ("operation", "path", "args"),
    [
        ("call", ("add",), [1, "é😀\u2028", None]),
        ("call", ("math", "grade1", "add"), []),
        ("call", ("dotted.name", ""), [[], {}]),
        ("new", ("ns", "Point"), [{"x": [1.5]}]),
    ],
)
def test_a_request_comes_back_as_it_was_made(
    codec: Codec, operation: Operation, path: tuple[str, ...], args: list[Any]
) -> None:
    frame = Compact(codec).request("a", operation, path, args)
    assert read_one(frame) == Requested("a", operation, path, args, undefined, codec)
    envelopes = [{"__kkrpc_next_arg__": "value", "v": arg} for arg in args]
    assert on_the_wire(frame) == {
        "t": "q",
        "id": "a",
        "op": operation,
        "p": list(path),
        "a": envelopes,
    }


@both_codecs
def test_get_has_no_arguments_and_set_a_value(codec: Codec) -> None:
    protocol = Compact(codec)
    assert on_the_wire(protocol.request("a", "get", ["x"])) == {
        "t": "q",
        "id": "a",
        "op": "get",
        "p": ["x"],
    }
    frame = protocol.request("a", "set", ("x", "y"), value=None)
    assert on_the_wire(frame)["v"] is None
    assert requested(frame).value is None
    frame = protocol.request("a", "set", ("x",), value=undefined)
    assert "v" not in on_the_wire(frame)
    assert requested(frame).value is undefined


@both_codecs
def test_functions_and_streams_are_arguments(codec: Codec) -> None:
    args = [CallbackRef("cb"), StreamRef("s1"), undefined, msgspec.UNSET, "x"]
    frame = Compact(codec).request("a", "call", ["f"], args)
    assert on_the_wire(frame)["a"] == [
        {"__kkrpc_next_arg__": "callback", "id": "cb"},
        {"__kkrpc_next_arg__": "value", "v": HANDLE},
        {"__kkrpc_next_arg__": "value"},
        {"__kkrpc_next_arg__": "value"},
        {"__kkrpc_next_arg__": "value", "v": "x"},
    ]
    assert requested(frame).args == [
        *(CallbackRef("cb"), StreamRef("s1"), undefined, undefined, "x")
    ]


def test_bare_arguments_are_taken_as_they_are() -> None:
    """kkrpc's own Python client sends them."""
    frame = line(
        t="q", id="a", op="call", p=["f"], a=[1, {"a": 1}, HANDLE, {"__kkrpc_next_arg__": 5}]
    )
    assert requested(frame).args == [1, {"a": 1}, StreamRef("s1"), {"__kkrpc_next_arg__": 5}]


@both_codecs
def test_what_looks_like_an_envelope_is_a_value_inside_one(codec: Codec) -> None:
    args = [{"__kkrpc_next_arg__": "callback", "id": "x"}, [HANDLE], {"a": HANDLE}]
    assert requested(Compact(codec).request("a", "call", ["f"], args)).args == args


@both_codecs
def test_what_a_request_says_about_itself(codec: Codec) -> None:
    meta = {"traceparent": "00-1", "runtime": {"n": 1}}
    assert requested(Compact(codec).request("a", "get", ["x"], meta=meta)).meta == meta
    assert requested(line(t="q", id="a", op="get", p=["x"], meta=5)).meta is None
    with pytest.raises(EncodeError) as caught:
        Compact(codec).request("a", "get", ["x"], meta={"at": {1}})
    assert caught.value.path == "meta.at"


def test_a_superjson_request_is_known_in_any_order_of_keys() -> None:
    body = {"t": "q", "id": "a", "op": "call", "p": ["f"], "a": ["1970-01-01T00:00:00.000Z"]}
    meta = {"values": {"a.0": ["Date"]}}
    for message in ({"json": body, "meta": meta}, {"meta": meta, "json": body}):
        event = requested(json.dumps(message).encode())
        assert (event.args, event.codec) == ([EPOCH], "superjson")
    # `t` outside makes it a json message with a field that nobody knows.
    event = requested(json.dumps({"json": {"t": "sr", "id": "i", "sid": "s"}, **body}).encode())
    assert (event.args, event.codec) == (["1970-01-01T00:00:00.000Z"], "json")


def test_annotations_reach_all_parts_of_a_request() -> None:
    meta = {"values": {"v": ["undefined"], "meta.at": ["Date"], "a.0.v": ["bigint"]}}
    args = [{"__kkrpc_next_arg__": "value", "v": "5"}]
    date = "1970-01-01T00:00:00.000Z"
    frame = enveloped(meta, t="q", id="a", op="new", p=["C"], a=args, v=None, meta={"at": date})
    assert read_one(frame) == Requested(
        "a", "new", ("C",), [5], undefined, "superjson", {"at": EPOCH}
    )


def test_two_arguments_may_be_one_object() -> None:
    shared = {"d": EPOCH}
    event = requested(Compact().request("a", "call", ["f"], [shared, shared, {"again": shared}]))
    first, second, third = event.args
    assert first is second is third["again"]
    assert first == shared


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"op": "frob"}, "unknown operation 'frob'"),
        ({"op": ["call"]}, "unknown operation ['call']"),
        ({"op": "ref"}, "Remote reference operations require kkrpc/remote-refs"),
        ({"p": "add"}, "a request whose path is not a list of names"),
        ({"p": [1]}, "a request whose path is not a list of names"),
        ({"a": None}, "arguments that are not a list"),
        ({"a": [{"__kkrpc_next_arg__": "callback"}]}, "a callback without an id that is text"),
        ({"v": HANDLE}, "a stream cannot be the value of a property"),
    ],
)
def test_a_request_that_makes_no_sense_can_be_answered(fields: Any, reason: str) -> None:
    """The peers say nothing, and who asked waits for its timeout."""
    message = {"t": "q", "id": "a", "op": "call", "p": ["add"], "a": [], **fields}
    event = read_one(line(**message))
    assert isinstance(event, NotUnderstood)
    assert (event.reason, event.call_id) == (reason, "a")
    [twin] = Compact().receive([b" " + enveloped({}, **message) + b"\n"])
    assert isinstance(twin, NotUnderstood)
    assert (twin.reason, twin.call_id) == (reason, "a")


def test_annotations_that_do_not_fit_can_be_answered() -> None:
    for meta in (
        {"values": {"a.9": ["Date"]}},
        {"values": ["map"]},
        {"values": {"t": ["Date"]}},
        5,
    ):
        event = read_one(enveloped(meta, t="q", id="a", op="call", p=["f"], a=[]))
        assert isinstance(event, NotUnderstood)
        assert event.call_id == "a"
    rooted = {"referentialEqualities": [["v"]]}
    assert isinstance(read_one(enveloped(rooted, t="r", id="a", v=1)), Failed | Replied)


# ---- answers


@both_codecs
def test_a_reply_comes_back(codec: Codec) -> None:
    protocol = Compact(codec)
    for value in (1, None, "x", [1, {"a": None}], {"__stream": True}, {**HANDLE, "id": 5}):
        assert read_one(protocol.reply("a", value, codec)) == Replied("a", value)
    assert on_the_wire(protocol.reply("a", None, codec)) == {"t": "r", "id": "a", "v": None}
    assert on_the_wire(protocol.reply("a", undefined, codec)) == {"t": "r", "id": "a"}
    assert read_one(protocol.reply("a", undefined, codec)) == Replied("a", undefined)


def test_undefined_as_superjson_writes_it() -> None:
    frame = enveloped({"values": {"v": ["undefined"]}, "v": 1}, t="r", id="a", v=None)
    assert read_one(frame) == Replied("a", undefined)
    frame = enveloped({"values": {"e": ["undefined"]}, "v": 1}, t="r", id="a", v=1, e=None)
    assert read_one(frame) == Replied("a", 1)


def test_rich_values_are_carried_by_superjson() -> None:
    value = {"when": EPOCH, "map": Map({1: {2}}), "bytes": b"\0\xff", "nan": math.nan}
    event = read_one(Compact().reply("a", value, "superjson"))
    assert isinstance(event, Replied)
    assert describe(event.value) == describe(value)


def test_json_has_bytes_as_a_list() -> None:
    """Unlike classic, compact has no form of its own for them."""
    assert on_the_wire(Compact().reply("a", [b"\0\xff"], "json"))["v"] == [[0, 255]]
    looks_so = {"type": "Uint8Array", "data": [1]}
    assert read_one(line(t="r", id="a", v=looks_so)) == Replied("a", looks_so)


@both_codecs
def test_a_stream_opens(codec: Codec) -> None:
    frame = Compact().open_stream("a", "s1", codec)
    assert on_the_wire(frame) == {"t": "r", "id": "a", "v": HANDLE}
    assert read_one(frame) == Opened("a", "s1")
    more = {**HANDLE, "x": 1}
    assert read_one(line(t="r", id="a", v=more)) == Replied("a", more)


@both_codecs
def test_what_the_peers_would_take_for_a_stream_is_refused(codec: Codec) -> None:
    protocol = Compact(codec)
    for value in (HANDLE, {**HANDLE, "more": 1}):
        for send, path in (
            (lambda v: protocol.reply("a", v, codec), "result"),
            (lambda v: protocol.item("s", v, codec), "value"),
            (lambda v: protocol.end("s", v, codec), "return value"),
            (lambda v: protocol.acknowledge("c", "s", v, codec), "value"),
            (lambda v: protocol.request("a", "call", ["f"], [1, v]), "args.1"),
            (lambda v: protocol.request("a", "set", ["p"], value=v), "value"),
            (lambda v: protocol.invoke_callback("cb", [v], codec), "args.0"),
            (lambda v: protocol.throw("c", "s", v), "error"),
        ):
            with pytest.raises(EncodeError, match="__kkrpc_next_stream__") as caught:
                send(value)
            assert caught.value.path == path


@both_codecs
def test_what_cannot_be_sent_is_named(codec: Codec) -> None:
    protocol = Compact(codec)
    bad = {"deep": [print]}
    for send, path in (
        (lambda: protocol.reply("a", bad, codec), "result.deep.0"),
        (lambda: protocol.reply("a", print, codec), "result"),
        (lambda: protocol.item("s", bad, codec), "value.deep.0"),
        (lambda: protocol.end("s", bad, codec), "return value.deep.0"),
        (lambda: protocol.request("a", "call", ["f"], [1, bad]), "args.1.deep.0"),
        (lambda: protocol.request("a", "call", ["f"], [print]), "args.0"),
        (lambda: protocol.request("a", "call", ["f"], [{"v": {"v": print}}]), "args.0.v.v"),
        (lambda: protocol.request("a", "set", ["p"], value=bad), "value.deep.0"),
        (lambda: protocol.invoke_callback("cb", [bad], codec), "args.0.deep.0"),
        (lambda: protocol.throw("c", "s", bad), "error.deep.0"),
        (
            lambda: protocol.fail_call("a", RemoteError("m", data={"x": bad}), codec),
            "error.x.deep.0",
        ),
    ):
        with pytest.raises(EncodeError) as caught:
            send()
        assert caught.value.path == path


# ---- streams


@both_codecs
def test_items_and_the_end(codec: Codec) -> None:
    protocol = Compact()
    ids = set()
    for value in (0, None, "x", {"index": 1}, [None], undefined):
        frame = protocol.item("s", value, codec)
        assert read_one(frame) == Item("s", value, len(frame))
        message = on_the_wire(frame)
        ids.add(message.pop("id"))
        expected = {"t": "sr", "sid": "s", "d": False}
        assert message == (expected if value is undefined else {**expected, "v": value})
        assert read_one(protocol.end("s", value, codec)) == Ended("s", value)
    assert len(ids) == 6


@pytest.mark.parametrize(
    "frame",
    [
        b'{"t":"sr","id":"i","sid":"s","d":false,"v":5}',
        b'{"t":"sr","id":"i","sid":"s","v":5}\r\n',
        b'  {"v":5,"sid":"s","id":"i","t":"sr"} ',
        b'{"t":"sr","id":"i","sid":"s","d":null,"v":5}',
        b'{"t":"sr","id":"i","sid":"s","d":1,"v":5,"e":null}',
        b'{"json":{"t":"sr","id":"i","sid":"s","d":false,"v":5}}',
        b'{"json":{"t":"sr","id":"i","sid":"s","d":false,"v":5},"meta":null}',
        b'{"json":{"sid":"s","t":"sr","id":"i","d":false,"v":5},"meta":{"v":1}}',
        b'{"json":{"t":"sr","id":"i","sid":"s","d":false,"v":"5"},"meta":{"values":{"v":["bigint"]}}}',
        b'{"meta":{"v":1},"json":{"sid":"s","t":"sr","id":"i","d":false,"v":5}}',
    ],
)
def test_an_item_in_any_form(frame: bytes) -> None:
    assert read_one(frame) == Item("s", 5, len(frame))


def test_items_with_lone_surrogates() -> None:
    """As Node sends them."""
    for frame in (
        b'{"t":"sr","id":"i","sid":"s","d":false,"v":"\\ud83d"}',
        b'{"json":{"t":"sr","id":"i","sid":"s","d":false,"v":"\\ud83d"}}',
    ):
        assert read_one(frame) == Item("s", "\ud83d", len(frame))


@both_codecs
def test_credit(codec: Codec) -> None:
    protocol = Compact(codec)
    frame = protocol.pull("s", 32)
    message = on_the_wire(frame)
    control_id = message.pop("id")
    assert message == {"t": "sq", "sid": "s", "op": "pull", "n": 32}
    assert read_one(frame) == Credited("s", 32, control_id)
    # What comes in answer is the stream's: its consumer waits, and nobody for the pull.
    refused = protocol.fail_control(control_id, "s", unknown_stream("s"), codec)
    [event] = protocol.receive([refused])
    assert isinstance(event, Failed)
    assert (event.id, str(event.error)) == ("s", "Unknown RPC stream s")


@pytest.mark.parametrize(
    ("sent", "count"),
    [
        *((0, 1), (-5, 1), ("7", 1), (None, 1), (True, 1), ([], 1)),
        *((2.9, 2), (-0.5, 1), (1e300, 2**53), (2**60, 2**53), (2**70, 2**53), (32, 32)),
    ],
)
def test_odd_credit_counts_as_it_does_for_the_peers(sent: Any, count: int) -> None:
    assert read_one(line(t="sq", id="c", sid="s", op="pull", n=sent)) == Credited("s", count, "c")


def test_no_number_of_credits_is_one() -> None:
    assert read_one(line(t="sq", id="c", sid="s", op="pull")) == Credited("s", 1, "c")
    for number in ("NaN", "Infinity", "-Infinity"):
        meta = {"values": {"n": ["number"]}}
        frame = enveloped(meta, t="sq", id="c", sid="s", op="pull", n=number)
        assert read_one(frame) == Credited("s", 1, "c")


@both_codecs
def test_a_cancel_and_its_acknowledgement(codec: Codec) -> None:
    consumer, producer = Compact(codec), Compact(codec)
    [cancelled] = producer.receive([consumer.cancel("s")])
    assert isinstance(cancelled, Cancelled)
    assert (cancelled.stream_id, cancelled.value) == ("s", undefined)
    for value in (undefined, None, "bye"):
        frame = producer.acknowledge(cancelled.control_id, "s", value, codec)
        [event] = consumer.receive([frame])
        assert isinstance(event, Acknowledged)
        assert (event.stream_id, event.done, event.value, event.error) == ("s", True, value, None)
        # To anybody else it is the end of the stream.
        assert read_one(frame) == Ended("s", value)


def test_the_value_of_a_return() -> None:
    frame = line(t="sq", id="c", sid="s", op="return", v="bye")
    assert read_one(frame) == Cancelled("s", "c", "bye")


@both_codecs
def test_a_throw_and_what_comes_of_it(codec: Codec) -> None:
    consumer, producer = Compact(codec), Compact(codec)
    ours = consumer.new_id()
    [thrown] = producer.receive([consumer.throw(ours, "s", "boo")])
    assert isinstance(thrown, Thrown)
    assert (thrown.stream_id, thrown.error) == ("s", "boo")
    yielded = producer.acknowledge(thrown.control_id, "s", "caught", codec, done=False)
    assert consumer.receive([yielded]) == [Acknowledged(ours, "s", False, "caught")]
    raised = producer.fail_control(thrown.control_id, "s", RemoteError("boo"), codec)
    [event] = consumer.receive([raised])
    assert isinstance(event, Acknowledged)
    assert (event.control_id, event.done, event.value) == (ours, True, undefined)
    assert isinstance(event.error, RemoteError)
    assert event.error.message == "boo"
    spoilt = on_the_wire(yielded)
    frame = enveloped({"values": {"v.x": ["Date"]}}, **spoilt)
    [event] = consumer.receive([frame], whole=True)
    assert isinstance(event, Acknowledged)
    assert isinstance(event.error, ProtocolError)


class Coded(ValueError):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.code = "E"
        self._private = object()


def test_what_is_thrown_arrives_as_an_error() -> None:
    """The peers send {} for one."""
    error = Coded("boo")
    error.__cause__ = KeyError("k")
    written = {"name": "Coded", "message": "boo", "cause": {"name": "KeyError", "message": "'k'"}}
    assert on_the_wire(Compact("json").throw("c", "s", error))["v"] == {**written, "code": "E"}
    remote = RemoteError("boo", name="X", stack="X: boo\n at", data={"code": 1})
    assert on_the_wire(Compact("json").throw("c", "s", remote))["v"] == {
        "name": "X",
        "message": "boo",
        "stack": "X: boo\n at",
        "code": 1,
    }
    event = read_one(Compact().throw("c", "s", error))
    assert isinstance(event, Thrown)
    assert isinstance(event.error, RemoteError)
    assert (event.error.name, event.error.data) == ("Coded", {"code": "E"})
    event = read_one(Compact().throw("c", "s", remote))
    assert isinstance(event, Thrown)
    assert (event.error.stack, event.error.data) == (remote.stack, {"code": 1})
    for codec in ("json", "superjson"):
        frame = Compact(codec).throw("c", "s", RemoteThrow({"x": 1}, "thrown"))
        assert on_the_wire(frame)["v"] == {"x": 1}


def test_causes_that_form_a_ring_are_followed_to_a_depth() -> None:
    error = ValueError("a")
    error.__cause__ = error
    message = on_the_wire(Compact("json").throw("c", "s", error))["v"]
    depth = 0
    while "cause" in message:
        depth, message = depth + 1, message["cause"]
    assert depth == 15


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (line(t="sq", id="c", sid="s", op="bogus"), "unknown stream operation 'bogus'"),
        (line(t="sq", id="c", op="pull"), "a stream's message without a stream id"),
        (line(t="sr", id="c", v=1), "a stream's message without a stream id"),
        (line(t="sr", id="c", sid=5, e={"m": "x"}), "a stream's message without a stream id"),
        (line(t="sr", sid="s", v=1), "a message without an id that is text"),
        (line(t="cb", id="c", a="x"), "arguments that are not a list"),
        (line(t="cbr", ids="x"), "a release whose ids are not a list of strings"),
        (line(t="cbr", ids=[1]), "a release whose ids are not a list of strings"),
    ],
)
def test_nobody_waits_for_an_answer_to_these(frame: bytes, reason: str) -> None:
    event = read_one(frame)
    assert isinstance(event, NotUnderstood)
    assert (event.reason, event.call_id) == (reason, "")


# ---- callbacks


@both_codecs
def test_callbacks(codec: Codec) -> None:
    protocol = Compact(codec)
    args = [1, undefined, CallbackRef("cb2"), StreamRef("s1")]
    frame = protocol.invoke_callback("cb", args, codec)
    assert read_one(frame) == CallbackInvoked("cb", args)
    assert read_one(line(t="cb", id="cb")) == CallbackInvoked("cb", [])
    frame = protocol.release_callbacks(["cb", "cb2"])
    assert on_the_wire(frame) == {"t": "cbr", "ids": ["cb", "cb2"]}
    assert read_one(frame) == CallbacksReleased(("cb", "cb2"))


# ---- errors


@both_codecs
def test_an_error_keeps_all_it_has(codec: Codec) -> None:
    error = RemoteError(
        "boo",
        name="CustomError",
        stack="CustomError: boo\n    at f",
        cause=RemoteError("root", name="TypeError", data={"errno": 2}),
        data={"code": "E", "details": {"field": "age"}},
    )
    protocol = Compact()
    for frame, told in (
        (protocol.fail_call("a", error, codec), "a"),
        (protocol.fail_stream("s", error, codec), "s"),
    ):
        event = read_one(frame)
        assert isinstance(event, Failed)
        assert event.id == told
        got = event.error
        assert isinstance(got, RemoteError)
        assert (got.name, got.message, got.stack) == ("CustomError", "boo", error.stack)
        assert got.data == {"code": "E", "details": {"field": "age"}}
        assert isinstance(got.cause, RemoteError)
        assert (got.cause.name, got.cause.message) == ("TypeError", "root")
        assert got.cause.data == {"errno": 2}
        assert got.__cause__ is got.cause
        fields = on_the_wire(frame)["e"]
        assert (fields["n"], fields["m"]) == ("CustomError", "boo")
        # The peers make properties of what else there is.
        assert (fields["code"], fields["cause"]["message"]) == ("E", "root")


def test_what_a_peer_would_overwrite_is_not_sent() -> None:
    data = dict.fromkeys(("n", "m", "s", "name", "message", "stack", "cause", "ok"), "x")
    error = RemoteError("boo", cause={"why": 1}, data=data)
    assert on_the_wire(Compact().fail_call("a", error, "json"))["e"] == {
        "n": "Error",
        "m": "boo",
        "ok": "x",
        "cause": {"why": 1},
    }


def test_errors_as_peers_send_them() -> None:
    cases: list[tuple[Any, RemoteError]] = [
        ({"n": "TypeError", "m": "x", "s": "TypeError: x"}, RemoteError("x", name="TypeError")),
        ({"n": "", "m": ""}, RemoteError("")),
        ({"n": "Error"}, RemoteError("")),
        ({"m": None, "s": 5}, RemoteError("None")),
        ("text", RemoteError("text")),
        ({}, RemoteError("")),
        (5, RemoteThrow(5, "5")),
        ([1], RemoteThrow([1], "a thrown list")),
    ]
    for sent, expected in cases:
        for frame in (line(t="r", id="a", e=sent), line(t="sr", id="i", sid="a", e=sent)):
            event = read_one(frame)
            assert isinstance(event, Failed)
            error = event.error
            assert isinstance(error, RemoteError)
            assert (type(error), event.id) == (type(expected), "a")
            assert (error.name, error.message) == (expected.name, expected.message)


@pytest.mark.parametrize(
    ("operation", "path", "reason", "at", "text"),
    [
        ("call", ["noSuchMethod"], "missing", 0, "noSuchMethod is not a function"),
        ("call", ["a", "b"], "not_callable", 1, "a.b is not a function"),
        ("call", ["no", "such", "method"], "missing", 0, "Cannot access such on undefined"),
        ("call", ["math", "grade9", "add"], "missing", 1, "Cannot access add on undefined"),
        ("call", [], "no_path", 0, " is not a function"),
        ("call", ["f"], "no_api", 0, "No API exposed"),
        ("get", ["a", "b", "c"], "missing", 0, "Cannot access b on undefined"),
        ("get", [], "no_path", 0, "Cannot get empty path"),
        ("get", ["f"], "not_callable", 0, "Cannot get f"),
        ("set", [], "no_path", 0, "Cannot set empty path"),
        ("set", ["no", "such", "path"], "missing", 0, "Cannot access such on undefined"),
        ("set", ["no", "such", "path"], "missing", 1, "Cannot set no.such.path on undefined"),
        ("set", ["x"], "missing", 0, "Cannot set x"),
        ("set", ["x", "y"], "read_only", 1, "Cannot set x.y: it is read-only"),
        (
            "set",
            ["x", "y"],
            "not_writable",
            1,
            "Cannot set x.y: clients may not do that; "
            'the server can allow it: kk.serve(..., writable=["x.y"])',
        ),
        (
            "new",
            ["x", "y"],
            "not_exposed",
            1,
            "Cannot call x.y: clients may not do that; "
            'the server can allow it: kk.serve(..., expose=["x.y"])',
        ),
        (
            "get",
            ["x"],
            "not_exposed",
            0,
            "Cannot read x: clients may not do that; "
            'the server can allow it: kk.serve(..., expose=["x"])',
        ),
        ("new", ["nope"], "missing", 0, "TypeError: undefined is not a constructor"),
        ("new", ["a", "b"], "missing", 0, "Cannot access b on undefined"),
        ("new", ["f"], "not_callable", 0, "TypeError: f is not a constructor"),
        ("new", [], "no_path", 0, "TypeError:  is not a constructor"),
    ],
)
@both_codecs
def test_refusals_are_in_the_peers_words(
    operation: Operation, path: list[str], reason: Refusal, at: int, text: str, codec: Codec
) -> None:
    request = Requested("a", operation, tuple(path), [], undefined, codec)
    event = read_one(Compact("json").refuse(request, reason, at))
    assert isinstance(event, Failed)
    assert (event.id, str(event.error)) == ("a", text)


def test_a_property_that_is_missing_is_undefined() -> None:
    """As the peers have it."""
    request = Requested("a", "get", ("config", "missing"), [], undefined, "json")
    assert read_one(Compact().refuse(request, "missing", 1)) == Replied("a", undefined)


@pytest.mark.parametrize("t", ["r", "sr"])
def test_an_answer_that_makes_no_sense_fails_who_waits_for_it(t: str) -> None:
    for meta in ({"values": {"v": ["Date"]}}, {"values": ["set"]}, {"values": 5}, "x"):
        event = read_one(enveloped(meta, t=t, id="i" if t == "sr" else "a", sid="a"))
        assert isinstance(event, Failed)
        assert event.id == "a"
        assert isinstance(event.error, ProtocolError)
        assert event.error.excerpt.startswith("{")


# ---- ids


def test_ids_are_new() -> None:
    protocols = [Compact() for _ in range(50)]
    ids = [protocol.new_id() for protocol in protocols for _ in range(20)]
    assert len(set(ids)) == 1000


def test_only_a_control_s_own_maker_sees_its_acknowledgement() -> None:
    one, other = Compact("json"), Compact("json")
    control_id = on_the_wire(one.cancel("s"))["id"]
    frame = line(t="sr", id=control_id, sid="s", d=False, v=1)
    assert isinstance(one.receive([frame], whole=True)[0], Acknowledged)
    assert isinstance(other.receive([frame], whole=True)[0], Item)
    # An item may have whatever id; a call's, say.
    frame = line(t="sr", id=one.new_id(), sid="s", d=False, v=1)
    assert isinstance(one.receive([frame], whole=True)[0], Item)


# ---- framing


def test_lines_of_a_byte_stream() -> None:
    """stdio: any cut, blank lines, and what other things are printed there."""
    data = (
        b'noise\n\n  \r\n{"t":"r","id":"a","v":"\xc3\xa9"}\r\n'
        b'{"t":"cbr","ids":[]}\n[1]\n{x\n{"t":"r"'
    )
    expected = [
        NotUnderstood("not a message", "noise"),
        Replied("a", "é"),
        CallbacksReleased(()),
        NotUnderstood("not a message", "[1]"),
    ]
    for size in (1, 2, 7, 1000):
        protocol = Compact()
        events: list[Event] = []
        for start in range(0, len(data), size):
            events += protocol.receive([data[start : start + size]])
        *most, malformed = events
        assert most == expected
        assert isinstance(malformed, NotUnderstood)
        assert malformed.reason.startswith("malformed JSON")
        assert protocol.receive([b',"id":"z"}\n']) == [Replied("z", undefined)]


def test_frames() -> None:
    assert read(b"", b"\n", SOUND, SOUND + b"\n", b" \n" + SOUND) == [Replied("a", 1)] * 3
    assert read(b'{\n "t": "r",\n "id": "a",\n "v": 1\n}') == [Replied("a", 1)]


def test_several_messages_in_a_frame_are_understood() -> None:
    """The peers drop such a frame."""
    assert read(SOUND + b"\n" + SOUND + b"\n") == [Replied("a", 1)] * 2
    good, bad = read(SOUND + b"\n" + SOUND[:9])
    assert good == Replied("a", 1)
    assert isinstance(bad, NotUnderstood)


def test_a_message_over_several_frames_is_none() -> None:
    assert [type(event) for event in read(SOUND[:9], SOUND[9:])] == [NotUnderstood] * 2


def test_too_much_without_a_line_end() -> None:
    protocol = Compact(limit_bytes=100)
    chunks = [SOUND + b"\n", b"{" + b"x" * 200, b"x", SOUND]
    assert protocol.receive(chunks) == [Replied("a", 1)]
    with pytest.raises(MessageTooBig):
        protocol.receive([b"\n"])


DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    "frame",
    [
        b"__DESTROY__",
        b"\xff\xfe\0\1",
        b"null",
        b"42",
        b"[1,2]",
        b"{}",
        b"{",
        b'{"t":5}',
        b'{"t":5,"id":"a"}',
        b'{"id":"a","method":"f","args":[],"type":"request"}',
        b'{"t":"q","id":5,"op":"call","p":["add"]}',
        b'{"t":"q","op":"call","p":["\xff"]}',
        b'{"t":"zz","id":7}',
        b'{"json":null}',
        b'{"json":5,"meta":{}}',
        b'{"json":{}}',
        b'{"json":{"json":{"t":"r","id":"a"}}}',
        b'{"meta":{},"json":{"\\ud83d":1}}',
        b'{"t":"r","\\ud83d":5}',
        b'{"json":{"t":"sr"',
        b'{"t":"sr","id":"i","sid":"s","v":' + DEEP,
        b'{"t":"r","id":"a","v":"\\ud83d","x":' + DEEP,
        b'{"json":{"t":"sr","id":"i","sid":"s","v":' + DEEP,
    ],
)
def test_what_is_no_message_is_reported_and_nothing_more(frame: bytes) -> None:
    bad, good = read(frame, SOUND)
    assert isinstance(bad, NotUnderstood)
    assert bad.call_id == ""
    assert good == Replied("a", 1)


def test_who_sends_an_unknown_type_can_be_told() -> None:
    event = read_one(line(t="zz", id="a"))
    assert isinstance(event, NotUnderstood)
    assert (event.reason, event.call_id) == ("unknown message type 'zz'", "a")


@pytest.mark.parametrize("t", ["r", "q", "sr", "sq", "cb"])
def test_nesting_of_any_depth_is_survived(t: str) -> None:
    # In small steps, as each part of the code gives up at a depth of its own.
    for depth in (100, *range(300, 1100, 3)):
        text = b"[" * depth + b'"\\ud83d"' * (depth % 2) + b"]" * depth
        for field in (b"e", b"a", b"op", b"t"):
            message = b'{"t":"%s","id":"a","sid":"s","p":[],"%s":%s}' % (t.encode(), field, text)
            for frame in (message, b'{"json":%s,"meta":{"values":{"e.0":["set"]}}}' % message):
                event, good = read(frame, SOUND)
                assert not isinstance(event, Replied) or t == "r"
                assert good == Replied("a", 1)


# ---- anything at all


def fuzzed(examples: int) -> settings:
    return settings(
        max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )


@fuzzed(300)
@given(values())
@pytest.mark.slow
def test_any_value_survives_superjson(value: Any) -> None:
    protocol = Compact()
    expected = describe(value)
    for frame in (
        protocol.reply("a", value, "superjson"),
        protocol.item("a", value, "superjson"),
        protocol.end("a", value, "superjson"),
    ):
        event = read_one(frame)
        assert isinstance(event, Replied | Item | Ended)
        assert describe(event.value) == expected
    [arg] = requested(protocol.request("a", "call", ["f"], [value])).args
    assert describe(arg) == expected


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(-1e9, 1e9)
    | st.text(max_size=5)
    | st.just(HANDLE),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["json", "v", "id", "__kkrpc_next_arg__", "n", "m", "cause", "message"])
            | st.text(max_size=3),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
paths = st.lists(
    st.sampled_from(["v", "a", "e", "0", "meta", "cause", "x", "n", "t", ""]), max_size=3
).map(".".join)
tags = st.sampled_from(
    ["Date", "map", "set", "bigint", "undefined", "number", "regexp", "URL", "Error", "class"]
).map(lambda tag: [tag])
annotations = st.fixed_dictionaries(
    {},
    optional={
        "values": st.dictionaries(paths, tags | json_values, max_size=3) | tags | json_values,
        "referentialEqualities": st.dictionaries(paths, st.lists(paths), max_size=2) | json_values,
        "v": st.just(1) | json_values,
    },
)
arguments = st.lists(
    st.fixed_dictionaries(
        {"__kkrpc_next_arg__": st.sampled_from(["value", "callback"]) | json_values},
        optional={"v": json_values, "id": st.just("cb") | json_values},
    )
    | json_values,
    max_size=3,
)
messages = st.fixed_dictionaries(
    {
        "t": st.sampled_from(["q", "r", "sq", "sr", "cb", "cbr", "zz"]) | json_values,
        "id": st.just("a") | json_values,
    },
    optional={
        "sid": st.just("s") | json_values,
        "d": json_values,
        "v": json_values,
        "e": json_values,
        "op": st.sampled_from(["call", "get", "set", "new", "ref", "pull", "return", "throw"]),
        "p": st.lists(st.text(max_size=3), max_size=3) | json_values,
        "a": arguments | json_values,
        "n": json_values,
        "ids": st.lists(st.text(max_size=3)) | json_values,
        "meta": json_values,
    },
)
almost_messages = st.one_of(
    messages,
    st.fixed_dictionaries({"json": messages | json_values, "meta": annotations | json_values}),
    json_values,
).map(lambda value: json.dumps(value, separators=(",", ":")).encode())


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Almost a message, with a few bytes of it cut out, put in or doubled."""
    data = bytearray(draw(almost_messages))
    for _ in range(draw(st.integers(0, 2))):
        start = draw(st.integers(0, len(data)))
        data[start : start + draw(st.integers(0, 4))] = draw(st.binary(max_size=4))
    return bytes(data)


@fuzzed(800)
@given(st.lists(st.binary(max_size=40) | almost_messages | damaged(), max_size=4), st.booleans())
@pytest.mark.slow
def test_nothing_that_is_received_raises(frames: list[bytes], whole: bool) -> None:
    protocol = Compact()
    protocol.receive(frames, whole=whole)
    protocol.receive([b"\n", SOUND + b"\n"], whole=whole)
    assert protocol.receive([SOUND + b"\n"], whole=whole) == [Replied("a", 1)]


@fuzzed(200)
@given(st.lists(almost_messages, max_size=4), st.data())
@pytest.mark.slow
def test_cuts_make_no_difference(lines: list[bytes], data: st.DataObject) -> None:
    text = b"".join(message + b"\n" for message in lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    pieces = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert repr(Compact().receive(pieces)) == repr(Compact().receive([text]))
    assert repr(read(*lines)) == repr(read(text, whole=False))


def test_a_frame_of_many_lines_is_one_message_or_is_none() -> None:
    spread = json.dumps({"t": "sr", "id": "1", "sid": "s", "d": False, "v": [1, 2]}, indent=1)
    assert Compact().read_frame(spread.encode()) == Item("s", [1, 2], len(spread))
    for frame in (b"\n\n", b"{\n", 2 * b'{"t":"sr","id":"1","sid":"s","d":false,"v":1}\n'):
        assert Compact().read_frame(frame) is None


def test_how_much_of_an_unfinished_message_is_held() -> None:
    protocol = Compact()
    assert protocol.receive([b"{", b'"t'], whole=False) == []
    assert protocol.held_bytes == 3
    protocol.receive([b"\n"])
    assert protocol.held_bytes == 0


def test_lines_that_are_no_messages_are_told_and_empty_ones_are_not() -> None:
    events = Compact().receive([b"\n \nx\n[1]\n{x\n"], whole=True)
    assert [type(event) for event in events] == [NotUnderstood] * 3
