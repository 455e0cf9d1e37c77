"""What one message may cost to read and to write, in both protocols and both codecs."""

from __future__ import annotations

import datetime as dt
import json
from array import array
from typing import Any

import pytest

from kkjupyter.errors import EncodeError, MessageTooBig, ProtocolError, RemoteError
from kkjupyter.wire.events import Acknowledged, Failed, Item, NotUnderstood, Replied
from kkjupyter.wire.kkrpc.classic.protocol import Classic
from kkjupyter.wire.kkrpc.classic.reader import read_message, read_usual_item
from kkjupyter.wire.kkrpc.compact.protocol import Compact
from kkjupyter.wire.message_cost import HASH_MODULUS, LARGE_BYTES, weigh
from kkjupyter.wire.values import json_codec, superjson, write_path
from kkjupyter.wire.values.javascript import BigInt, Map
from kkjupyter.wire.values.json_text import dumps, loads
from kkjupyter.wire.values.superjson import encoder as superjson_encoder
from kkjupyter.wire.vovk.reply import read_value
from kkjupyter.wire.vovk.stream_body import BodyDecoder, Items

LISTS = b"[" + b",".join([b"[]"] * 1000) + b"]"
SMALL_BYTES = 50_000  # less than they take


def heavy_compact(message: bytes) -> Any:
    protocol = Compact("json", memory_bytes=SMALL_BYTES)
    (event,) = protocol.receive([message], whole=True)
    return event


@pytest.mark.parametrize(
    ("message", "call_id"),
    [
        (b'{"t":"q","id":"1","op":"call","p":["f"],"a":%s}', "1"),
        (b'{"t":"cb","id":"f","a":%s}', ""),
        (b'{"t":"zz","id":"1","a":%s}', "1"),
        (b'{"json":{"t":"q","id":"1","op":"call","p":["f"],"a":%s}}', "1"),
    ],
)
def test_a_heavy_request_is_known_by_its_id(message: bytes, call_id: str) -> None:
    event = heavy_compact(message % LISTS)
    assert isinstance(event, NotUnderstood)
    assert event.call_id == call_id
    assert "message_memory_bytes (50,000)" in event.reason


def test_a_heavy_answer_fails_what_it_belongs_to() -> None:
    event = heavy_compact(b'{"t":"r","id":"1","v":%s}' % LISTS)
    assert isinstance(event, Failed)
    assert event.id == "1"
    assert isinstance(event.error, MessageTooBig)
    event = heavy_compact(b'{"t":"sr","id":"1","sid":"s","v":%s}' % LISTS)
    assert isinstance(event, Failed)
    assert event.id == "s"
    protocol = Compact("json", memory_bytes=SMALL_BYTES)
    control = json.loads(protocol.cancel("s"))["id"]
    answer = b'{"t":"sr","id":"%s","sid":"s","d":true,"v":%s}' % (control.encode(), LISTS)
    (event,) = protocol.receive([answer], whole=True)
    assert isinstance(event, Acknowledged)
    assert isinstance(event.error, MessageTooBig)


def test_what_is_heavy_and_not_a_message_is_passed_over() -> None:
    for text in (LISTS, b'{"x":%s}' % LISTS, b'{"id":"1","type":"get","args":%s}' % LISTS):
        event = heavy_compact(text)
        assert isinstance(event, NotUnderstood)
        assert event.call_id == ""
    for text in (b'{"x":%s}' % LISTS, b'{"t":"q","id":"1","a":%s}' % LISTS):
        with pytest.raises(MessageTooBig):
            read_message(text, SMALL_BYTES)


def test_heavy_messages_of_the_classic_protocol() -> None:
    protocol = Classic("json", memory_bytes=SMALL_BYTES)

    def read(message: bytes) -> Any:
        (event,) = protocol.receive([message % LISTS + b"\n"])
        return event

    request = read(b'{"id":"1","method":"f","args":%s,"type":"request"}')
    assert isinstance(request, NotUnderstood)
    assert request.call_id == "1"
    for kind in (b"response", b"stream-chunk"):
        event = read(b'{"id":"1","args":{"result":%s},"type":"' + kind + b'"}')
        assert isinstance(event, Failed)
        assert isinstance(event.error, MessageTooBig)
    item = Classic("json").item("1", json.loads(LISTS), "json")
    assert read_usual_item(item, SMALL_BYTES) is None
    (event,) = protocol.receive([item])
    assert isinstance(event, Failed)
    (event,) = protocol.receive([protocol.item("1", 5, "json")])
    assert isinstance(event, Item)
    assert event.value == 5


