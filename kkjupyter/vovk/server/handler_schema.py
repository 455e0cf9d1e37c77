"""A handler's part of the schema: type hints as JSON Schema, docstrings as operation objects."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from kkjupyter.vovk.server.decorators import Route
from kkjupyter.wire.vovk.schema.model import JsonSchema

__all__ = ["describe", "json_schema"]

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_REF = "#/$defs/"


def json_schema(hint: Any) -> JsonSchema | None:
    """``hint`` as JSON Schema; None if that cannot say it, or says nothing."""
    try:
        schema = msgspec.json.schema(hint)
    except Exception:  # noqa: BLE001  a hint can be anything; what clients are not told they send
        return None
    schema = _without_outer_ref(schema)
    return {"$schema": _DIALECT, **schema} if schema else None


def describe(function: Callable[..., Any], route: Route) -> Mapping[str, Any]:
    """Summary and description, from the decorator or else the docstring."""
    first, _, rest = (inspect.getdoc(function) or "").partition("\n")
    summary = first.strip() if route.summary is None else route.summary
    description = rest.strip() if route.description is None else route.description
    told = {"summary": summary, "description": description}
    return {key: text for key, text in told.items() if text}


def _without_outer_ref(schema: dict[str, Any]) -> dict[str, Any]:
    """The definition itself where there was only a reference to it; else readers look twice."""
    ref = schema.get("$ref", "")
    definitions = dict(schema.get("$defs", {}))
    outer = definitions.pop(ref.removeprefix(_REF), None)
    if outer is None or f'"{ref}"'.encode() in msgspec.json.encode([outer, definitions]):
        return schema
    return {**outer, "$defs": definitions} if definitions else dict(outer)
