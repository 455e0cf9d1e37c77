"""superjson without Node: the format by example, round trips, and peers that write nonsense."""

from __future__ import annotations

import contextlib
import copy
import datetime as dt
import enum
import json
import math
import re
import sys
from array import array
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.js_values import describe, linked_values, values

from kkjupyter.errors import EncodeError, ProtocolError, RemoteError
from kkjupyter.wire.values import superjson
from kkjupyter.wire.values.javascript import (
    URL,
    BigInt,
    Boxed,
    Date,
    Map,
    RegExp,
    Uint8ClampedArray,
    undefined,
)
from kkjupyter.wire.values.json_text import dumps, loads

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def around(value: Any) -> Any:
    """``value`` after a trip over the wire."""
    json_value, meta = loads(dumps(superjson.encode(value)))
    return superjson.decode(json_value, meta)


@settings(deadline=None)
@given(values())
@pytest.mark.slow
def test_every_value_survives_the_trip(value: Any) -> None:
    assert describe(around(value)) == describe(value)


@settings(deadline=None)
@given(linked_values())
@pytest.mark.slow
def test_references_survive_the_trip(value: Any) -> None:
    assert describe(around(value)) == describe(value)


# ---- the format

# As recorded from a real peer (scenarios rich-values, rich-args, rich-property, undefined-results).
RECORDED = [
    ("1970-01-01T00:00:00.000Z", {"args.result": ["Date"]}, EPOCH),
    ([["k", {"v": 1}], ["l", 2]], {"args.result": ["map"]}, Map({"k": {"v": 1}, "l": 2})),
    (
        [["a", "1970-01-01T00:00:00.000Z"]],
        {"args.result": ["map", {"0.1": ["Date"]}]},
        Map({"a": EPOCH}),
    ),
    ([1], {"args.result": ["set"]}, {1}),
    ("NaN", {"args.result": ["number"]}, math.nan),
    (
        ["Infinity", "-Infinity", "-0"],
        {f"args.result.{index}": ["number"] for index in range(3)},
        [math.inf, -math.inf, -0.0],
    ),
    ("/ab+c/gi", {"args.result": ["regexp"]}, RegExp("ab+c", "gi")),
    ("https://example.com/a?b=1", {"args.result": ["URL"]}, URL("https://example.com/a?b=1")),
    (
        {"name": "RangeError", "message": "an error value"},
        {"args.result": ["Error"]},
        RemoteError("an error value", name="RangeError"),
    ),
    ([0, 255], {"args.result": [["typed-array", "Uint8Array"]]}, b"\x00\xff"),
    (
        [1],
        {"args.result": [["typed-array", "Uint8ClampedArray"]]},
        Uint8ClampedArray(b"\x01"),
    ),
    (
        {"f32": [1.5], "i16": [-2], "buf": {}},
        {
            "args.result.f32": [["typed-array", "Float32Array"]],
            "args.result.i16": [["typed-array", "Int16Array"]],
        },
        {"f32": array("f", [1.5]), "i16": array("h", [-2]), "buf": {}},
    ),
    ("5", {"args.result": ["bigint"]}, BigInt(5)),
    ("9007199254740992", {"args.result": ["bigint"]}, 2**53),
    ([None, None, 1], {"args.result.0": ["undefined"]}, [undefined, None, 1]),
    (
        {"a.b": "1", "a\\b": "2"},
        {"args.result.a\\.b": ["bigint"], "args.result.a\\\\b": ["bigint"]},
        {"a.b": BigInt(1), "a\\b": BigInt(2)},
    ),
]


@pytest.mark.parametrize(("json_value", "annotations", "value"), RECORDED, ids=repr)
def test_both_directions(json_value: Any, annotations: dict[str, Any], value: Any) -> None:
    meta = {"values": annotations, "v": 1}
    assert superjson.encode({"result": value}, "args") == ({"result": json_value}, meta)
    root = copy.deepcopy({"args": {"result": json_value}, "transferSlots": None})
    came = superjson.decode(root, meta)["args"]["result"]
    assert describe(came) == describe(value)
    assert type(came) is type(value)


def test_what_needs_no_annotation_is_not_touched() -> None:
    value = {"a": [1, 2.5, "x", None, True, {"b": "\ud83d"}]}
    assert superjson.encode(value) == (value, None)
    assert superjson.encode(value)[0] is value
    assert superjson.decode(value, None) is value
    assert superjson.decode(value, {}) is value