@pytest.mark.parametrize("codec", ["json", "superjson"])
@pytest.mark.parametrize("protocol", [Classic("json"), Compact("json")], ids=lambda p: p.name)
@pytest.mark.parametrize("count", [300, LARGE_BYTES])
@pytest.mark.slow
def test_a_large_item_is_read_and_weighed(protocol: Any, codec: str, count: int) -> None:
    value = [[n] for n in range(count)]
    frame = protocol.item("s", value, codec)
    (item,) = protocol.receive([frame])
    assert (item.stream_id, item.value) == ("s", value)
    is_large = len(frame) >= LARGE_BYTES
    assert (item.size_bytes > 96 * count) == is_large
    text = "x" * (3 * count)
    frame = protocol.item("s", text, codec)
    (item,) = protocol.receive([frame])
    assert item.value == text
    assert len(frame) - 1 <= item.size_bytes <= len(frame)
    # One that says something unusual, and is read in full.
    frame = protocol.item("s", [*value, {"x": float("nan"), "__kk": 1}], "superjson")
    (item,) = protocol.receive([frame])
    assert len(item.value) == count + 1


def test_large_replies_are_read() -> None:
    protocol = Compact("json")
    value = ["x"] * LARGE_BYTES
    assert protocol.receive([protocol.reply("1", value, "json")]) == [Replied("1", value)]
    assert loads(dumps(value)) == value


def test_json_is_weighed_before_it_is_made() -> None:
    with pytest.raises(MessageTooBig):
        loads(LISTS, memory_bytes=SMALL_BYTES)
    with pytest.raises(MessageTooBig):
        read_value("json", LISTS, {}, memory_bytes=SMALL_BYTES)
    lone = LISTS[:-1] + b',"\\ud83d"]'
    assert loads(lone)[-1] == "\ud83d"
    with pytest.raises(MessageTooBig):
        loads(lone, memory_bytes=SMALL_BYTES)


@pytest.mark.parametrize("wire_format", ["jsonlines", "divider"])
def test_values_of_a_vovk_stream_are_weighed(wire_format: Any) -> None:
    end = b"\n" if wire_format == "jsonlines" else b"__##DIV123##__"

    def read(*chunks: bytes, memory_bytes: int = SMALL_BYTES) -> list[Any]:
        decoder = BodyDecoder(wire_format, memory_bytes=memory_bytes)
        return [event for chunk in chunks for event in decoder.feed(chunk)]

    (failed,) = read(LISTS + end)
    assert isinstance(failed.error, MessageTooBig)
    items, failed = read(b"1" + end + b"2" + end, LISTS + end + b"3" + end)
    assert items.values == [1, 2]
    assert isinstance(failed.error, MessageTooBig)
    (failed,) = read(LISTS[:100], LISTS[100:] + end)
    assert isinstance(failed.error, MessageTooBig)
    (failed,) = read(b"[" * 300 + b"]" * 300 + end)
    assert "nested too deeply" in failed.error.reason
    (items,) = read(LISTS + end, memory_bytes=10**9)
    assert isinstance(items, Items)
    assert items.size_bytes >= len(LISTS)
    large = b"[" + b",".join([LISTS] * 30) + b"]"
    (items,) = read(large[:1000], large[1000:] + end, memory_bytes=10**9)
    assert items.size_bytes >= weigh(large)
    many = (b"5" + end) * 300_000
    assert sum(len(event.values) for event in read(many)) == 300_000


# ---- writing


@pytest.mark.parametrize("encode", [json_codec.encode, superjson.encode])
def test_shared_parts_are_written_a_stated_number_of_times(
    monkeypatch: pytest.MonkeyPatch, encode: Any
) -> None:
    value: Any = ["x" * 1000]
    for _ in range(40):
        value = [value, value]
    with pytest.raises(EncodeError, match="shared parts, written out") as caught:
        encode(value, "args")
    assert caught.value.path.startswith("args.")
    for module in (write_path, json_codec, superjson_encoder):
        monkeypatch.setattr(module, "MAX_SHARED_BYTES", 1000)
    part = ["x" * 400]
    encode([part, part, float("nan")], "args")
    with pytest.raises(EncodeError, match="shared parts"):
        encode([part, part, part, part, float("nan")], "args")


