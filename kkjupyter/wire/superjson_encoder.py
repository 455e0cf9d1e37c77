"""The walk from a value to superjson's JSON and annotations.

Two differences from what the JavaScript library writes, both because its own reader would lose data
otherwise. Of the paths of a shared object it names the shortest first, we the one met first: its
reader could otherwise overwrite an object and with it the references inside. And it lets Set
members and Map keys be replaced, which moves them to the end and makes the next path hit another
one; we send a shared object there as a copy.
"""

from __future__ import annotations

import datetime as dt
from array import array
from collections.abc import Callable
from math import copysign
from typing import Any

from kkjupyter.errors import EncodeError, RemoteError
from kkjupyter.wire.reduction import (
    FORBIDDEN_KEYS,
    VALUE_SEMANTICS,
    iso_text,
    plain_key,
    reduce_value,
)
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
)

__all__ = ["Annotation", "Encoder"]

Annotation = list[Any] | dict[str, Any] | None
"""``[tag]``, ``[tag, inner]``, or annotations by path below here; None where JSON says it all."""


class _Seen:
    """One object with identity: what it became, and every path it was met at."""

    __slots__ = ("json", "note", "open", "paths", "value")

    def __init__(self, value: Any, path: str) -> None:
        self.value = value  # kept alive: an id is only good as long as its object
        self.paths = [path]
        self.open = True
        self.json: Any = None
        self.note: Annotation = None


class Encoder:
    """Walks one value. Paths carry a trailing dot, so that "" is the root and "." the key ""."""

    def __init__(self) -> None:
        self._seen: dict[int, _Seen] = {}

    def walk(self, value: Any, path: str, *, pinned: bool = False) -> tuple[Any, Annotation]:
        """``value`` as JSON with its annotation.

        Args:
            value: any value.
            path: where it stands.
            pinned: the reader must not replace what stands there.
        """
        kind = type(value)
        if kind is str or kind is bool or value is None:
            return value, None
        leaf = _LEAVES.get(kind)
        if leaf is not None:
            return leaf(value, path)
        seen = self._seen.get(id(value))
        if seen is not None:
            if seen.open or not pinned:
                seen.paths.append(path)
            return seen.json, seen.note
        write = _CONTAINERS.get(kind)
        reduced = value
        if write is None:
            reduced = reduce_value(value, path[:-1])
            write = _CONTAINERS.get(type(reduced))
            if write is None or isinstance(value, VALUE_SEMANTICS):
                return self.walk(reduced, path, pinned=pinned)
        self._seen[id(value)] = seen = _Seen(value, path)
        seen.json, seen.note = write(self, reduced, path)
        seen.open = False
        return seen.json, seen.note

    def equalities(self) -> dict[str, Any] | list[Any] | None:
        shared: dict[str, list[str]] = {}
        root: list[str] | None = None
        for seen in self._seen.values():
            first, *others = seen.paths
            if not others:
                continue
            others = [path[:-1] for path in others]
            if first:
                shared[first[:-1]] = others
            else:
                root = others
        if root is None:
            return shared or None
        return [root, shared] if shared else [root]

    def write_list(self, value: list[Any], path: str) -> tuple[Any, Annotation]:
        json: list[Any] = []
        notes: dict[str, Any] = {}
        for index, item in enumerate(value):
            inner, note = self.walk(item, f"{path}{index}.")
            json.append(inner)
            if note is not None:
                _collect(notes, str(index), note)
        return json, notes or None

    def write_dict(self, value: dict[Any, Any], path: str) -> tuple[Any, Annotation]:
        json: dict[str, Any] = {}
        notes: dict[str, Any] = {}
        for raw_key, item in value.items():
            key = raw_key if type(raw_key) is str else plain_key(raw_key)
            if key is None:
                return self.write_map(value, path)
            step = _escape(key)
            if key in FORBIDDEN_KEYS:
                raise EncodeError(
                    f"{path}{step}",
                    f"superjson peers refuse objects with a key {key!r}; rename it, or send a Map",
                )
            json[key], note = self.walk(item, f"{path}{step}.")
            if note is not None:
                _collect(notes, step, note)
        return json, notes or None

    def write_map(self, value: dict[Any, Any], path: str) -> tuple[Any, Annotation]:
        json: list[Any] = []
        notes: dict[str, Any] = {}
        last = len(value) - 1
        for row, (key, item) in enumerate(value.items()):
            key_json, note = self.walk(key, f"{path}{row}.0.", pinned=row < last)
            if note is not None:
                _collect(notes, f"{row}.0", note)
            item_json, note = self.walk(item, f"{path}{row}.1.")
            if note is not None:
                _collect(notes, f"{row}.1", note)
            json.append([key_json, item_json])
        return json, _tagged("map", notes)

    def write_set(self, value: set[Any], path: str) -> tuple[Any, Annotation]:
        json: list[Any] = []
        notes: dict[str, Any] = {}
        last = len(value) - 1
        for row, item in enumerate(value):
            inner, note = self.walk(item, f"{path}{row}.", pinned=row < last)
            json.append(inner)
            if note is not None:
                _collect(notes, str(row), note)
        return json, _tagged("set", notes)

    def write_error(self, value: RemoteError, path: str) -> tuple[Any, Annotation]:
        # superjson itself writes no stack and no properties; it reads the stack where there is one.
        fields = {**value.data, "name": value.name, "message": value.message}
        if value.stack is not None:
            fields["stack"] = value.stack
        if value.cause is not None:
            fields["cause"] = value.cause
        json, note = self.write_dict(fields, path)
        return json, _tagged("Error", note)


