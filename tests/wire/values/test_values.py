"""The value types themselves, and how Python's own types are brought to them."""

from __future__ import annotations

import asyncio
import copy
import datetime as dt
import decimal
import enum
import fractions
import pathlib
import pickle
import re
import types
import uuid
import warnings
from array import array
from collections import OrderedDict, UserDict, deque, namedtuple
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pandas
import pytest

from kkjupyter.errors import EncodeError, RemoteError, RemoteThrow
from kkjupyter.wire.values import json_codec, superjson
from kkjupyter.wire.values.javascript import (
    URL,
    BigInt,
    Boxed,
    Date,
    Map,
    RegExp,
    Uint8ClampedArray,
    Undefined,
    parse_date,
    typecode,
    typed_array_name,
    undefined,
)
from kkjupyter.wire.values.normalize import is_plain, iso_text, normalize_value, plain_key

# ---- the types


def test_undefined_is_one_falsy_object() -> None:
    assert not undefined
    assert repr(undefined) == "undefined"
    assert Undefined() is undefined
    assert copy.copy(undefined) is undefined
    assert copy.deepcopy([undefined])[0] is undefined
    assert pickle.loads(pickle.dumps(undefined)) is undefined


@pytest.mark.parametrize(
    ("value", "base", "text"),
    [
        (BigInt(10), 10, "BigInt(10)"),
        (Map({"a": 1}), {"a": 1}, "Map({'a': 1})"),
        (URL("https://example.com/"), "https://example.com/", "URL('https://example.com/')"),
        (Date("Invalid Date"), "Invalid Date", "Date('Invalid Date')"),
        (Uint8ClampedArray(b"\x01"), b"\x01", "Uint8ClampedArray(b'\\x01')"),
    ],
)
def test_a_subclass_equals_its_base_and_says_what_it_is(value: Any, base: Any, text: str) -> None:
    assert value == base
    assert repr(value) == text
    assert pickle.loads(pickle.dumps(value)) == value
    assert type(copy.deepcopy(value)) is type(value)


def test_a_bigint_prints_as_its_number() -> None:
    assert f"{BigInt(10)} {BigInt(10)!s}" == "10 10"


def test_boxed_is_hashed_by_identity() -> None:
    one, other = Boxed([1]), Boxed([1])
    assert len({one, other, one}) == 2
    assert repr(one) == "Boxed([1])"


def test_a_regexp_shows_itself_as_javascript_does() -> None:
    assert str(RegExp("a+", "gi")) == "/a+/gi"
    assert RegExp("a") == RegExp("a", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00.000Z", dt.datetime(1970, 1, 1, tzinfo=dt.UTC)),
        ("2026-08-01T14:00:00.250+02:00", dt.datetime(2026, 8, 1, 12, 0, 0, 250000, dt.UTC)),
        ("2026-08-01", dt.datetime(2026, 8, 1, tzinfo=dt.UTC)),
        ("+010000-01-01T00:00:00.000Z", Date("+010000-01-01T00:00:00.000Z")),
        ("0001-01-01T00:00:00+01:00", Date("0001-01-01T00:00:00+01:00")),
        ("yesterday", Date("yesterday")),
    ],
)
def test_a_date_is_a_datetime_in_utc_or_its_text(text: str, expected: Any) -> None:
    came = parse_date(text)
    assert came == expected
    assert type(came) is type(expected)
    assert isinstance(came, Date) or came.tzinfo is dt.UTC


def test_typed_arrays_up_to_32_bits_have_a_typecode() -> None:
    assert {name: typecode(name) for name in ("Int8Array", "Uint32Array", "Float64Array")} == {
        "Int8Array": "b",
        "Uint32Array": "I",
        "Float64Array": "d",
    }
    assert typecode("BigInt64Array") is None
    assert typed_array_name("i") == "Int32Array"
    assert typed_array_name("q") is None


# ---- what needs no codec at all


@pytest.mark.parametrize(
    "value",
    [
        "",
        "\ud83d",
        0,
        -5,
        2**53 - 1,
        1.5,
        0.0,
        1e300,
        True,
        None,
        [],
        {},
        [1, [2.5, "x"], {"a": 0.0}],
    ],
)
def test_plain_values(value: Any) -> None:
    assert is_plain(value)


SHARED: list[Any] = []


@pytest.mark.parametrize(
    "value",
    [
        2**53,
        -(2**53),
        BigInt(1),
        float("nan"),
        float("inf"),
        float("-inf"),
        -0.0,
        undefined,
        (),
        {1: 2},
        {"constructor": 1},
        [1, 2**53],
        [{"a": -0.0}],
        [SHARED, SHARED],
        {"a": b""},
        Map(),
    ],
)
def test_values_that_are_not_plain(value: Any) -> None:
    assert not is_plain(value)


