"""Decodes superjson's JSON and annotations into a value."""

from __future__ import annotations

import re
import reprlib
from array import array
from collections.abc import Callable, Iterable, Iterator
from math import inf
from typing import Any

from kkjupyter.errors import ProtocolError, RemoteError
from kkjupyter.wire.message_cost import HASH_MODULUS, MAX_EQUAL_HASHES
from kkjupyter.wire.values.javascript import (
    MAX_SAFE_INTEGER,
    URL,
    BigInt,
    Boxed,
    Map,
    RegExp,
    Uint8ClampedArray,
    parse_date,
    typecode,
    undefined,
)
from kkjupyter.wire.values.shared_parts import check_sharing, count_parts

__all__ = ["Decoder", "shorten"]


class Decoder:
    """Applies one message's annotations.

    A Map, Set or Error is created empty and filled at the end. Until then paths lead through its
    JSON, so that references into it, and from inside to it, are resolved without reordering.

    Attributes:
        root: the JSON, and at the end the value.
    """

    def __init__(self, json: Any, meta: dict[str, Any]) -> None:
        self.root = json
        self._meta = meta
        self._inner: dict[int, Any] = {}  # id of a Map, Set or Error -> its JSON
        self._hashes: dict[int, set[int]] = {}  # hash of a large bigint -> those that have it
        self._unfilled: list[tuple[Any, Any]] = []
        version = meta.get("v", 0)
        self._legacy = not isinstance(version, int | float) or version < 1

    def result(self) -> Any:
        equalities = self._meta.get("referentialEqualities")
        written_parts = count_parts(self.root) if equalities else 0
        self._annotate(self._meta.get("values"), _Slot(self))
        self._join(equalities)
        for value, json in self._unfilled:
            _fill(value, json)
        if equalities:
            check_sharing(self.root, written_parts)
        return self.root

    def _annotate(self, tree: Any, slot: _Slot) -> None:
        """Apply annotations to the value in ``slot`` and, by their paths, below it."""
        if not tree:
            return
        if isinstance(tree, dict):
            for subtree, below in zip(tree.values(), self._slots(slot, tree), strict=True):
                self._annotate(subtree, below)
            return
        if not isinstance(tree, list):
            raise self._misfit("an annotation that is neither list nor object", tree)
        if len(tree) > 1:
            if not isinstance(tree[1], dict):
                raise self._misfit("inner annotations that are not an object", tree)
            self._annotate(tree[1], slot)
        slot.put(self._revive(tree[0], slot.get()))

    def _revive(self, tag: Any, json: Any) -> Any:
        if isinstance(tag, str) and tag in _SHELLS:
            expected, make = _SHELLS[tag]
            if type(json) is not expected:
                raise self._misfit(f"a {tag} that is not a {expected.__name__}", json)
            value = make(json)
            self._inner[id(value)] = json
            self._unfilled.append((value, json))
            return value
        try:
            if isinstance(tag, str):
                read = _READERS.get(tag)
                value = json if read is None else read(json)
                if tag == "bigint":
                    self._note_hash(value)
                return value
            if isinstance(tag, list) and len(tag) == 2 and tag[0] == "typed-array":
                return _read_typed_array(tag[1], json)
        except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as exc:
            raise self._misfit(f"a {shorten(tag)} that cannot be read ({exc})", json) from exc
        return json

    def _note_hash(self, value: int) -> None:
        """Refuse many bigints with the same hash: a set or dict of them takes quadratic time."""
        if abs(value) < HASH_MODULUS:
            return
        equal = self._hashes.setdefault(value % HASH_MODULUS, set())
        equal.add(value)
        if len(equal) > MAX_EQUAL_HASHES:
            raise self._misfit(f"more than {MAX_EQUAL_HASHES} bigints with the same hash", value)

    def _join(self, equalities: Any) -> None:
        if not equalities:
            return
        root = _Slot(self)
        if isinstance(equalities, list):
            for slot in self._slots(root, self._paths(equalities[0])):
                slot.put(self.root)
            equalities = equalities[1] if len(equalities) > 1 else {}
        if not isinstance(equalities, dict):
            raise self._misfit("referentialEqualities in an unknown form", equalities)
        for first, others in equalities.items():
            shared = self._slot(root, first).get()
            for slot in self._slots(root, self._paths(others)):
                slot.put(shared)

    def _paths(self, texts: Any) -> list[Any]:
        if not isinstance(texts, list):
            raise self._misfit("referentialEqualities in an unknown form", texts)
        return texts

    def _slots(self, slot: _Slot, paths: Iterable[Any]) -> Iterator[_Slot]:
        """Like :meth:`_slot` for many paths: a common beginning is followed only once."""
        known, holder = None, slot
        for path in paths:
            head, dot, step = path.rpartition(".") if isinstance(path, str) else ("", "", "")
            if not dot or "\\" in path:
                yield self._slot(slot, path)
                continue
            if head != known:
                known, holder = head, self._slot(slot, head)
            yield self._slot(holder, step)

    def _slot(self, slot: _Slot, path: Any) -> _Slot:
        """The slot that ``path`` leads to from ``slot``."""
        inner = self._inner
        node = slot.get()
        holder, key = None, None
        for step in self._parse(path):
            holder = inner.get(id(node), node)
            key = self._key(holder, step)
            node = holder[key]
        return _Slot(self, holder, key)

    def _key(self, holder: Any, step: str) -> Any:
        """The key in ``holder`` that one step of a path names."""
        if type(holder) is list and step.isascii() and step.isdigit() and len(step) < 16:
            index = int(step)
            if index < len(holder):
                return index
        elif type(holder) is dict and step in holder:
            return step
        raise self._misfit(f"an annotation for {shorten(step)}, which is not there", self._meta)

    def _parse(self, text: Any) -> list[str]:
        """The steps of a path in annotations; at least one."""
        if not isinstance(text, str):
            raise self._misfit("a path that is not text", text)
        if "\\" not in text:
            return text.split(".")
        if self._legacy:
            return [step.replace("\\.", ".") for step in _PLAIN_DOT.split(text)]
        # A list of pieces for each step: adding to a text would copy it each time.
        steps: list[list[str]] = [[]]
        for number, piece in enumerate(text.split("\\\\")):
            if _STRAY.search(piece):
                raise self._misfit("a stray backslash in a path", text)
            if number:
                steps[-1].append("\\")
            head, *others = (step.replace("\\.", ".") for step in _PLAIN_DOT.split(piece))
            steps[-1].append(head)
            steps += ([step] for step in others)
        return ["".join(pieces) for pieces in steps]

    def _misfit(self, reason: str, what: Any) -> ProtocolError:
        return ProtocolError(f"superjson: {reason}", shorten(what))