def test_what_needs_another_shape_but_no_annotation_has_no_meta() -> None:
    assert superjson.encode((1, (2,)), "args") == ([1, [2]], None)


def test_the_root_itself_can_be_annotated() -> None:
    assert superjson.encode(EPOCH) == (
        "1970-01-01T00:00:00.000Z",
        {"values": ["Date"], "v": 1},
    )
    assert superjson.decode("1970-01-01T00:00:00.000Z", {"values": ["Date"], "v": 1}) == EPOCH
    assert superjson.encode(EPOCH, "value")[1] == {"values": {"value": ["Date"]}, "v": 1}
    assert superjson.encode([EPOCH])[1] == {"values": {"0": ["Date"]}, "v": 1}


def test_annotations_may_be_nested_objects() -> None:
    meta = {"values": {"a": {"b": ["bigint"]}, "c": None}, "v": 1}
    assert superjson.decode({"a": {"b": "1"}, "c": 1}, meta) == {"a": {"b": 1}, "c": 1}


@pytest.mark.parametrize("version", [{}, {"v": 0}, {"v": "1"}])
def test_an_older_peer_escapes_dots_only(version: dict[str, Any]) -> None:
    meta = {"values": {"a\\.b\\": ["bigint"]}, **version}
    assert superjson.decode({"a.b\\": "1"}, meta) == {"a.b\\": 1}


def test_shared_and_circular_references() -> None:
    part = {"d": 1}
    assert superjson.encode({"result": {"x": part, "y": part}}, "args") == (
        {"result": {"x": {"d": 1}, "y": {"d": 1}}},
        {"referentialEqualities": {"args.result.x": ["args.result.y"]}, "v": 1},
    )
    ring: dict[str, Any] = {}
    ring["self"] = ring
    json_value, meta = superjson.encode({"result": ring}, "args")
    assert json_value == {"result": {"self": None}}
    assert meta == {"referentialEqualities": {"args.result": ["args.result.self"]}, "v": 1}
    assert superjson.encode(ring)[1] == {"referentialEqualities": [["self"]], "v": 1}
    ring["part"] = [part, part]
    assert superjson.encode(ring)[1] == {
        "referentialEqualities": [["self"], {"part.0": ["part.1"]}],
        "v": 1,
    }
    came = around(ring)
    assert came["self"] is came
    assert came["part"][0] is came["part"][1]


def test_rings_through_every_container() -> None:
    ring: dict[Any, Any] = Map()
    error = RemoteError("m", cause=ring)
    box = Boxed(ring)
    ring["set"] = {box}
    ring["error"] = error
    ring[Boxed(ring)] = 1
    came = around(ring)
    (member,) = came["set"]
    assert member.value is came
    assert came["error"].cause is came
    assert next(key for key in came if type(key) is Boxed).value is came


@dataclass
class Node:
    name: str
    next: Any = None


def test_objects_of_ones_own_are_shared_and_circular_too() -> None:
    node = Node("a")
    node.next = node
    came = around([node, node])
    assert came[0] is came[1]
    assert came[0]["next"] is came[0]


def test_values_are_not_shared() -> None:
    pair = (1, 2)
    came = around([pair, pair, frozenset({3}), EPOCH, EPOCH])
    assert came == [[1, 2], [1, 2], {3}, EPOCH, EPOCH]
    assert came[0] is not came[1]


def test_a_shared_member_of_a_set_goes_as_a_copy_unless_it_is_last() -> None:
    """A JavaScript reader would move a replaced member to the end, and lose the next one."""
    node = Node("a")
    value = Map({Boxed(node): 1, Boxed(Node("b")): 2})
    _, meta = superjson.encode([node, value])
    assert meta == {"values": {"1": ["map"]}, "v": 1}
    _, meta = superjson.encode([node, {Boxed(node)}])
    assert meta is not None
    assert meta["referentialEqualities"] == {"0": ["1.0"]}


