"""Signatures and docstrings of handlers, made from a schema."""

from __future__ import annotations

import inspect
import reprlib
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from kkjupyter.plaintext import plain
from kkjupyter.wire.vovk.schema.model import Handler, JsonSchema

__all__ = ["describe_type", "group_doc", "handler_doc", "handler_signature"]

_NAMES = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
    "array": "list",
    "object": "dict",
}
_MAX_DEPTH = 4
_MAX_FIELDS = 12
_MAX_CHOICES = 8
# How many handlers of a whole schema are listed: some have thousands.
_MAX_PARTS = 300
_NAME_CHARS = 100
_NO_BODY = ("GET", "HEAD")

# Limits for large or deep schemas.
_reprs = reprlib.Repr()
_reprs.maxstring = _reprs.maxother = _NAME_CHARS


class _Text:
    """An annotation that is shown as it is."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __repr__(self) -> str:
        return self._text


def handler_signature(handler: Handler) -> inspect.Signature:
    """How to call it: ``(*, body: {hello: str}, query: {...} = None, ...)``."""
    parameters: list[inspect.Parameter] = []

    def add(name: str, annotation: str, default: Any = None) -> None:
        shown: Any = _Text(annotation) if annotation else inspect.Parameter.empty
        parameters.append(
            inspect.Parameter(
                name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=shown
            )
        )

    required = inspect.Parameter.empty
    schemas = handler.validation
    if handler.http_method not in _NO_BODY:
        is_needed = "body" in schemas and not _allows_null(schemas["body"])
        add("body", _part(handler, "body"), required if is_needed else None)
    if handler.param_names:
        names = ", ".join(handler.param_names)
        add("params", _part(handler, "params") or f"{{{names}}}", required)
    is_needed = bool(schemas.get("query", {}).get("required"))
    add("query", _part(handler, "query"), required if is_needed else None)
    add("headers", "")
    add("isStream", "", handler.streams)
    add("validate", "", True)
    return inspect.Signature(parameters)


def handler_doc(handler: Handler) -> str:
    """What the handler does, takes and returns, as text."""
    route = "/".join(part for part in (handler.segment, handler.route) if part)
    lines = [text for text in (handler.summary, handler.description) if text]
    facts = [f"{handler.http_method} /{route}"]
    for part in ("body", "query", "params"):
        if part in handler.validation:
            facts.append(f"{part}: {_part(handler, part)}")
    if "iteration" in handler.validation:
        facts.append(f"items: {_part(handler, 'iteration')}")
    if "output" in handler.validation:
        facts.append(f"returns: {_part(handler, 'output')}")
    if not handler.streams:
        facts.append("isStream=True if it streams")
    return plain("\n\n".join([*lines, "\n".join(facts)]))


def group_doc(name: str, handlers: Iterable[tuple[str, Handler]]) -> str:
    """The content of a controller, a segment or a whole API: one line for each handler."""
    rows = [
        (f"{path}({', '.join(_inputs(handler))})", handler.summary.partition("\n")[0])
        for path, handler in handlers
    ]
    width = max((len(call) for call, _ in rows), default=0)
    lines = [f"  {call:<{width}}  {what}".rstrip() for call, what in rows]
    return plain("\n".join([f"{name}:", *lines]))


def describe_type(schema: Any) -> str:
    """A JSON Schema as a Python type: ``{hello: str, n?: int}``, ``list[str]``, ``'a' | 'b'``."""
    return plain(_Description(schema).of(schema))


def _inputs(handler: Handler) -> list[str]:
    takes = [] if handler.http_method in _NO_BODY else ["body"]
    return [*takes, *(["params"] if handler.param_names else []), "query"]


def _part(handler: Handler, part: Any) -> str:
    schema = handler.validation.get(part)
    return "" if schema is None else describe_type(schema)


def _allows_null(schema: JsonSchema) -> bool:
    return "null" in describe_type(schema) or describe_type(schema) in ("None", "Any")


class _Description:
    """Writes one schema as text. Recursive, wide and deep parts end in ``...``.

    Args:
        root: the schema that references point into.
    """

    def __init__(self, root: Any) -> None:
        self._root = root
        self._parts_left = _MAX_PARTS

    def of(self, schema: Any, depth: int = 0) -> str:
        """The text for a part of the schema."""
        if not isinstance(schema, Mapping):
            return "Any"
        self._parts_left -= 1
        if depth > _MAX_DEPTH or self._parts_left < 0:
            return "..."
        if "$ref" in schema:
            target = _resolve(schema["$ref"], self._root)
            return "Any" if target is None else self.of(target, depth + 1)
        if "const" in schema:
            return _reprs.repr(schema["const"])
        if isinstance(schema.get("enum"), list):
            choices = schema["enum"]
            shown = " | ".join(map(_reprs.repr, choices[:_MAX_CHOICES]))
            return shown + (" | ..." if len(choices) > _MAX_CHOICES else "")
        for key in ("anyOf", "oneOf"):
            if isinstance(schema.get(key), list) and schema[key]:
                return _union([self.of(one, depth + 1) for one in schema[key][:_MAX_PARTS]])
        kind = schema.get("type")
        if isinstance(kind, list):
            names = [one for one in kind if isinstance(one, str)]
            return _union([self.of({**schema, "type": one}, depth) for one in dict.fromkeys(names)])
        if kind == "object" or "properties" in schema:
            return self._object(schema, depth)
        if kind == "array":
            items = schema.get("items")
            return f"list[{self.of(items, depth + 1)}]" if items else "list"
        return _NAMES.get(kind, "Any") if isinstance(kind, str) else "Any"

    def _object(self, schema: Mapping[str, Any], depth: int) -> str:
        fields = schema.get("properties")
        if not isinstance(fields, Mapping) or not fields:
            return "dict"
        required = schema.get("required")
        needed = required if isinstance(required, list) else []
        shown = [
            f"{name[:_NAME_CHARS]}{'' if name in needed else '?'}: {self.of(one, depth + 1)}"
            for name, one in islice(fields.items(), _MAX_FIELDS)
        ]
        more = [] if len(fields) <= _MAX_FIELDS else ["..."]
        return f"{{{', '.join([*shown, *more])}}}"


def _union(texts: Iterable[str]) -> str:
    return " | ".join(dict.fromkeys(texts)) or "Any"


def _resolve(reference: Any, root: Any) -> Any:
    """The target of a reference such as ``#/$defs/User``; None if it is outside of the schema."""
    if not isinstance(reference, str) or not reference.startswith("#/"):
        return None
    found = root
    for key in reference[2:].split("/", _MAX_PARTS):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found
