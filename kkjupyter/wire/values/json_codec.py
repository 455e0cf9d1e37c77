"""Values <-> plain JSON, the way the kkrpc peers' ``json`` codec has it.

It carries less than superjson. A value that stays recognizable in ``JSON.stringify`` is sent in the
same way: a Date and a URL become text, NaN and the infinities ``null``, ``-0`` ``0``; ``undefined``
becomes ``null`` in a list and leaves an object; a Uint8Array travels as ``{"type": "Uint8Array",
"data": [...]}`` (an object that merely looks like that arrives as bytes). A value that it would
silently empty (Map, Set, RegExp, Error) or garble (integers from 2**53 on) is refused; only a Map
whose keys are all text is sent as an object, and other typed arrays are sent as lists.
"""

from __future__ import annotations

import datetime as dt
from array import array
from math import isfinite
from typing import Any

from kkjupyter.errors import EncodeError, ProtocolError, RemoteError
from kkjupyter.wire.values.javascript import (
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
from kkjupyter.wire.values.json_text import TOO_DEEP
from kkjupyter.wire.values.normalize import is_plain, iso_text, normalize_value, plain_key
from kkjupyter.wire.values.write_path import MAX_SHARED_BYTES, SHARED_TOO_OFTEN, Place, path_text

__all__ = ["decode", "encode"]

_BYTES_TYPE = "Uint8Array"
_PART_BYTES = 8


def encode(value: Any, prefix: str = "", *, tags_bytes: bool = True) -> Any:
    """``value`` as JSON; the result may share parts with ``value``, so write it out at once.

    Args:
        value: anything the table in :mod:`kkjupyter.wire.values.javascript` has a row for, with the
            limits stated above.
        prefix: the path at which it will stand in the message, for error texts.
        tags_bytes: whether bytes are sent as an object, as above; else as a list, like other typed
            arrays.

    Raises:
        EncodeError: a part of it cannot be sent; ``path`` (``prefix`` included) says which.
    """
    try:
        return value if is_plain(value) else _Writer(prefix, tags_bytes).write(value, None)
    except RecursionError as exc:
        raise EncodeError(prefix, TOO_DEEP) from exc


def decode(json: Any) -> Any:
    """The value that ``json`` stands for; only byte arrays are converted, in place.

    Raises:
        ProtocolError: it is nested too deeply.
    """
    try:
        return _decode(json)
    except RecursionError as exc:
        raise ProtocolError("JSON nested too deeply") from exc


class _Writer:
    """Writes one value. A part that occurs several times is written once, and its JSON reused.

    Args:
        prefix: see :func:`encode`.
        tags_bytes: see :func:`encode`.
    """

    def __init__(self, prefix: str, tags_bytes: bool) -> None:
        self._prefix = prefix
        self._tags_bytes = tags_bytes
        # The containers found, by id; kept alive, so that no id is reused.
        self._kept: dict[int, Any] = {}
        self._written: dict[int, tuple[Any, int]] = {}  # their JSON and its approximate length
        self._written_bytes = 0
        self._shared_bytes = 0

    def write(self, value: Any, place: Place) -> Any:
        """``value``, which stands at ``place``, as JSON."""
        kind = type(value)
        self._written_bytes += _PART_BYTES
        if kind is str:
            self._written_bytes += len(value)
            return value
        if kind is bool or value is None:
            return value
        if kind is int:
            if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
                return value
            reason = f"JSON numbers are limited to ±(2**53 - 1); {_ADVICE}, or str(...) of it"
            raise self._refusal(place, reason)
        if kind is float:
            return (value or 0) if isfinite(value) else None
        if kind in _REFUSALS:
            raise self._refusal(place, f"{_REFUSALS[kind]}; {_ADVICE}")
        if kind is Undefined:
            return None
        if kind in (Date, URL):
            return str(value)
        if kind is bytes or kind is Uint8ClampedArray:
            self._written_bytes += _PART_BYTES * len(value)
            if kind is bytes and self._tags_bytes:
                return {"type": _BYTES_TYPE, "data": list(value)}
            return list(value)
        if kind is array and typed_array_name(value.typecode):
            return self._list(value.tolist(), place)
        return self._container(value, place)

    def _container(self, value: Any, place: Place) -> Any:
        own = id(value)
        if own in self._kept:
            return self._again(own, place)
        reduced = value
        if type(value) not in (list, dict, Map):
            try:
                if isinstance(value, dt.datetime):
                    return iso_text(value, "")
                reduced = normalize_value(value, "")
            except EncodeError as error:
                raise self._refusal(place, error.reason) from error.__cause__
            if type(reduced) not in (list, dict, Map):
                return self.write(reduced, place)
        self._kept[own] = value
        begun_bytes = self._written_bytes
        json = (self._list if type(reduced) is list else self._dict)(reduced, place)
        self._written[own] = (json, self._written_bytes - begun_bytes)
        return json

    def _again(self, own: int, place: Place) -> Any:
        if own not in self._written:
            raise self._refusal(place, f"it contains itself, which JSON cannot express; {_ADVICE}")
        json, length_bytes = self._written[own]
        self._written_bytes += length_bytes
        self._shared_bytes += length_bytes
        if self._shared_bytes > MAX_SHARED_BYTES:
            raise self._refusal(place, SHARED_TOO_OFTEN)
        return json

    def _list(self, value: list[Any], place: Place) -> list[Any]:
        return [self.write(item, (place, index)) for index, item in enumerate(value)]

    def _dict(self, value: dict[Any, Any], place: Place) -> dict[str, Any]:
        json: dict[str, Any] = {}
        for raw_key, item in value.items():
            key = plain_key(raw_key)
            if key is None:
                reason = f"a key that is not text but {type(raw_key).__name__}"
                raise self._refusal(place, f"{reason}; {_ADVICE}, or use text keys")
            if item is not undefined:
                self._written_bytes += len(key)
                json[key] = self.write(item, (place, key))
        return json

    def _refusal(self, place: Place, reason: str) -> EncodeError:
        return EncodeError(".".join(filter(None, (self._prefix, path_text(place)))), reason)


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
                return json  # not bytes: an object of the user's
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