# ---- Python's own types


class Colour(enum.Enum):
    RED = "red"


class Text(str):
    __slots__ = ()


class Row(list):  # type: ignore[type-arg]
    pass


@dataclass
class Point:
    x: int
    when: dt.date


class Event(msgspec.Struct, rename="camel", tag_field="kind", tag="event"):
    event_id: int
    note: str | msgspec.UnsetType = msgspec.UNSET


class Bare(msgspec.Struct):
    x: int


class Pixels(bytes):
    pass


Pair = namedtuple("Pair", "a b")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Colour.RED, "red"),
        (enum.IntEnum("Size", {"BIG": 3}).BIG, 3),
        (Text("a"), "a"),
        (type("Small", (BigInt,), {})(3), BigInt(3)),
        (type("Link", (URL,), {})("a:b"), URL("a:b")),
        (type("Ratio", (float,), {})(1.5), 1.5),
        (type("Count", (int,), {})(2), 2),
        ((1, 2), [1, 2]),
        (Pair(1, 2), [1, 2]),
        (Row([1]), [1]),
        (range(3), [0, 1, 2]),
        (deque([1]), [1]),
        (OrderedDict(a=1), {"a": 1}),
        (UserDict(a=1), {"a": 1}),
        (types.MappingProxyType({"a": 1}), {"a": 1}),
        (type("Own", (Map,), {})(a=1), Map(a=1)),
        (frozenset({1}), {1}),
        (Boxed([1]), [1]),
        (bytearray(b"ab"), b"ab"),
        (Pixels(b"ab"), b"ab"),
        (memoryview(b"ab"), b"ab"),
        (memoryview(array("h", [1, -2])), array("h", [1, -2])),
        (memoryview(b"abcd").cast("B", (2, 2)), [[97, 98], [99, 100]]),
        (array("q", [1]), [1]),
        (dt.date(2026, 8, 1), dt.datetime(2026, 8, 1, tzinfo=dt.UTC)),
        (Point(1, dt.date(2026, 8, 1)), {"x": 1, "when": dt.date(2026, 8, 1)}),
        (Event(1), {"kind": "event", "eventId": 1}),
        (Event(1, "n"), {"kind": "event", "eventId": 1, "note": "n"}),
        (Bare(1), {"x": 1}),
        (msgspec.UNSET, undefined),
        (RemoteThrow({"hello": 1}, "thrown"), {"hello": 1}),
        (re.compile("a+", re.I | re.M | re.S), RegExp("a+", "ims")),
        (np.int64(3), 3),
        (np.float32(1.5), 1.5),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.array([1, 2]), [1, 2]),
        (np.array([1, 2], "u1"), b"\x01\x02"),
        (np.array([1, 2], "f4")[::2], array("f", [1])),
        (np.array([1.5], ">f8"), [1.5]),
        (np.ones((2, 2), "f8"), [[1.0, 1.0], [1.0, 1.0]]),
        (np.array([True]), [True]),
        (np.array(["a"]), ["a"]),
        (np.datetime64("2026-08-01", "D"), dt.date(2026, 8, 1)),
    ],
    ids=lambda value: re.sub(r" at 0x\w+", "", repr(value)),
)
def test_what_python_has_beyond_the_table(value: Any, expected: Any) -> None:
    reduced = normalize_value(value, "")
    assert reduced == expected
    assert type(reduced) is type(expected)


def test_a_datetime_of_another_class_becomes_pythons_own() -> None:
    class Moment(dt.datetime):
        pass

    moment = Moment(2026, 8, 1, tzinfo=dt.UTC)
    assert type(normalize_value(moment, "")) is dt.datetime
    assert normalize_value(moment, "") == moment


def test_a_date_that_is_none_is_refused() -> None:
    class NotATime(dt.datetime):
        def isoformat(self, *args: Any, **kwargs: Any) -> str:
            return "NaT"

    with pytest.raises(EncodeError, match="is not a date; send None instead"):
        normalize_value(NotATime(2026, 8, 1), "args.0")


def test_exceptions_become_errors() -> None:
    inner = KeyError("k")
    outer = ValueError("bad")
    outer.__cause__ = inner
    error = normalize_value(outer, "")
    assert (type(error), error.name, error.message) == (RemoteError, "ValueError", "bad")
    assert error.cause is inner

    class Special(RemoteError):
        pass

    special = normalize_value(Special("m", name="N", cause=1), "")
    assert (type(special), special.name, special.message, special.cause) == (
        RemoteError,
        "N",
        "m",
        1,
    )


