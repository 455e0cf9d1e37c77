"""The json codec: what JSON can say, and what it must not lose in silence."""

from __future__ import annotations

import datetime as dt
import math
from array import array
from dataclasses import dataclass
from typing import Any

import pytest

from kkjupyter.errors import EncodeError, ProtocolError, RemoteError
from kkjupyter.wire.values import json_codec
from kkjupyter.wire.values.javascript import (
    URL,
    BigInt,
    Date,
    Map,
    RegExp,
    Uint8ClampedArray,
    undefined,
)

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


@dataclass
class Point:
    x: int
    y: Any = undefined
    _secret: str = "not sent"


# What the real peers send in the recorded scenarios rich-args and rich-values, and its like.
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("\ud83d", "\ud83d"),
        (EPOCH, "1970-01-01T00:00:00.000Z"),
        (Date("+010000-01-01T00:00:00.000Z"), "+010000-01-01T00:00:00.000Z"),
        (URL("https://example.com/a?b=1"), "https://example.com/a?b=1"),
        ([math.nan, math.inf, -math.inf, -0.0], [None, None, None, 0]),
        (b"\x00\xff", {"type": "Uint8Array", "data": [0, 255]}),
        ([undefined, None, 1], [None, None, 1]),
        ({"a": undefined, "b": None}, {"b": None}),
        (undefined, None),
        ({"args": (1, EPOCH)}, {"args": [1, "1970-01-01T00:00:00.000Z"]}),
        (Map({"k": {"v": EPOCH}}), {"k": {"v": "1970-01-01T00:00:00.000Z"}}),
        (Point(1), {"x": 1}),
        (Uint8ClampedArray(b"\x01"), [1]),
        (array("d", [1.5, math.nan]), [1.5, None]),
        (array("q", [1]), [1]),
        ({"constructor": 1}, {"constructor": 1}),
        ([True, 1.5, 2**53 - 1, (True, 1.5, 7)], [True, 1.5, 2**53 - 1, [True, 1.5, 7]]),
    ],
    ids=repr,
)
def test_encode(value: Any, expected: Any) -> None:
    came = json_codec.encode(value)
    assert came == expected
    assert repr(came) == repr(expected)


def test_a_plain_value_is_not_copied() -> None:
    value = {"a": [1, 2.5, "x", None, True]}
    assert json_codec.encode(value) is value


def test_a_shared_part_is_written_twice() -> None:
    part = [1]
    assert json_codec.encode([part, part]) == [[1], [1]]


@pytest.mark.parametrize(
    ("value", "path", "reason"),
    [
        ([2**53], "args.0", "JSON numbers are limited to"),
        ([-(2**53)], "args.0", "JSON numbers are limited to"),
        ([BigInt(5)], "args.0", "know how to serialize a BigInt"),
        ([{"a": {1}}], "args.0.a", "JSON has no Set"),
        ([RegExp("a")], "args.0", "JSON has no RegExp"),
        ([RemoteError("m")], "args.0", "JSON has no Error"),
        ([ValueError("m")], "args.0", "JSON has no Error"),
        ([{1: 2}], "args.0", "a key that is not text but int"),
        ([Map({1: 2})], "args.0", "a key that is not text but int"),
    ],
)
def test_what_json_would_lose_is_refused(value: Any, path: str, reason: str) -> None:
    with pytest.raises(EncodeError) as caught:
        json_codec.encode(value, "args")
    assert caught.value.path == path
    assert reason in caught.value.reason
    assert "superjson codec" in caught.value.reason


def test_what_contains_itself_is_refused() -> None:
    ring: dict[str, Any] = {}
    ring["a"] = [ring]
    with pytest.raises(EncodeError, match=r"cannot encode a\.0: it contains itself"):
        json_codec.encode(ring)
    point = Point(1)
    point.y = [point]
    with pytest.raises(EncodeError, match="it contains itself"):
        json_codec.encode(point)


def test_nesting_beyond_reason() -> None:
    deep: list[Any] = []
    for _ in range(20_000):
        deep = [deep]
    with pytest.raises(EncodeError, match="nested too deeply"):
        json_codec.encode(deep)
    with pytest.raises(ProtocolError, match="nested too deeply"):
        json_codec.decode(deep)
    while deep:
        deep = deep.pop()


@pytest.mark.parametrize(
    ("json", "expected"),
    [
        ({"type": "Uint8Array", "data": [1, 2]}, b"\x01\x02"),
        ([{"a": [{"type": "Uint8Array", "data": []}, 1]}], [{"a": [b"", 1]}]),
        ({"a": {"b": 1}, "c": "x"}, {"a": {"b": 1}, "c": "x"}),
        ("x", "x"),
    ],
)
def test_decode(json: Any, expected: Any) -> None:
    assert json_codec.decode(json) == expected


@pytest.mark.parametrize(
    "json",
    [
        {"type": "Uint8Array", "data": [256]},
        {"type": "Uint8Array", "data": ["a"]},
        {"type": "Uint8Array", "data": "abc"},
        {"type": "Uint8Array", "data": [1], "more": 1},
        {"type": "other", "data": [1]},
    ],
)
def test_an_object_that_is_no_byte_array_stays(json: Any) -> None:
    assert json_codec.decode(json) == json
