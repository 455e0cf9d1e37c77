"""Encodes a value as superjson's JSON and annotations.

The result differs from the JavaScript library's in two ways, because its own reader would lose data
otherwise. The library names the shortest path of a shared object first, and we name the path found
first: its reader could otherwise overwrite an object, and with it the references inside. And the
library replaces Set members and Map keys, which moves them to the end, so that the next path
reaches another one; we send a shared object there as a copy.
"""

from __future__ import annotations

import datetime as dt
from array import array
from collections.abc import Callable
from math import copysign
from typing import Any, Final

from kkjupyter.errors import EncodeError, RemoteError
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
)
from kkjupyter.wire.values.normalize import (
    FORBIDDEN_KEYS,
    VALUE_SEMANTICS,
    iso_text,
    normalize_value,
    plain_key,
)
from kkjupyter.wire.values.superjson.decoder import shorten
from kkjupyter.wire.values.write_path import MAX_SHARED_BYTES, SHARED_TOO_OFTEN, Place, steps_below

__all__ = ["MAX_ANNOTATION_BYTES", "Annotation", "Encoder"]

MAX_ANNOTATION_BYTES: Final = 64 * 1024 * 1024
"""How long all paths of a message's annotations may be together."""

_PART_BYTES: Final = 8

Annotation = list[Any]
"""``[tag]``, or ``[tag, annotations by path below here]``."""

Leaf = tuple[Any, Annotation | None]


class _Seen:
    """One object with identity: its JSON, and every place where it occurs."""

    __slots__ = ("bytes", "first_note", "json", "last_note", "open", "places", "scope", "value")

    def __init__(self, value: Any, place: Place, scope: _Scope, begun_bytes: int) -> None:
        self.value = value  # kept alive: an id is valid only as long as its object
        self.places = [place]
        self.open = True
        self.json: Any = None
        self.scope = scope
        self.first_note = self.last_note = len(scope.notes)
        self.bytes = begun_bytes  # what had been written before; at the end, its own


class _Scope:
    """A collection of annotations: of the message, or of one Map, Set or Error.

    Attributes:
        place: the place below which their paths begin.
        notes: paths with a dot after each step, and their annotations.
        known_place: the place of the latest annotation's holder, and ``known_path`` its path: the
            next one is often in the same list.
    """

    __slots__ = ("known_path", "known_place", "notes", "place")

    def __init__(self, place: Place) -> None:
        self.place = self.known_place = place
        self.known_path = ""
        self.notes: list[tuple[str, Annotation]] = []


