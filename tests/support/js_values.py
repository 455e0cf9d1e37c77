"""What a value is in JavaScript, described: to compare values across languages and round trips.

``describe`` is written without a look at the codecs; ``driver.mjs`` in
``tests/wire/peers/superjson`` describes real JavaScript values in the same way. A description is a
JSON value: ``["number", "<8 bytes, hex>"]``, ``["string", "<UTF-16, hex>"]``,
``["array", id, [...]]``; an object met again is ``["ref", id]``. Members of a Set come in an order
of their own, because Python's sets have none.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import struct
from array import array
from typing import Any

from hypothesis import strategies as st

from kkjupyter.errors import RemoteError
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
from kkjupyter.wire.values.normalize import FORBIDDEN_KEYS

__all__ = ["describe", "linked_values", "values"]

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MILLISECOND = dt.timedelta(milliseconds=1)
ARRAYS = {
    "b": "Int8Array",
    "h": "Int16Array",
    "i": "Int32Array",
    "H": "Uint16Array",
    "I": "Uint32Array",
    "f": "Float32Array",
    "d": "Float64Array",
}
# Dates that Python has not, with what JavaScript's getTime() says of them.
FAR_DATES = {
    "+010000-01-01T00:00:00.000Z": 253402300800000,
    "-000001-01-01T00:00:00.000Z": -62198755200000,
    "0000-01-01T00:00:00.000Z": -62167219200000,
    "+275760-09-13T00:00:00.000Z": 8640000000000000,
    "Invalid Date": math.nan,
}


def describe(value: Any, ids: dict[int, int] | None = None) -> list[Any]:
    """What ``value`` is in JavaScript; ``ids`` numbers the objects met so far."""
    ids = {} if ids is None else ids
    if isinstance(value, Boxed):
        return describe(value.value, ids)
    leaf = _describe_leaf(value)
    if leaf is not None:
        return leaf
    if id(value) in ids:
        return ["ref", ids[id(value)]]
    number = ids[id(value)] = len(ids)
    if isinstance(value, RemoteError):
        cause = undefined if value.cause is None else value.cause
        return ["error", number, _text(value.name), _text(value.message), describe(cause, ids)]
    if isinstance(value, list):
        return ["array", number, [describe(item, ids) for item in value]]
    if isinstance(value, set):
        alone = sorted(value, key=lambda item: json.dumps(describe(item), separators=(",", ":")))
        return ["set", number, [describe(item, ids) for item in alone]]
    if isinstance(value, Map):
        rows = [[describe(key, ids), describe(item, ids)] for key, item in value.items()]
        return ["map", number, rows]
    assert type(value) is dict, f"no description for {value!r}"
    fields = sorted((_text(key), item) for key, item in value.items())
    return ["object", number, [[key, describe(item, ids)] for key, item in fields]]


def _describe_leaf(value: Any) -> list[Any] | None:
    if value is None:
        return ["null"]
    if value is undefined:
        return ["undefined"]
    if isinstance(value, bool):
        return ["boolean", value]
    if isinstance(value, BigInt) or (isinstance(value, int) and abs(value) >= 2**53):
        return ["bigint", f"{int(value)}"]
    if isinstance(value, int | float):
        return ["number", _number(value)]
    if isinstance(value, Date):
        return ["date", _number(FAR_DATES[value])]
    if isinstance(value, URL):
        return ["url", str(value)]
    if isinstance(value, str):
        return ["string", _text(value)]
    if isinstance(value, dt.datetime):
        return ["date", _number((value - EPOCH) // MILLISECOND)]
    if isinstance(value, RegExp):
        return ["regexp", _text(value.source), "".join(sorted(value.flags))]
    if isinstance(value, bytes):
        clamped = isinstance(value, Uint8ClampedArray)
        name = "Uint8ClampedArray" if clamped else "Uint8Array"
        return ["typed", name, [_number(item) for item in value]]
    if isinstance(value, array):
        return ["typed", ARRAYS[value.typecode], [_number(item) for item in value]]
    return None


def _number(value: float) -> str:
    return "NaN" if math.isnan(value) else struct.pack(">d", value).hex()


def _text(value: str) -> str:
    return value.encode("utf-16-be", "surrogatepass").hex()


# ---- strategies


def _pair_up(text: str) -> str:
    """``text`` with surrogate halves that stand side by side made one character."""
    return text.encode("utf-16-be", "surrogatepass").decode("utf-16-be", "surrogatepass")


# A float that JavaScript writes in digits only would arrive as an int: see "Numbers" in values.py.
_FLOATS = st.floats().filter(
    lambda number: not (math.isfinite(number) and 2**53 <= abs(number) < 1e21)
)
_TEXTS = st.text(st.characters(exclude_categories=())).map(_pair_up)
_KEYS = st.one_of(
    _TEXTS,
    st.text(".\\a0", max_size=4),
    st.sampled_from(["", "0", "1", "length", "toString", "then", "__proto", "a.b", "a\\.b", "a\\"]),
).filter(lambda key: key not in FORBIDDEN_KEYS)  # the library refuses these, and so does ours
_BIGINTS = st.integers().map(lambda n: BigInt(n) if abs(n) < 2**53 else n)
_DATES = st.datetimes(timezones=st.just(dt.UTC)).map(
    lambda moment: moment.replace(microsecond=moment.microsecond // 1000 * 1000)
)
_FAR = st.sampled_from([Date(text) for text in FAR_DATES if text != "Invalid Date"])
_REGEXPS = st.builds(
    RegExp,
    st.sampled_from(["ab+c", "(?:)", "\\/x\\.", "[a-z]{2}", "é|\\n", "(?<year>\\d{4})"]),
    st.sets(st.sampled_from("dgimsuy")).map(lambda letters: "".join(sorted(letters))),
)
_URLS = st.sampled_from(
    [URL("https://example.com/a?b=1#c"), URL("mailto:someone@example.com"), URL("file:///a%20b")]
)


def _arrays(code: str) -> st.SearchStrategy[array[Any]]:
    bits = 8 * array(code).itemsize
    if code in "fd":
        # The library itself loses NaN, the infinities and -0 here.
        numbers: st.SearchStrategy[Any] = st.floats(
            width=32 if code == "f" else 64, allow_nan=False, allow_infinity=False
        ).map(lambda number: number or 0.0)
    elif code.islower():
        numbers = st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    else:
        numbers = st.integers(0, 2**bits - 1)
    return st.lists(numbers, max_size=4).map(lambda items: array(code, items))


_ATOMS = st.one_of(st.none(), st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1), _FLOATS, _TEXTS)
_HASHABLE = st.one_of(
    st.just(undefined), _ATOMS, _BIGINTS, _DATES, _FAR, _REGEXPS, _URLS, st.binary(max_size=4)
)
_LEAVES = st.one_of(
    _HASHABLE,
    st.binary(max_size=4).map(Uint8ClampedArray),
    st.sampled_from(sorted(ARRAYS)).flatmap(_arrays),
)


def _held(holder: set[Any] | dict[Any, Any], item: Any) -> Any:
    """``item`` as a member of ``holder``: in a box where Python could not tell it from another."""
    try:
        hash(item)
    except TypeError:
        return Boxed(item)
    return Boxed(item) if item in holder else item


def _distinct(items: list[Any]) -> list[Any]:
    """``items`` without those that are one and the same primitive in JavaScript."""
    seen: dict[str, Any] = {}
    for item in items:
        described = json.dumps(describe(0 if item == 0 and type(item) is float else item))
        seen.setdefault(described, item)
    return list(seen.values())


def _set(items: list[Any]) -> set[Any]:
    made: set[Any] = set()
    for item in _distinct(items):
        made.add(_held(made, _no_negative_zero(item)))
    return made


def _map(rows: list[tuple[Any, Any]]) -> Map:
    made = Map()
    items = iter([item for _, item in rows])
    for key in _distinct([key for key, _ in rows]):
        made[_held(made, _no_negative_zero(key))] = next(items)
    return made


def _no_negative_zero(item: Any) -> Any:
    """A Set or Map of JavaScript's takes -0 for 0."""
    return 0 if type(item) is float and item == 0 else item