def test_keys_and_members_python_cannot_hold_are_boxed() -> None:
    meta = {"values": {"m": ["map"], "s": ["set", {"2": ["set"]}]}, "v": 1}
    came = superjson.decode({"m": [[1, "a"], [True, "b"], [[1], "c"]], "s": [1, True, []]}, meta)
    keys = [key.value if type(key) is Boxed else key for key in came["m"]]
    assert [(type(key), key) for key in keys] == [(int, 1), (bool, True), (list, [1])]
    assert list(came["m"].values()) == ["a", "b", "c"]
    assert sorted(repr(member) for member in came["s"]) == ["1", "Boxed(True)", "Boxed(set())"]
    assert describe(around(came)) == describe(came)


def test_dicts_and_their_keys() -> None:
    class Colour(enum.StrEnum):
        RED = "red"

    assert superjson.encode({Colour.RED: 1}) == ({"red": 1}, None)
    assert around({1: "a"}) == Map({1: "a"})
    assert type(around({1: "a"})) is Map
    assert type(around(Map(a=1))) is Map


def test_errors() -> None:
    inner = KeyError("k")
    outer = ValueError("bad")
    outer.__cause__ = inner
    came = around(outer)
    assert (came.name, came.message, came.stack, came.data) == ("ValueError", "bad", None, {})
    assert came.cause.name == "KeyError"
    assert came.__cause__ is came.cause
    assert around(RemoteError("m")).cause is None
    assert around(RemoteError("m", cause={"at": EPOCH})).cause == {"at": EPOCH}
    # A value Node has decoded and sends on has a cause that is undefined.
    json_value = {"name": "E", "message": "m", "cause": None, "stack": "E: m\n  at f", "code": 5}
    meta = {"values": ["Error", {"cause": ["undefined"]}], "v": 1}
    came = superjson.decode(json_value, meta)
    assert (came.cause, came.stack, came.data) == (None, "E: m\n  at f", {"code": 5})


def test_float_arrays_keep_what_json_has_not() -> None:
    came = around(array("d", [math.nan, math.inf, -math.inf, -0.0, 1.5]))
    assert [str(item) for item in came] == ["nan", "inf", "-inf", "-0.0", "1.5"]
    meta = {"values": [["typed-array", "Float32Array"]], "v": 1}
    assert math.isnan(superjson.decode([None], meta)[0])


def test_64_bit_arrays_go_as_lists() -> None:
    assert around(array("q", [1, 2**60])) == [1, 2**60]


@pytest.mark.parametrize("text", ["Invalid Date", "+010000-01-01T00:00:00.000Z"])
def test_a_date_that_datetime_cannot_hold(text: str) -> None:
    came = around(Date(text))
    assert (type(came), came) == (Date, text)


def test_a_number_tagged_as_one_stays() -> None:
    assert math.isnan(superjson.decode("NaN", {"values": ["number"]}))


@pytest.mark.parametrize(
    "tag",
    ["Temporal", ["class", "User"], ["typed-array", "Float16Array"], ["custom", "x", 1], [], 5],
)
def test_an_unknown_tag_leaves_the_json(tag: Any) -> None:
    meta = {"values": {"a": [tag, {"b": ["bigint"]}]}, "v": 1}
    assert superjson.decode({"a": {"b": "1"}}, meta) == {"a": {"b": 1}}


# ---- what cannot be encoded


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ([{"a.b": object()}], "args.0.a\\.b"),
        (Map({"k": object()}), "args.0.1"),
        ({1: {2: object()}}, "args.0.1.0.1"),
        ([RemoteError("m", cause=object())], "args.0.cause"),
        ([{"__proto__": 1}], "args.0.__proto__"),
        ([{"prototype": undefined}], "args.0.prototype"),
        ([RegExp("a", "x")], "args.0"),
        ([RegExp("a", "gg")], "args.0"),
        ([RegExp("a", "uv")], "args.0"),
        ([URL("/relative")], "args.0"),
        ([URL("no colon")], "args.0"),
        ([re.compile("(?i:a)")], "args.0"),
        ([10**5000], "args.0"),
        ([dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1)))], "args.0"),
    ],
    ids=lambda part: part if type(part) is str else type(part).__name__,
)
def test_the_path_names_the_part(value: Any, path: str) -> None:
    with pytest.raises(EncodeError) as caught:
        superjson.encode(value, "args")
    assert caught.value.path == path