class Encoder:
    """Encodes one value. In paths a dot follows each step, so "" is the root, and "." is the key
    "".

    Args:
        prefix: the path at which the value will stand in the message.
    """

    def __init__(self, prefix: str = "") -> None:
        self._prefix = f"{prefix}." if prefix else ""
        self._seen: dict[int, _Seen] = {}
        self._scope = _Scope(None)
        self._written_bytes = 0
        self._shared_bytes = 0
        self._path_bytes = 0

    def encode(self, value: Any) -> tuple[Any, Annotation | dict[str, Annotation]]:
        """``value`` as JSON, and its annotations: by path, or its own if it has no prefix.

        Raises:
            EncodeError: a part of it cannot be sent; ``path`` says which. Or its shared parts or
                annotations would make the message too long.
        """
        json = self._walk(value, None)
        notes = self._scope.notes
        if notes and not notes[0][0] and not self._prefix:
            return json, notes[0][1]  # all others are inside of that one
        return json, {f"{self._prefix}{path}"[:-1]: note for path, note in notes}

    def _walk(self, value: Any, place: Place, *, pinned: bool = False) -> Any:
        """``value`` as JSON.

        Args:
            value: any value.
            place: its place.
            pinned: whether the reader must not replace it.
        """
        kind = type(value)
        self._written_bytes += _PART_BYTES
        if kind is str:
            self._written_bytes += len(value)
            return value
        if kind is bool or value is None:
            return value
        leaf = _LEAVES.get(kind)
        if kind is array and not typed_array_name(value.typecode):
            # The peers have no typed array for integers of 64 bits.
            return self.write_list(value.tolist(), place)
        if leaf is not None:
            try:
                json, note = leaf(value)
            except EncodeError as error:
                raise self._placed(error, place) from error.__cause__
            if note is not None:
                self._note(place, note)
            if type(json) is list:
                self._written_bytes += _PART_BYTES * len(json)
            return json
        seen = self._seen.get(id(value))
        if seen is not None:
            return self._again(seen, place, pinned)
        write = _CONTAINERS.get(kind)
        reduced = value
        if write is None:
            try:
                reduced = normalize_value(value, "")
            except EncodeError as error:
                raise self._placed(error, place) from error.__cause__
            write = _CONTAINERS.get(type(reduced))
            if write is None or isinstance(value, VALUE_SEMANTICS):
                return self._walk(reduced, place, pinned=pinned)
        seen = _Seen(value, place, self._scope, self._written_bytes)
        self._seen[id(value)] = seen
        seen.json = write(self, reduced, place)
        seen.open = False
        seen.bytes = self._written_bytes - seen.bytes
        seen.last_note = len(self._scope.notes)
        return seen.json

    def _again(self, seen: _Seen, place: Place, pinned: bool) -> Any:
        """The JSON and annotations of an object that already occurred, once more for this place."""
        if seen.open or not pinned:
            seen.places.append(place)
        if seen.open:
            return None
        self._written_bytes += seen.bytes
        self._shared_bytes += seen.bytes
        if self._shared_bytes > MAX_SHARED_BYTES:
            raise EncodeError(self.path(place), SHARED_TOO_OFTEN)
        if seen.first_note < seen.last_note:
            old, new = _path(seen.places[0], seen.scope.place), _path(place, self._scope.place)
            for path, note in seen.scope.notes[seen.first_note : seen.last_note]:
                self._add_note(new + path[len(old) :], note)
        return seen.json

    def _note(self, place: Place, note: Annotation) -> None:
        scope = self._scope
        if place is scope.place:
            self._add_note("", note)
            return
        assert place is not None, "the root is in the scope of the message"
        holder, step = place
        if scope.known_place is not holder:
            scope.known_place, scope.known_path = holder, _path(holder, scope.place)
        self._add_note(f"{scope.known_path}{_step(step)}", note)

    def _add_note(self, path: str, note: Annotation) -> None:
        self._scope.notes.append((path, note))
        self._count_path(path)

    def _count_path(self, path: str) -> None:
        self._path_bytes += len(path)
        if self._path_bytes > MAX_ANNOTATION_BYTES:
            raise EncodeError(
                shorten(path),
                "the paths to values that JSON cannot express take more than "
                f"{MAX_ANNOTATION_BYTES:,} bytes; shorten its keys, or send it in parts",
            )

    def path(self, place: Place) -> str:
        """The whole path of a place, without a dot at its end."""
        return f"{self._prefix}{_path(place, None)}"[:-1]

    def _placed(self, error: EncodeError, place: Place) -> EncodeError:
        error.path = error.path or self.path(place)
        return error

    def equalities(self) -> dict[str, list[str]] | list[Any] | None:
        """The annotation for paths that are the same object; None if there are none."""
        shared: dict[str, list[str]] = {}
        root: list[str] | None = None
        for seen in self._seen.values():
            if len(seen.places) == 1:
                continue
            first, *others = seen.places
            paths = []
            for place in others:
                paths.append(self.path(place))
                self._count_path(paths[-1])
            if first is None and not self._prefix:
                root = paths
            else:
                shared[self.path(first)] = paths
        if root is None:
            return shared or None
        return [root, shared] if shared else [root]

    def write_list(self, value: list[Any], place: Place) -> Any:
        return [self._walk(item, (place, index)) for index, item in enumerate(value)]

    def write_dict(self, value: dict[Any, Any], place: Place) -> Any:
        keys = [key if type(key) is str else plain_key(key) for key in value]
        if None in keys:
            return self.write_map(value, place)
        json: dict[str, Any] = {}
        for key, item in zip(keys, value.values(), strict=True):
            assert key is not None
            if key in FORBIDDEN_KEYS:
                raise EncodeError(
                    self.path((place, key)),
                    f"superjson peers refuse objects with a key {key!r}; rename it, or send a Map",
                )
            self._written_bytes += len(key)
            json[key] = self._walk(item, (place, key))
        return json

    def write_map(self, value: dict[Any, Any], place: Place) -> Any:
        outer = self._begin(place)
        json: list[Any] = []
        last = len(value) - 1
        for row, (key, item) in enumerate(value.items()):
            here = (place, row)
            key_json = self._walk(key, (here, 0), pinned=row < last)
            json.append([key_json, self._walk(item, (here, 1))])
        self._end("map", outer)
        return json

    def write_set(self, value: set[Any], place: Place) -> Any:
        outer = self._begin(place)
        last = len(value) - 1
        json = [self._walk(item, (place, row), pinned=row < last) for row, item in enumerate(value)]
        self._end("set", outer)
        return json

    def write_error(self, value: RemoteError, place: Place) -> Any:
        # superjson itself writes no stack and no properties; it reads a stack if there is one.
        fields = {**value.data, "name": value.name, "message": value.message}
        if value.stack is not None:
            fields["stack"] = value.stack
        if value.cause is not None:
            fields["cause"] = value.cause
        outer = self._begin(place)
        json = self.write_dict(fields, place)
        self._end("Error", outer)
        return json

    def _begin(self, place: Place) -> _Scope:
        """Collect annotations for the content of ``place``; return the previous collection."""
        outer, self._scope = self._scope, _Scope(place)
        return outer

    def _end(self, tag: str, outer: _Scope) -> None:
        scope, self._scope = self._scope, outer
        inner = {path[:-1]: note for path, note in scope.notes}
        self._note(scope.place, [tag, inner] if inner else [tag])