def test_the_paths_of_annotations_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(superjson_encoder, "MAX_ANNOTATION_BYTES", 1000)
    superjson.encode({"k" * 100: [BigInt(1)] * 5})
    with pytest.raises(EncodeError, match="paths to values that JSON cannot express"):
        superjson.encode({"k" * 100: [BigInt(1)] * 20})
    shared = [1]
    with pytest.raises(EncodeError, match="paths to values that JSON cannot express"):
        superjson.encode({"k" * 100: [shared] * 20})


def test_a_dict_with_some_keys_of_text_is_one_map() -> None:
    """It was walked twice, and all in it taken for shared."""
    sent, meta = superjson.encode({"a": [1], 1: [2]})
    assert meta == {"values": ["map"], "v": 1}
    assert superjson.decode(sent, meta) == {"a": [1], 1: [2]}


def test_annotations_of_what_is_shared_stand_at_each_place() -> None:
    shared = {"when": dt.datetime(2020, 1, 1, tzinfo=dt.UTC), "m": Map({1: BigInt(2)})}
    value = {"a": shared, "b": [shared, {"": shared, "x.y": BigInt(3)}], "c": Map({"d": shared})}
    sent, meta = superjson.encode(value, "args")
    read = superjson.decode({"args": json.loads(dumps(sent))}, meta)["args"]
    assert read == value
    assert read["a"] is read["b"][0] is read["b"][1][""] is read["c"]["d"]


@pytest.mark.parametrize("times", [1, 2])
def test_arrays_of_64_bits_go_as_lists(times: int) -> None:
    value = [array("q", [1, 2**60])] * times
    sent, meta = superjson.encode(value)
    assert superjson.decode(json.loads(dumps(sent)), meta) == [[1, 2**60]] * times
    with pytest.raises(EncodeError) as caught:
        json_codec.encode({"a": value}, "args")
    assert caught.value.path.startswith("args.a.")


def test_a_bad_part_is_named_by_its_path() -> None:
    for encode in (json_codec.encode, superjson.encode):
        for part in (object(), dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=14)))):
            with pytest.raises(EncodeError) as caught:
                encode({"a": [1, {"b": part}]}, "args")
            assert caught.value.path == "args.a.1.b"


# ---- superjson, reading


def test_bigints_of_one_hash_are_refused() -> None:
    def read(count: int, apart: int) -> Any:
        texts = [str(HASH_MODULUS + n * apart) for n in range(count)]
        tags = ["set", {str(n): ["bigint"] for n in range(count)}]
        return superjson.decode(texts, {"values": tags, "v": 1})

    assert len(read(64, HASH_MODULUS)) == 64
    assert len(read(500, 7919)) == 500
    with pytest.raises(ProtocolError, match="same hash"):
        read(65, HASH_MODULUS)


@pytest.mark.parametrize("text", ["0x10", "1_000", " 1", "", "١"])
def test_a_bigint_is_written_in_plain_digits(text: str) -> None:
    with pytest.raises(ProtocolError, match="cannot be read"):
        superjson.decode([text], {"values": {"0": ["bigint"]}, "v": 1})


@pytest.mark.parametrize("version", [0, 1])
def test_paths_with_escapes(version: int) -> None:
    keys = ["a.b", "c\\d", "\\.", "..", "e\\"] if version else ["a.b", "c\\d", ".."]
    for key in keys:
        path = key.replace("\\", "\\\\") if version else key
        path = path.replace(".", "\\.")
        meta = {"values": {f"{path}.0.{path}": ["bigint"]}, "v": version}
        assert superjson.decode({key: [{key: "5"}]}, meta) == {key: [{key: 5}]}


def test_errors_keep_what_they_hold() -> None:
    error = RemoteError("m", data={"n": BigInt(1)}, cause=RemoteError("c"))
    sent, meta = superjson.encode([error, error])
    read = superjson.decode(json.loads(dumps(sent)), meta)
    assert read[0] is read[1]
    assert read[0].data["n"] == 1
    assert read[0].cause.message == "c"
