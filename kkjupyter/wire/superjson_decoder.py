"""The way back from superjson's JSON and annotations to a value."""

from __future__ import annotations

import reprlib
from array import array
from collections.abc import Callable, Iterator
from math import inf
from typing import Any

from kkjupyter.errors import ProtocolError, RemoteError
from kkjupyter.wire.values import (
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

__all__ = ["Decoder", "shorten"]


class Decoder:
    """Applies one message's annotations.

    A Map, Set or Error is made empty and filled at the very end. Until then paths run through its
    JSON, so that references into it, and from inside to it, are resolved without reordering.
    """

    def __init__(self, json: Any, meta: dict[str, Any]) -> None:
        self._root = json
        self._meta = meta
        self._inner: dict[int, Any] = {}  # id of a Map, Set or Error -> its JSON
        self._unfilled: list[tuple[Any, Any]] = []
        version = meta.get("v", 0)
        self._legacy = not isinstance(version, int | float) or version < 1

    def result(self) -> Any:
        self._annotate(self._meta.get("values"), [])
        self._join(self._meta.get("referentialEqualities"))
        for value, json in self._unfilled:
            _fill(value, json)
        return self._root

    def _annotate(self, tree: Any, path: list[str]) -> None:
        if not tree:
            return
        if isinstance(tree, dict):
            for step, subtree in tree.items():
                self._annotate(subtree, path + self._parse(step))
            return
        if not isinstance(tree, list):
            raise self._misfit("an annotation that is neither list nor object", tree)
        if len(tree) > 1:
            if not isinstance(tree[1], dict):
                raise self._misfit("inner annotations that are no object", tree)
            self._annotate(tree[1], path)
        self._put(path, self._revive(tree[0], self._find(path)))

    def _revive(self, tag: Any, json: Any) -> Any:
        if isinstance(tag, str) and tag in _SHELLS:
            expected, make = _SHELLS[tag]
            if type(json) is not expected:
                raise self._misfit(f"a {tag} that is no {expected.__name__}", json)
            value = make(json)
            self._inner[id(value)] = json
            self._unfilled.append((value, json))
            return value
        try:
            if isinstance(tag, str):
                read = _READERS.get(tag)
                return json if read is None else read(json)
            if isinstance(tag, list) and len(tag) == 2 and tag[0] == "typed-array":
                return _read_typed_array(tag[1], json)
        except (AttributeError, LookupError, OverflowError, TypeError, ValueError) as exc:
            raise self._misfit(f"a {tag} that cannot be read ({exc})", json) from exc
        return json

    def _join(self, equalities: Any) -> None:
        if not equalities:
            return
        if isinstance(equalities, list):
            for path in self._paths(equalities[0]):
                self._put(path, self._root)
            equalities = equalities[1] if len(equalities) > 1 else {}
        if not isinstance(equalities, dict):
            raise self._misfit("referentialEqualities of another form", equalities)
        for first, others in equalities.items():
            shared = self._find(self._parse(first))
            for path in self._paths(others):
                self._put(path, shared)

    def _paths(self, texts: Any) -> Iterator[list[str]]:
        if not isinstance(texts, list):
            raise self._misfit("referentialEqualities of another form", texts)
        for text in texts:
            yield self._parse(text)

    def _find(self, path: list[str]) -> Any:
        node = self._root
        for step in path:
            holder, key = self._slot(node, step)
            node = holder[key]
        return node

    def _put(self, path: list[str], value: Any) -> None:
        if not path:
            self._root = value
            return
        holder, key = self._slot(self._find(path[:-1]), path[-1])
        holder[key] = value

    def _slot(self, node: Any, step: str) -> tuple[Any, Any]:
        """The JSON list or object, and the key in it, where ``step`` leads from ``node``."""
        node = self._inner.get(id(node), node)
        if type(node) is dict and step in node:
            return node, step
        if type(node) is list and step.isascii() and step.isdigit() and len(step) < 16:
            index = int(step)
            if index < len(node):
                return node, index
        raise self._misfit(f"an annotation for {step!r}, which is not there", self._meta)

    def _parse(self, text: Any) -> list[str]:
        """The steps of a path as it is written in annotations."""
        if not isinstance(text, str):
            raise self._misfit("a path that is no text", text)
        if "\\" not in text:
            return text.split(".")
        steps = [""]
        position = 0
        while position < len(text):
            char = text[position]
            following = text[position + 1 : position + 2]
            if char == "\\" and (following == "." or (following == "\\" and not self._legacy)):
                steps[-1] += following
                position += 1
            elif char == "\\" and not self._legacy:
                raise self._misfit("a stray backslash in a path", text)
            elif char == ".":
                steps.append("")
            else:
                steps[-1] += char
            position += 1
        return steps

    def _misfit(self, reason: str, what: Any) -> ProtocolError:
        return ProtocolError(f"superjson: {reason}", shorten(what))


def _fill(value: Any, json: Any) -> None:
    if type(value) is Map:
        for row in json:
            if type(row) is not list or len(row) != 2:
                raise ProtocolError("superjson: a map's row that is no pair", shorten(row))
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
    """``key``, or a box with it where ``holder`` cannot hold it or takes it for another."""
    try:
        hash(key)  # `key in holder` is no test for that: a set in a set is looked up as frozenset
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
        # null is how the peers write NaN and the infinities here.
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
    """The beginning of ``what``, however large or deep, for an error message."""
    text = _REPR.repr(what)
    return text if len(text) <= limit_chars else f"{text[: limit_chars - 1]}…"


_REPR = reprlib.Repr()
_REPR.maxstring = 60