class _Slot:
    """A place in a decoder's JSON: an entry of a list or an object, or the root."""

    __slots__ = ("_decoder", "_holder", "_key")

    def __init__(self, decoder: Decoder, holder: Any = None, key: Any = None) -> None:
        self._decoder = decoder
        self._holder = holder
        self._key = key

    def get(self) -> Any:
        """The value in the slot."""
        return self._decoder.root if self._holder is None else self._holder[self._key]

    def put(self, value: Any) -> None:
        """Replace the value in the slot."""
        if self._holder is None:
            self._decoder.root = value
        else:
            self._holder[self._key] = value


def _fill(value: Any, json: Any) -> None:
    if type(value) is Map:
        for row in json:
            if type(row) is not list or len(row) != 2:
                raise ProtocolError("superjson: a map entry that is not a pair", shorten(row))
            value[_holdable(row[0], value)] = row[1]
    elif type(value) is set:
        for item in json:
            value.add(_holdable(item, value))
    else:
        value.cause = cause = json.get("cause")
        if cause is undefined:
            value.cause = None
        elif isinstance(cause, BaseException):
            value.__cause__ = cause


def _holdable(key: Any, holder: Any) -> Any:
    """``key``, or a box with it if ``holder`` cannot hold it or confuses it with another."""
    try:
        hash(key)  # `key in holder` does not test that: a set in a set is looked up as frozenset
    except TypeError:
        return Boxed(key)
    return Boxed(key) if key in holder else key


def _read_error(json: dict[str, Any]) -> RemoteError:
    stack = json.get("stack")
    known = {"name", "message", "stack", "cause"}
    return RemoteError(
        str(json.get("message", "")),
        name=str(json.get("name", "Error")),
        stack=stack if isinstance(stack, str) else None,
        data={key: value for key, value in json.items() if key not in known},
    )


def _read_number(json: Any) -> float:
    return {"NaN": float("nan"), "Infinity": inf, "-Infinity": -inf, "-0": -0.0}[json]


def _read_bigint(json: Any) -> int:
    if not _INTEGER.fullmatch(json):
        raise ValueError("no integer")
    value = int(json)
    return BigInt(value) if -MAX_SAFE_INTEGER <= value <= MAX_SAFE_INTEGER else value


def _read_regexp(json: Any) -> RegExp:
    source, _, flags = json[1:].rpartition("/")
    return RegExp(source, flags)


def _read_url(json: Any) -> URL:
    if type(json) is not str:
        raise TypeError("no text")
    return URL(json)


def _read_typed_array(name: Any, json: Any) -> Any:
    if name == "Uint8Array":
        return bytes(_listed(json))
    if name == "Uint8ClampedArray":
        return Uint8ClampedArray(_listed(json))
    code = typecode(name)
    if code is None:
        return json
    if code in "fd":
        # The peers write NaN and the infinities as null here.
        nan = float("nan")
        return array(code, [nan if item is None else float(item) for item in _listed(json)])
    return array(code, _listed(json))


def _listed(json: Any) -> list[Any]:
    if type(json) is not list:
        raise TypeError("no list")
    return json


_SHELLS: dict[str, tuple[type, Callable[[Any], Any]]] = {
    "map": (list, lambda json: Map()),
    "set": (list, lambda json: set()),
    "Error": (dict, _read_error),
}

_READERS: dict[str, Callable[[Any], Any]] = {
    "undefined": lambda json: undefined,
    "Date": parse_date,
    "URL": _read_url,
    "number": _read_number,
    "bigint": _read_bigint,
    "regexp": _read_regexp,
}


def shorten(what: Any, limit_chars: int = 120) -> str:
    """The beginning of ``what``, however large or deep it is, for an error message."""
    text = _REPR.repr(what)
    return text if len(text) <= limit_chars else f"{text[: limit_chars - 1]}…"


_PLAIN_DOT = re.compile(r"(?<!\\)\.")
_STRAY = re.compile(r"\\(?!\.)")
_INTEGER = re.compile("-?[0-9]+")
_REPR = reprlib.Repr()
_REPR.maxstring = 60
