"""The classic protocol as bytes and events: no loop, no socket."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kkjupyter.errors import (
    EncodeError,
    MessageTooBig,
    ProtocolError,
    RemoteError,
    RemoteThrow,
    UsageError,
)
from kkjupyter.wire.events import (
    CallbackInvoked,
    CallbackRef,
    Cancelled,
    Closing,
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
)
from kkjupyter.wire.kkrpc.classic.protocol import Classic, Codec
from kkjupyter.wire.values.javascript import undefined

both_codecs = pytest.mark.parametrize("codec", ["json", "superjson"])


def read(*frames: bytes, whole: bool = True) -> list[Event]:
    return Classic().receive(frames, whole=whole)


def read_one(frame: bytes) -> Event:
    [event] = read(frame)
    return event


def line(**message: Any) -> bytes:
    """A message of the json codec, as a peer would send it."""
    return json.dumps({"id": "a", "method": "", "args": {}, **message}).encode() + b"\n"


def enveloped(annotations: Any, **message: Any) -> bytes:
    """A message of the superjson codec."""
    body = {"id": "a", "method": "", "args": {}, **message}
    return json.dumps({"json": body, "meta": annotations}, separators=(",", ":")).encode() + b"\n"


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


# ---- requests


@both_codecs
@pytest.mark.parametrize(
    ("operation", "path", "args"),
    [
        ("call", ("add",), [1, "é😀\u2028", None]),
        ("call", ("math", "grade1", "add"), []),
        ("new", ("ns", "Point"), [{"x": [1.5]}]),
    ],
)
def test_a_call_arrives_as_it_was_made(
    codec: Codec, operation: Operation, path: tuple[str, ...], args: list[Any]
) -> None:
    event = requested(Classic(codec).request("id-1", operation, path, args))
    assert event == Requested("id-1", operation, path, args, undefined, codec)


@both_codecs
def test_properties_travel_with_their_path(codec: Codec) -> None:
    ours = Classic(codec)
    # A name may have a dot: the path is a list.
    got = requested(ours.request("g", "get", ("a.b", "c")))
    assert got == Requested("g", "get", ("a.b", "c"), [], undefined, codec)
    got = requested(ours.request("s", "set", ("theme",), value=None))
    assert got == Requested("s", "set", ("theme",), [], None, codec)


@both_codecs
def test_functions_travel_as_references(codec: Codec) -> None:
    frame = Classic(codec).request("a", "call", ("go",), [CallbackRef("cb-1"), 5])
    sent = on_the_wire(frame)
    assert sent["args"] == ["__callback__cb-1", 5]
    assert sent["callbackIds"] == ["cb-1"]
    assert requested(frame).args == [CallbackRef("cb-1"), 5]


def test_text_that_looks_like_a_function_stays_text() -> None:
    args = ["__callback__cb-1", "__callback__cb-2", {"x": "__callback__cb-1"}]
    event = requested(line(type="request", method="f", args=args, callbackIds=["cb-1"]))
    assert event.args == [CallbackRef("cb-1"), *args[1:]]
    event = requested(line(type="request", method="f", args=args))
    assert event.args == args


def test_what_a_request_may_lack() -> None:
    assert requested(b'{"type":"request"}\n') == Requested("", "call", ("",), [], undefined, "json")
    assert requested(b'{"type":"get","id":"a"}\n').path == ()
    # Anything but an array of arguments counts as none, and a path's parts as text.
    assert requested(line(type="request", method="f", args={"x": 1})).args == []
    assert requested(line(type="get", path=["list", 0])).path == ("list", "0")


def test_what_cannot_be_encoded_is_named() -> None:
    for codec, value in (("json", {1}), ("superjson", object())):
        with pytest.raises(EncodeError) as caught:
            Classic(codec).request("a", "call", ("f",), [0, {"deep": [value]}])
        assert caught.value.path == "args.1.deep.0"


def test_ids_are_fresh() -> None:
    assert len({Classic().new_id() for _ in range(100)}) == 100


# ---- answers


@both_codecs
@pytest.mark.parametrize("value", [None, undefined, 0, "x", [1, {"a": None}], b"\x00\xff", {}])
def test_values_and_items_come_back(codec: Codec, value: Any) -> None:
    ours = Classic()
    assert read_one(ours.reply("a", value, codec)) == Replied("a", value)
    frame = ours.item("s", value, codec)
    event = read_one(frame)
    assert isinstance(event, Item)
    assert (event.stream_id, event.value) == ("s", value)
    assert len(frame) - event.size_bytes in (0, 1)


@both_codecs
def test_a_stream_from_its_opening_to_its_end(codec: Codec) -> None:
    ours = Classic()
    frames = [
        ours.open_stream("s", "s", codec),
        ours.item("s", 1, codec),
        ours.item("s", 0, codec),
        ours.end("s", None, codec),
    ]
    assert [on_the_wire(frame)["type"] for frame in frames] == [
        "response",
        "stream-chunk",
        "stream-chunk",
        "stream-end",
    ]
    assert on_the_wire(frames[0])["args"] == {"result": {"__stream": True}}
    opened, first, second, ended = read(*frames)
    assert opened == Opened("s", "s")
    assert (first.value, second.value) == (1, 0)  # type: ignore[union-attr]
    assert ended == Ended("s", undefined)
    assert read_one(ours.cancel("s")) == Cancelled("s")


@both_codecs
def test_an_item_is_read_the_same_however_it_is_written(codec: Codec) -> None:
    usual = Classic().item("s", 1, codec)
    assert read_one(usual) == Item("s", 1, len(usual))
    for unusual, stream_id in (
        (usual.replace(b'"value":1', b'"value":1,"more":2'), "s"),
        (usual.replace(b'"value":1', b'"more":2,"value":1'), "s"),
        (usual.replace(b'"id":"s"', b'"id":"\\u0073"'), "s"),
        (usual.replace(b'"id":"s"', b'"id":"\\"s"'), '"s'),
        (b"  " + usual, "s"),
    ):
        event = read_one(unusual)
        assert isinstance(event, Item)
        assert (event.stream_id, event.value) == (stream_id, 1)
    for broken in (b'"value":', b'"value":1}', b'"value":[', b'"value":1 1'):
        assert isinstance(read_one(usual.replace(b'"value":1', broken)), NotUnderstood)
    value = {"type": "Uint8Array", "data": [1, 2]}
    meant = b"\x01\x02" if codec == "json" else value
    assert read_one(Classic().item("s", value, codec)).value == meant  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "value", [{"__stream": 1}, {"__stream": True, "x": 1}, [{"__stream": True}]]
)
def test_only_the_marker_itself_opens_a_stream(value: Any) -> None:
    assert read_one(line(type="response", args={"result": value})) == Replied("a", value)


@both_codecs
def test_a_value_that_would_be_taken_for_a_stream_is_refused(codec: Codec) -> None:
    with pytest.raises(EncodeError, match="__stream"):
        Classic().reply("a", {"__stream": True}, codec)
    with pytest.raises(EncodeError, match="__stream"):
        Classic().reply("a", {"__stream": True, "label": "x"}, codec)
    assert read_one(Classic().item("s", {"__stream": True}, codec)).value == {"__stream": True}  # type: ignore[union-attr]


@both_codecs
def test_callbacks_are_invoked_by_their_id(codec: Codec) -> None:
    event = read_one(Classic().invoke_callback("cb-1", (1, undefined), codec))
    lost = None if codec == "json" else undefined
    assert event == CallbackInvoked("cb-1", [1, lost])
    assert read_one(line(type="callback", method="cb", args=None)) == CallbackInvoked("cb", [])
    assert read_one(b'{"type":"callback"}\n') == CallbackInvoked("", [])


# ---- errors


def failed(frame: bytes) -> RemoteError:
    event = read_one(frame)
    assert isinstance(event, Failed)
    assert event.id == "a"
    assert isinstance(event.error, RemoteError)
    return event.error


@both_codecs
def test_an_error_keeps_all_it_has(codec: Codec) -> None:
    root = RemoteError("root", name="KeyError", cause={"code": 7})
    error = RemoteError(
        "went wrong",
        name="CustomError",
        stack="CustomError: went wrong\n    at x",
        cause=root,
        data={"code": "E_X", "at": [1, 2], "name": "not this one"},
    )
    for frame in (Classic().fail_call("a", error, codec), Classic().fail_stream("a", error, codec)):
        got = failed(frame)
        assert (got.name, got.message, got.stack) == (error.name, error.message, error.stack)
        assert got.data == {"code": "E_X", "at": [1, 2]}
        assert (got.cause.name, got.cause.message) == ("KeyError", "root")
        assert got.cause.cause == {"code": 7}
    assert on_the_wire(Classic().fail_stream("a", error, codec))["type"] == "stream-error"


def test_the_peers_never_get_an_empty_name_or_message() -> None:
    """They would show "[object Object]"."""
    for error, fields in (
        (RemoteError("", name="TypeError"), {"name": "TypeError", "message": "TypeError"}),
        (RemoteError("", name=""), {"name": "Error", "message": "Error"}),
        (RemoteError("x", name=""), {"name": "Error", "message": "x"}),
    ):
        assert on_the_wire(Classic().fail_call("a", error, "json"))["args"] == {"error": fields}


@pytest.mark.parametrize(
    ("sent", "name", "message", "stack", "cause", "data"),
    [
        ("just a string", "Error", "just a string", None, None, {}),
        ({"name": "", "message": ""}, "Error", "", None, None, {}),
        ({}, "Error", "", None, None, {}),
        ({"name": [], "message": [[]]}, "Error", "a thrown list", None, None, {}),
        ({"name": "E", "message": 5, "stack": 6, "x": 1}, "E", "5", None, None, {"x": 1}),
        ({"message": "m", "cause": {}}, "Error", "m", None, {}, {}),
        ({"message": "m", "cause": "why"}, "Error", "m", None, "why", {}),
    ],
)
def test_errors_of_any_form_become_one(
    sent: Any, name: str, message: str, stack: str | None, cause: Any, data: dict[str, Any]
) -> None:
    for kind in ("response", "stream-error"):
        error = failed(line(type=kind, args={"error": sent}))
        assert (error.name, error.message, error.stack) == (name, message, stack)
        assert (error.cause, error.data) == (cause, data)


@pytest.mark.parametrize(("sent", "text"), [(None, "None"), ([1], "a thrown list"), (7, "7")])
def test_a_thrown_value_that_is_no_error_is_kept(sent: Any, text: str) -> None:
    error = failed(line(type="stream-error", args={"error": sent}))
    assert isinstance(error, RemoteThrow)
    assert (error.value, error.message) == (sent, text)


def test_an_error_value_of_superjson_is_an_error_as_well() -> None:
    values = {"args.error": ["Error"]}
    frame = enveloped({"values": values}, type="response", args={"error": {"message": "m"}})
    assert failed(frame).message == "m"


def test_causes_are_followed_to_a_depth() -> None:
    sent: dict[str, Any] = {"message": "0"}
    for number in range(1, 40):
        sent = {"message": str(number), "cause": sent}
    error = failed(line(type="response", args={"error": sent}))
    depth = 0
    while isinstance(error, RemoteError):
        depth, error = depth + 1, error.cause
    assert depth == 16
    assert error["message"] == "23"
    # An error that is its own cause has no end.
    circular = {"referentialEqualities": {"args.error": ["args.error.cause"]}}
    sent = {"error": {"message": "m", "cause": None}}
    assert failed(enveloped(circular, type="response", args=sent)).message == "m"


@pytest.mark.parametrize(
    ("operation", "path", "reason", "at", "text"),
    [
        ("call", "noSuchMethod", "missing", 0, "Method noSuchMethod is not a function"),
        ("call", "no.such.method", "missing", 0, "Method path no.such.method not found at no"),
        ("call", "notCallable", "not_callable", 0, "Method notCallable is not a function"),
        ("call", "x", "no_api", 0, "No API implementation available"),
        ("get", "missing", "missing", 0, "Property path missing not found at missing"),
        ("get", "a.b.c", "missing", 0, "Property path a.b.c not found at a"),
        ("set", "a.b", "missing", 1, "Property path a.b not found at b"),
        ("set", "add", "read_only", 0, "Property add cannot be set"),
        (
            "set",
            "a.b",
            "not_writable",
            1,
            "Property a.b cannot be set: clients may not do that; "
            'the server can allow it: kk.serve(..., writable=["a.b"])',
        ),
        (
            "call",
            "a.b",
            "not_exposed",
            1,
            "Method a.b cannot be called: clients may not do that; "
            'the server can allow it: kk.serve(..., expose=["a.b"])',
        ),
        (
            "get",
            "a",
            "not_exposed",
            0,
            "Property a cannot be read: clients may not do that; "
            'the server can allow it: kk.serve(..., expose=["a"])',
        ),
        ("get", "", "no_path", 0, "Invalid get request: missing path"),
        ("set", "", "no_path", 0, "Invalid set request: missing path"),
        ("new", "nope", "missing", 0, "nope is not a constructor function"),
        ("new", "nope", "not_callable", 0, "nope is not a constructor function"),
        ("new", "a.b", "missing", 0, "Constructor path a.b not found at a"),
    ],
)
def test_refusals_are_worded_as_the_peers_word_them(
    operation: Operation, path: str, reason: Refusal, at: int, text: str
) -> None:
    request = Requested("a", operation, tuple(path.split(".") if path else ()), [], None, "json")
    frame = Classic().refuse(request, reason, at)
    assert on_the_wire(frame)["args"] == {"error": text}
    assert failed(frame).message == text


# ---- what real peers send, and what they tolerate


def test_a_lone_surrogate_is_a_string_like_any_other() -> None:
    """Node sends half a pair as ``\\ud83d``."""
    for value in ("\ud83d", {"\ud83d": ["\ude00"]}):
        assert read_one(line(type="response", args={"result": value})) == Replied("a", value)
    frame = enveloped(
        {"values": {"args.value.0": ["undefined"]}},
        type="stream-chunk",
        args={"value": [None, "\ude00"]},
    )
    assert read_one(frame) == Item("a", [undefined, "\ude00"], len(frame))


def test_superjson_is_known_by_its_beginning_only() -> None:
    assert isinstance(read_one(b'{"meta":{},"json":{"id":"a","type":"get"}}\n'), NotUnderstood)
    assert isinstance(read_one(b'  {"json":{"id":"a","type":"get"}}  \r\n'), Requested)


def test_what_the_library_annotates_always_is_no_information() -> None:
    noise = {"callbackIds": ["undefined"], "transferSlots": ["undefined"]}
    frame = enveloped(
        {"values": {**noise, "args.0": ["bigint"]}, "v": 1},
        type="request",
        method="f",
        args=["5", 1],
        callbackIds=None,
        transferSlots=None,
    )
    event = requested(frame)
    assert event.args == [5, 1]
    assert type(event.args[0]).__name__ == "BigInt"
    frame = enveloped({"values": noise, "v": 1}, type="request", method="f", args=[1])
    assert requested(frame).args == [1]


def test_annotations_of_a_property_s_value() -> None:
    meta = {"values": {"value": ["set"]}, "v": 1}
    assert requested(enveloped(meta, type="set", path=["x"], value=[1])).value == {1}


def test_destroy_is_a_farewell_in_a_frame_of_its_own() -> None:
    assert read(b"__DESTROY__") == [Closing()]
    got = read(line(type="stream-cancel"), b"__DESTROY__")
    assert got == [Cancelled("a"), Closing()]
    [event] = read(b"__DESTROY__\n", whole=False)
    assert isinstance(event, NotUnderstood)


# ---- frames without a line end, and rubbish beside sound messages

SOUND = line(type="stream-cancel")
BARE = SOUND.rstrip()


def sound(events: list[Event]) -> list[Event]:
    return [event for event in events if type(event) is not NotUnderstood]


@pytest.mark.parametrize(
    "frames",
    [
        [BARE],
        [BARE, b"\n"],
        [BARE + b"  "],
        [BARE[:9], BARE[9:]],
        [BARE[:9], BARE[9:12], BARE[12:]],
        [BARE[:9], BARE[9:] + b"\n"],
        [b"", b"\n", b"  \r\n", b" ", SOUND],
        [b"\xff\xfe\x00", SOUND],
        [b"{not json\n", SOUND],
        [b"{not json", SOUND],
        [b"{not json}", SOUND],
        [b"{not json", BARE],
        [b'{"id":"x"}', BARE],
        [b"hello\n[1,2]\nnull\n42\n\n", SOUND],
        [b'{"id":"x","type":"request","method":"f","args":[', SOUND],
    ],
)
def test_a_frame_counts_without_its_line_end_and_rubbish_harms_nobody(frames: list[bytes]) -> None:
    assert sound(read(*frames)) == [Cancelled("a")]


def test_unterminated_frames_are_each_understood_at_once() -> None:
    assert read(BARE, BARE, SOUND + SOUND + BARE) == 5 * [Cancelled("a")]


def test_rubbish_is_reported_once_and_shortened() -> None:
    assert read(b"hello") == [NotUnderstood("not a message", "hello")]
    assert read(b"{hello", SOUND)[0].excerpt == "{hello"  # type: ignore[union-attr]
    [event] = read(b"{" + b"x" * 1000 + b"\n")
    assert isinstance(event, NotUnderstood)
    assert event.reason.startswith("malformed JSON")
    assert len(event.excerpt) == 120


def test_a_byte_stream_keeps_no_frames() -> None:
    """There a message without its line end is only a beginning."""
    assert read(BARE, whole=False) == []
    assert read(BARE, b"\n", whole=False) == [Cancelled("a")]
    assert sound(read(b"{rubbish", SOUND, SOUND, whole=False)) == [Cancelled("a")]


def test_two_broken_frames_spoil_no_sound_one() -> None:
    protocol = Classic()
    assert protocol.receive([b"{broken", b"{x}"], whole=True) == []
    bad, good = protocol.receive([SOUND], whole=True)
    assert isinstance(bad, NotUnderstood)
    assert good == Cancelled("a")


def test_a_message_in_many_pieces_takes_linear_time() -> None:
    """Also when every piece ends as a message would."""
    protocol = Classic()
    pieces = [b'{"x":[' + b'"}', *([b'","}'] * 30_000)]
    started_s = time.perf_counter()
    for piece in pieces:
        assert protocol.receive([piece], whole=True) == []
    # 0.1 s; 25 s when every piece has all that came before joined and parsed.
    assert time.perf_counter() - started_s < 10


def test_too_much_without_a_line_end() -> None:
    for frames in ([b"{" + b"x" * 200], [b"{" + b"x" * 60, b"x" * 60]):
        protocol = Classic(limit_bytes=100)
        assert protocol.receive([SOUND, *frames], whole=True) == [Cancelled("a")]
        with pytest.raises(MessageTooBig):
            protocol.receive([SOUND], whole=True)


def test_what_came_before_too_much_is_not_lost() -> None:
    protocol = Classic(limit_bytes=100)
    frames = [SOUND, b"{" + b"x" * 200, b"x", SOUND]
    assert protocol.receive(frames, whole=True) == [Cancelled("a")]
    with pytest.raises(MessageTooBig):
        protocol.receive([b""], whole=True)


# ---- what only the other protocol has


def test_what_classic_does_not_carry_is_said() -> None:
    protocol = Classic()
    assert not protocol.has_credit
    for ask in (
        lambda: protocol.pull("s", 1),
        lambda: protocol.throw("c", "s", "boo"),
        lambda: protocol.release_callbacks(["cb"]),
        lambda: protocol.acknowledge("c", "s", 1, "json"),
        lambda: protocol.fail_control("c", "s", RemoteError("x"), "json"),
    ):
        with pytest.raises(UsageError, match="classic protocol"):
            ask()


@both_codecs
def test_what_a_request_says_about_itself(codec: Codec) -> None:
    """The peers know no `meta`; our server reads what our client says."""
    meta = {"traceparent": "00-1", "runtime": {"n": 1}}
    protocol = Classic(codec)
    for frame in (
        protocol.request("a", "call", ["f"], [{1: 2} if codec == "superjson" else 5], meta=meta),
        protocol.request("a", "set", ["x"], value=1, meta=meta),
    ):
        assert requested(frame).meta == meta
    assert requested(protocol.request("a", "get", ["x"])).meta is None
    assert requested(line(type="get", path=["x"], meta=5)).meta is None
    frame = enveloped({"values": {"meta.n": ["bigint"]}}, type="get", path=["x"], meta={"n": "5"})
    assert requested(frame).meta == {"n": 5}


# ---- messages that are almost sound


@pytest.mark.parametrize(
    "frame",
    [
        line(type="response", args=None),
        line(type="response", args=[]),
        line(type="stream-chunk", args="x"),
        line(type="stream-error", args=7),
        enveloped({"values": {"args.result": ["Date"]}}, type="response", args={}),
        enveloped({"values": ["undefined"]}, type="response"),
        enveloped({"values": 5}, type="stream-end"),
    ],
)
def test_an_answer_that_makes_no_sense_fails_its_call(frame: bytes) -> None:
    """Otherwise somebody would wait for ever."""
    event = read_one(frame)
    assert isinstance(event, Failed)
    assert event.id == "a"
    assert isinstance(event.error, ProtocolError)
    assert event.error.excerpt.startswith("{")


@pytest.mark.parametrize(
    "frame",
    [
        line(type="subscribe"),
        enveloped({}, type="subscribe"),
        enveloped({"values": {"args.9": ["Date"]}}, type="request", method="f", args=[]),
        enveloped({"values": ["map"]}, type="request"),
    ],
)
def test_a_request_that_makes_no_sense_can_be_answered(frame: bytes) -> None:
    event = read_one(frame)
    assert isinstance(event, NotUnderstood)
    assert event.call_id == "a"


DEEP = b"[" * 100_000


@pytest.mark.parametrize(
    "frame",
    [
        b"{}\n",
        b"{\n",
        b'{"type":5}\n',
        b'{"type":"request","id":5}\n',
        b'{"type":"request","callbackIds":[5]}\n',
        b'{"type":"request","method":"\xff"}\n',
        b'{"json":null}\n',
        b'{"json":{}}\n',
        b'{"json":{"type":"\xff"}}\n',
        b'{"json":{"type":"\\ud83d","id":5}}\n',
        b'{"type":"\\ud83d","id":5}\n',
        b'{"type":"get","\\ud83d":5}\n',
        b'{"type":"request","args":' + DEEP + b"\n",
        b'{"json":{"type":"request","args":' + DEEP + b"\n",
        b'{"type":"\\ud83d","args":' + DEEP + b"\n",
    ],
)
def test_what_is_no_message_is_reported_and_nothing_more(frame: bytes) -> None:
    bad, good = read(frame, SOUND)
    assert isinstance(bad, NotUnderstood)
    assert bad.call_id == ""
    assert good == Cancelled("a")


@pytest.mark.parametrize("kind", ["response", "request", "stream-error"])
def test_nesting_of_any_depth_is_survived(kind: str) -> None:
    # In small steps, as each part of the code gives up at a depth of its own.
    for depth in (100, *range(300, 1100, 3)):
        text = b"[" * depth + b'"\\ud83d"' * (depth % 2) + b"]" * depth
        message = b'{"id":"a","type":"%s","args":{"error":%s}}' % (kind.encode(), text)
        for frame in (message, b'{"json":%s,"meta":{"values":{"args.error.0":["set"]}}}' % message):
            event, good = read(frame + b"\n", SOUND)
            assert isinstance(event, Failed | NotUnderstood | Requested)
            assert good == Cancelled("a")


# ---- anything at all


def fuzzed(examples: int) -> settings:
    return settings(
        max_examples=examples, deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.floats(-1e9, 1e9)
    | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["json", "args", "result", "error", "value", "cause", "__stream"])
            | st.text(max_size=3),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
kinds = st.sampled_from(
    (
        *("request", "get", "set", "construct", "response", "callback", "bogus"),
        *("stream-chunk", "stream-end", "stream-error", "stream-cancel"),
    )
)
paths = st.lists(
    st.sampled_from(["args", "value", "0", "result", "error", "cause", "x", "method", ""]),
    max_size=3,
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
messages = st.fixed_dictionaries(
    {"type": kinds | json_values, "id": st.just("a") | json_values},
    optional={
        "method": st.text(max_size=5) | json_values,
        "args": json_values,
        "path": json_values,
        "value": json_values,
        "callbackIds": json_values,
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


anything = st.binary(max_size=40) | almost_messages | damaged()


@pytest.mark.slow
@fuzzed(250)
@given(st.lists(anything, max_size=4), st.booleans())
def test_no_bytes_raise_anything_but_message_too_big(frames: list[bytes], whole: bool) -> None:
    protocol = Classic(limit_bytes=60)
    for _ in range(2):
        try:
            events = protocol.receive(frames, whole=whole)
        except MessageTooBig:
            break
        for event in events:
            assert isinstance(event, Event)
            repr(event)


@pytest.mark.slow
@fuzzed(120)
@given(st.lists(anything, max_size=4), st.lists(st.integers(0, 200), max_size=6))
def test_a_byte_stream_says_the_same_wherever_it_is_cut(
    lines: list[bytes], cuts: list[int]
) -> None:
    data = b"\n".join(lines)
    whole, pieces = Classic(), Classic()
    chunks: list[bytes] = []
    start = 0
    for end in [*sorted(cut for cut in cuts if cut < len(data)), len(data)]:
        chunks.append(data[start:end])
        start = end
    one_by_one = [event for chunk in chunks for event in pieces.receive([chunk])]
    assert list(map(repr, one_by_one)) == list(map(repr, whole.receive([data])))


@pytest.mark.slow
@fuzzed(120)
@given(anything.filter(lambda data: b"\n" not in data), st.booleans())
def test_a_bad_frame_never_harms_a_good_one_before_or_after_it(bad: bytes, whole: bool) -> None:
    before, after = line(type="stream-cancel", id="before"), line(type="stream-cancel", id="after")
    events = read(before, bad + b"\n", after, whole=whole)
    assert (events[0], events[-1]) == (Cancelled("before"), Cancelled("after"))
    if whole:  # also when the bad one has no end
        events = read(before, bad, after)
        assert (events[0], events[-1]) == (Cancelled("before"), Cancelled("after"))


@fuzzed(60)
@given(json_values, st.sampled_from(["json", "superjson"]))
def test_json_values_survive_in_both_codecs(value: Any, codec: Codec) -> None:
    frame = Classic().item("s", [value], codec)
    assert read_one(frame).value == [value]  # type: ignore[union-attr]


def test_a_whole_object_that_is_no_message_is_told_at_once() -> None:
    """Without its line end, too: whoever waits for an answer would wait for ever."""
    events = Classic().receive([b'{"ok": true}'], whole=True)
    assert [type(event) for event in events] == [NotUnderstood]


@pytest.mark.parametrize("codec", ["json", "superjson"])
def test_only_ascii_where_a_peer_may_cut_a_character(codec: Codec) -> None:
    """Over stdio kkrpc 0.x decodes each chunk by itself."""
    ours = Classic(codec, ascii_only=True)
    frame = ours.reply("id", {"é": "😀"}, codec)
    assert frame.isascii()
    assert Classic().receive([frame]) == [Replied("id", {"é": "😀"})]


def test_a_frame_of_many_lines_is_never_one_message() -> None:
    assert Classic().read_frame(SOUND) is None


def test_how_much_of_an_unfinished_message_is_held() -> None:
    protocol = Classic()
    assert protocol.receive([SOUND[:5], SOUND[5:9]]) == []
    assert protocol.held_bytes == 9
    assert protocol.receive([SOUND[9:]]) == [Cancelled("a")]
    assert protocol.held_bytes == 0