def test_nesting_beyond_reason() -> None:
    plain: list[Any] = []
    for _ in range(20_000):
        plain = [plain]
    odd: list[Any] = [undefined]
    for _ in range(sys.getrecursionlimit()):
        odd = [odd]
    for deep in (plain, [odd]):
        with pytest.raises(EncodeError, match="nested too deeply"):
            superjson.encode(deep)
    while plain:
        plain = plain.pop()


# ---- what peers may send by mistake or malice


@pytest.mark.parametrize(
    "meta",
    [
        {"values": {"b": ["Date"]}},
        {"values": {"a.0.1": ["Date"]}},
        {"values": {"list.2": ["Date"]}},
        {"values": {"list.-1": ["Date"]}},
        {"values": {"list.x": ["Date"]}},
        {"values": {"list.٣": ["Date"]}},
        {"values": {"list.0000000000000000000000": ["Date"]}},
        {"values": {"a": "Date"}},
        {"values": {"a": 7}},
        {"values": "Date"},
        {"values": {"a": ["Date", ["x"]]}},
        {"values": {"n": ["Date"]}},
        {"values": {"a": ["map"]}},
        {"values": {"list": ["map"]}},
        {"values": {"pairs": ["map"]}},
        {"values": {"a": ["set"]}},
        {"values": {"a": ["Error"]}},
        {"values": {"a": ["bigint"]}},
        {"values": {"list": ["bigint"]}},
        {"values": {"huge": ["bigint"]}},
        {"values": {"a": ["number"]}},
        {"values": {"list": ["number"]}},
        {"values": {"n": ["regexp"]}},
        {"values": {"n": ["URL"]}},
        {"values": {"a": [["typed-array", "Uint8Array"]]}},
        {"values": {"pairs": [["typed-array", "Uint8ClampedArray"]]}},
        {"values": {"list": [["typed-array", "Int8Array"]]}},
        {"values": {"words": [["typed-array", "Float64Array"]]}},
        {"values": {"list": [["typed-array", []]]}},
        {"values": {"a\\x": ["Date"]}, "v": 1},
        {"values": {"a\\": ["Date"]}, "v": 1},
        {"referentialEqualities": 5},
        {"referentialEqualities": [5]},
        {"referentialEqualities": [["nowhere"]]},
        {"referentialEqualities": [["a"], 5]},
        {"referentialEqualities": {"a": "list"}},
        {"referentialEqualities": {"a": [5]}},
        {"referentialEqualities": {"a": ["nowhere"]}},
        {"referentialEqualities": {"nowhere": ["a"]}},
    ],
    ids=json.dumps,
)
def test_annotations_that_do_not_fit(meta: dict[str, Any]) -> None:
    root = {
        "a": "text",
        "n": 5,
        "list": [1000, 2],
        "pairs": [[1, 2, 3]],
        "huge": "9" * 5000,
        "words": ["a", "b"],
    }
    with pytest.raises(ProtocolError) as caught:
        superjson.decode(root, meta)
    assert caught.value.reason.startswith("superjson: ")
    assert 0 < len(caught.value.excerpt) <= 120


def test_annotations_nested_beyond_reason() -> None:
    tree: Any = ["Date"]
    for _ in range(20_000):
        tree = ["unknown", {"a": tree}]
    json: Any = 1
    for _ in range(20_000):
        json = {"a": json}
    with pytest.raises(ProtocolError, match="nested too deeply"):
        superjson.decode(json, {"values": tree})
    while isinstance(json, dict):
        json = json.pop("a")
    while len(tree) > 1:
        tree = tree[1]["a"]


JUNK = st.recursive(
    st.one_of(st.none(), st.integers(-2, 3), st.text(".\\0a", max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.text(".\\0a", max_size=4), inner, max_size=3),
        st.tuples(st.sampled_from(["Date", "map", "set", "Error", "bigint", "regexp"])).map(list),
        st.tuples(st.sampled_from(["map", "set", "Error"]), inner).map(list),
    ),
)


@settings(deadline=None, max_examples=500)
@given(JUNK, st.fixed_dictionaries({"values": JUNK, "referentialEqualities": JUNK, "v": JUNK}))
@pytest.mark.slow
def test_junk_raises_nothing_but_protocol_errors(root: Any, meta: dict[str, Any]) -> None:
    with contextlib.suppress(ProtocolError):
        superjson.decode(root, meta)