_CONTAINERS: dict[type, Callable[[Encoder, Any, str], tuple[Any, Annotation]]] = {
    list: Encoder.write_list,
    dict: Encoder.write_dict,
    Map: Encoder.write_map,
    set: Encoder.write_set,
    RemoteError: Encoder.write_error,
}


def _tagged(tag: str, notes: Any) -> Annotation:
    return [tag, notes] if notes else [tag]


def _collect(notes: dict[str, Any], step: str, note: Annotation) -> None:
    """Add the annotation of what stands at ``step`` to those of what holds it."""
    if isinstance(note, dict):
        for path, inner in note.items():
            notes[f"{step}.{path}"] = inner
    else:
        notes[step] = note


def _escape(key: str) -> str:
    return key.replace("\\", "\\\\").replace(".", "\\.")


def _int(value: int, path: str) -> tuple[Any, Annotation]:
    if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
        return value, None
    return _bigint(value, path)


def _bigint(value: int, path: str) -> tuple[Any, Annotation]:
    try:
        return int.__repr__(value), ["bigint"]
    except ValueError as exc:  # Python limits the digits, see sys.set_int_max_str_digits
        raise EncodeError(path[:-1], str(exc)) from exc


def _float(value: float, path: str) -> tuple[Any, Annotation]:
    text = _number_text(value)
    return (value, None) if text is None else (text, ["number"])


def _number_text(value: Any) -> str | None:
    """How a number that JSON has not is written; None for all others."""
    if value - value != 0:  # infinite, or NaN
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return "-0" if value == 0 and copysign(1.0, value) < 0 else None


def _regexp(value: RegExp, path: str) -> tuple[Any, Annotation]:
    letters = set(value.flags)
    if not letters <= set("dgimsuvy") or len(letters) < len(value.flags) or {"u", "v"} <= letters:
        raise EncodeError(path[:-1], f"JavaScript has no flags {value.flags!r}")
    return str(value), ["regexp"]


def _url(value: URL, path: str) -> tuple[Any, Annotation]:
    scheme, colon, _ = value.partition(":")
    if not (colon and scheme[:1].isalpha() and scheme.isascii()):
        raise EncodeError(path[:-1], f"{str(value)!r} is no absolute URL; send it as plain str")
    return str(value), ["URL"]


def _typed_array(value: array[Any], path: str) -> tuple[Any, Annotation]:
    name = typed_array_name(value.typecode)
    items = value.tolist()
    if name is None:  # 64-bit integers: the peers have no typed array for them
        return Encoder().walk(reduce_value(value, path[:-1]), path)
    if name.startswith("Float"):
        # As JSON has no NaN the peers write null, which they read as 0. They do read these texts.
        items = [_number_text(item) or item for item in items]
    return items, [["typed-array", name]]


_LEAVES: dict[type, Callable[[Any, str], tuple[Any, Annotation]]] = {
    int: _int,
    float: _float,
    Undefined: lambda value, path: (None, ["undefined"]),
    BigInt: _bigint,
    dt.datetime: lambda value, path: (iso_text(value, path[:-1]), ["Date"]),
    Date: lambda value, path: (str(value), ["Date"]),
    URL: _url,
    RegExp: _regexp,
    bytes: lambda value, path: (list(value), [["typed-array", "Uint8Array"]]),
    Uint8ClampedArray: lambda value, path: (
        list(value),
        [["typed-array", "Uint8ClampedArray"]],
    ),
    array: _typed_array,
}