_CONTAINERS: dict[type, Callable[[Encoder, Any, Place], Any]] = {
    list: Encoder.write_list,
    dict: Encoder.write_dict,
    Map: Encoder.write_map,
    set: Encoder.write_set,
    RemoteError: Encoder.write_error,
}


def _path(place: Place, top: Place) -> str:
    """The steps from ``top`` down to ``place``, with a dot after each."""
    steps = steps_below(place, top)
    return "".join(map(_step, steps))


def _step(step: str | int) -> str:
    return f"{_escape(step) if type(step) is str else step}."


def _escape(key: str) -> str:
    return key.replace("\\", "\\\\").replace(".", "\\.")


def _int(value: int) -> Leaf:
    if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER:
        return value, None
    return _bigint(value)


def _bigint(value: int) -> Leaf:
    try:
        return int.__repr__(value), ["bigint"]
    except ValueError as exc:  # Python limits the digits, see sys.set_int_max_str_digits
        raise EncodeError("", str(exc)) from exc


def _float(value: float) -> Leaf:
    text = _number_text(value)
    return (value, None) if text is None else (text, ["number"])


def _number_text(value: Any) -> str | None:
    """The text of a number that JSON lacks; None for all others."""
    if value - value != 0:  # infinite, or NaN
        return "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
    return "-0" if value == 0 and copysign(1.0, value) < 0 else None


def _regexp(value: RegExp) -> Leaf:
    letters = set(value.flags)
    if not letters <= set("dgimsuvy") or len(letters) < len(value.flags) or {"u", "v"} <= letters:
        raise EncodeError("", f"JavaScript has no flags {value.flags!r}")
    return str(value), ["regexp"]


def _url(value: URL) -> Leaf:
    scheme, colon, _ = value.partition(":")
    if not (colon and scheme[:1].isalpha() and scheme.isascii()):
        raise EncodeError("", f"{str(value)!r} is not an absolute URL; send it as plain str")
    return str(value), ["URL"]


def _typed_array(value: array[Any]) -> Leaf:
    name = typed_array_name(value.typecode)
    items = value.tolist()
    assert name is not None, "64-bit integers go as a list"
    if name.startswith("Float"):
        # JSON has no NaN, so the peers write null, which they read as 0. They do read these texts.
        items = [_number_text(item) or item for item in items]
    return items, [["typed-array", name]]


_LEAVES: dict[type, Callable[[Any], Leaf]] = {
    int: _int,
    float: _float,
    Undefined: lambda value: (None, ["undefined"]),
    BigInt: _bigint,
    dt.datetime: lambda value: (iso_text(value, ""), ["Date"]),
    Date: lambda value: (str(value), ["Date"]),
    URL: _url,
    RegExp: _regexp,
    bytes: lambda value: (list(value), [["typed-array", "Uint8Array"]]),
    Uint8ClampedArray: lambda value: (
        list(value),
        [["typed-array", "Uint8ClampedArray"]],
    ),
    array: _typed_array,
}