@pytest.mark.parametrize("encode", [json_codec.encode, superjson.encode])
@pytest.mark.parametrize(
    "table",
    [
        pandas.DataFrame({"a": [1, 2], "b": ["x", None]}),
        pandas.DataFrame({1: [1.5], "a": [True]}),
        pandas.DataFrame([[1, 2]], index=["x"]),
        pandas.Series([1, 2], index=[5, 6]),
        pandas.Index([1, 2]),
    ],
    ids=["frame", "numbered column", "numbered columns", "series", "index"],
)
def test_the_advice_for_tables_works(table: Any, encode: Any) -> None:
    with pytest.raises(EncodeError, match="JavaScript has no") as caught:
        encode(table)
    advice = caught.value.reason.partition("; send ")[2].removesuffix(" of it")
    encode(eval(f"table{advice}"))


async def _coroutine() -> None: ...


class Model:
    def model_dump(self) -> None: ...


class Polars:
    def to_dict(self) -> None: ...
    def to_dicts(self) -> None: ...


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        (decimal.Decimal(1), "send float(...) or str(...) of it"),
        (fractions.Fraction(1), "send float(...) or str(...) of it"),
        (uuid.uuid4(), "send str(...) of it"),
        (pathlib.PurePosixPath("a"), "send str(...) of it"),
        (1j, "send its .real and .imag"),
        (dt.timedelta(1), "send .total_seconds() of it"),
        (dt.time(), "send .isoformat() of it"),
        (Model(), "send .model_dump() of it"),
        (pandas.DataFrame({"a": [1]}), 'send .to_dict("records") of it'),
        (pandas.Series([1]), "send .tolist() of it"),
        (pandas.Index([1]), "send .tolist() of it"),
        (pandas.Categorical(["a"]), "send .tolist() of it"),
        (Polars(), "send .to_dicts() of it"),
        (object(), "send a dict, a list, text or a number instead"),
        (Point, "'Point' is a function or class, not a value"),
        (print, "'print' is a function or class, not a value"),
        (iter([]), "a stream cannot be part of a value; send list(...)"),
        (re.compile(b"a"), "compile it from str"),
        (re.compile("a # comment", re.X), "send RegExp(source, flags)"),
        (re.compile("(?P<name>a)"), "send RegExp(source, flags)"),
        (re.compile(r"\Aa"), "send RegExp(source, flags)"),
        (memoryview(b"abcd").cast("B", (2, 2))[:1], None),
        (memoryview(np.zeros(1, ">i2")), "this buffer cannot be read"),
        (np.zeros(1, [("a", "i4")]), "JavaScript has no ndarray"),
        (np.random.default_rng(0), "JavaScript has no Generator"),
    ],
    ids=lambda part: part if type(part) is str else type(part).__name__,
)
def test_what_has_no_counterpart_is_refused_with_advice(value: Any, advice: str | None) -> None:
    if advice is None:
        assert normalize_value(value, "") == [[97, 98]]
        return
    with pytest.raises(EncodeError) as caught:
        normalize_value(value, "args.0")
    assert advice in caught.value.reason
    assert caught.value.path == "args.0"


def test_what_is_awaited_first() -> None:
    coroutine = _coroutine()
    with pytest.raises(EncodeError, match="await it first"):
        normalize_value(coroutine, "")
    asyncio.run(coroutine)


def test_a_released_buffer_and_an_array_of_characters_are_refused() -> None:
    view = memoryview(b"a")
    view.release()
    with pytest.raises(EncodeError, match="buffer"):
        normalize_value(view, "")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        characters = array("u", "ab")
    with pytest.raises(EncodeError, match="send a list"):
        normalize_value(characters, "")


def test_a_naive_datetime_is_local_time_and_microseconds_are_cut() -> None:
    naive = dt.datetime(2026, 8, 1, 12, 0, 0, 123999)
    expected = naive.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.123Z")
    assert iso_text(naive, "") == expected
    assert iso_text(dt.datetime(1, 1, 1, tzinfo=dt.UTC), "") == "0001-01-01T00:00:00.000Z"


def test_a_datetime_outside_its_years_in_utc_is_refused() -> None:
    first = dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=1)))
    with pytest.raises(EncodeError, match="years 1 to 9999"):
        iso_text(first, "args.0")


def test_keys() -> None:
    assert plain_key("a") == "a"
    assert type(plain_key(Text("a"))) is str
    assert plain_key(Colour.RED) == "red"
    assert plain_key(1) is None