def _error(name: str, message: str, cause: Any) -> RemoteError:
    return RemoteError(message, name=name, cause=None if cause is undefined else cause)


def _containers(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(_KEYS, inner, max_size=4),
        st.lists(inner, max_size=4).map(_set),
        st.lists(st.tuples(inner, inner), max_size=4).map(_map),
        st.builds(_error, st.sampled_from(["Error", "TypeError", "E"]), _TEXTS, inner),
    )


def values() -> st.SearchStrategy[Any]:
    """Trees of every type of the table, without shared parts."""
    return st.recursive(_LEAVES, _containers, max_leaves=12)


@st.composite
def linked_values(draw: st.DrawFn) -> Any:
    """Lists, dicts and Maps that hold one another, in rings and by several ways."""
    leaves = st.one_of(st.integers(0, 9), _DATES, _KEYS)
    nodes: list[Any] = [
        draw(
            st.one_of(
                st.lists(leaves, max_size=2),
                st.dictionaries(_KEYS, leaves, max_size=2),
                st.dictionaries(leaves, leaves, max_size=2).map(Map),
            )
        )
        for _ in range(draw(st.integers(1, 4)))
    ]
    for _ in range(draw(st.integers(1, 8))):
        holder, held = draw(st.sampled_from(nodes)), draw(st.sampled_from(nodes))
        if isinstance(holder, list):
            holder.append(held)
        else:
            holder[draw(_KEYS)] = held
    return nodes[0]
