"""Values <-> plain JSON, the way the kkrpc peers' ``json`` codec has it.

It carries less than superjson. What ``JSON.stringify`` turns into something that still tells what
it was goes the same way: a Date and a URL become text, NaN and the infinities ``null``, ``-0``
``0``; ``undefined`` becomes ``null`` in a list and leaves an object; a Uint8Array travels as
``{"type": "Uint8Array", "data": [...]}`` (an object that merely looks like that arrives as bytes).
What it would silently empty (Map, Set, RegExp, Error) or garble (integers from 2**53 on) is
refused; only a Map whose keys are all text goes as an object, and other typed arrays go as lists.
"""

from __future__ import annotations

import datetime as dt
from array import array
from math import isfinite
from typing import Any

from kkjupyter.errors import EncodeError, ProtocolError, RemoteError
from kkjupyter.wire.reduction import is_plain, iso_text, plain_key, reduce_value
from kkjupyter.wire.values import (
    MAX_SAFE_INTEGER,
    URL,
    BigInt,
    Date,
    Map,
    RegExp,
    Uint8ClampedArray,
    Undefined,
    typed_array_name,
    undefined,
)

__all__ = ["decode", "encode"]

_BYTES_TYPE = "Uint8Array"


def encode(value: Any, prefix: str = "", *, tags_bytes: bool = True) -> Any:
    """``value`` as JSON; it may share parts with ``value``, so write it out at once.

    Args:
        value: anything the table in :mod:`kkjupyter.wire.values` has a row for, with the limits
            stated above.
        prefix: the path at which it will stand in the message, for error texts.
        tags_bytes: bytes travel as said above; else as a list, like the other typed arrays.

    Raises:
        EncodeError: a part of it cannot be carried; ``path`` (``prefix`` included) says which.
    """
    try:
        return value if is_plain(value) else _encode(value, prefix, {}, tags_bytes)
    except RecursionError as exc:
        raise EncodeError(prefix, "it is nested too deeply") from exc


def decode(json: Any) -> Any:
    """The value that ``json`` stands for: only byte arrays need a look. Changes ``json`` in place.

    Raises:
        ProtocolError: it is nested too deeply.
    """
    try:
        return _decode(json)
    except RecursionError as exc:
        raise ProtocolError("JSON nested too deeply") from exc


def _encode(value: Any, path: str, above: dict[int, Any], tags_bytes: bool) -> Any:
    """``above`` holds the containers that ``value`` is inside of, by id."""
    kind = type(value)
    if kind is str or kind is bool or value is None:
        return value
    if kind is int:
        if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
            return value
        raise EncodeError(path, f"JSON numbers end at ±(2**53 - 1); {_ADVICE}, or str(...) of it")
    if kind is float:
        return (value or 0) if isfinite(value) else None
    if kind in _REFUSALS:
        raise EncodeError(path, f"{_REFUSALS[kind]}; {_ADVICE}")
    if kind is Undefined:
        return None
    if kind is dt.datetime:
        return iso_text(value, path)
    if kind in (Date, URL):
        return str(value)
    if kind is bytes:
        return {"type": _BYTES_TYPE, "data": list(value)} if tags_bytes else list(value)
    if kind is Uint8ClampedArray:
        return list(value)
    if kind is array and typed_array_name(value.typecode):
        return [_encode(item, path, above, tags_bytes) for item in value.tolist()]
    if kind not in (list, dict, Map):
        reduced = reduce_value(value, path)
        if type(reduced) not in (list, dict, Map):
            return _encode(reduced, path, above, tags_bytes)
    else:
        reduced = value
    if id(value) in above:
        raise EncodeError(path, f"it contains itself, which JSON cannot say; {_ADVICE}")
    above[id(value)] = value
    write = _list if type(reduced) is list else _dict
    json = write(reduced, f"{path}." if path else "", above, tags_bytes)
    del above[id(value)]
    return json


def _list(value: list[Any], base: str, above: dict[int, Any], tags_bytes: bool) -> list[Any]:
    return [_encode(item, f"{base}{index}", above, tags_bytes) for index, item in enumerate(value)]


def _dict(
    value: dict[Any, Any], base: str, above: dict[int, Any], tags_bytes: bool
) -> dict[str, Any]:
    json: dict[str, Any] = {}
    for raw_key, item in value.items():
        key = plain_key(raw_key)
        if key is None:
            reason = f"a key that is no text but {type(raw_key).__name__}"
            raise EncodeError(base[:-1], f"{reason}; {_ADVICE}, or use text keys")
        if item is not undefined:
            json[key] = _encode(item, f"{base}{key}", above, tags_bytes)
    return json


def _decode(json: Any) -> Any:
    kind = type(json)
    if kind is list:
        for index, item in enumerate(json):
            if type(item) is dict or type(item) is list:
                json[index] = _decode(item)
    elif kind is dict:
        if len(json) == 2 and json.get("type") == _BYTES_TYPE and type(json.get("data")) is list:
            try:
                return bytes(json["data"])
            except (TypeError, ValueError):
                return json  # no bytes: somebody's own object
        for key, item in json.items():
            if type(item) is dict or type(item) is list:
                json[key] = _decode(item)
    return json


_ADVICE = "the superjson codec can carry it"
_REFUSALS: dict[type, str] = {
    BigInt: "JSON does not know how to serialize a BigInt",
    set: "JSON has no Set: send a list",
    RegExp: "JSON has no RegExp: send its source as text",
    RemoteError: "JSON has no Error: send its message, or raise it",
}
