"""JSON Schemas in Python's words."""

from __future__ import annotations

from typing import Any

import pytest

from kkjupyter.rpc.vovk_docs import describe_type

RECURSIVE: dict[str, Any] = {
    "$ref": "#/$defs/Node",
    "$defs": {
        "Node": {
            "type": "object",
            "properties": {"next": {"$ref": "#/$defs/Node"}},
            "required": ["next"],
        }
    },
}


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"type": "string"}, "str"),
        ({"type": ["string", "null"]}, "str | None"),
        ({"type": "array", "items": {"type": "number"}}, "list[float]"),
        ({"type": "array"}, "list"),
        ({"type": "object"}, "dict"),
        ({"properties": {"a": {"const": 1}, "b": True}, "required": ["a"]}, "{a: 1, b?: Any}"),
        ({"enum": ["a", 1, None]}, "'a' | 1 | None"),
        ({"enum": list(range(20))}, "0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | ..."),
        ({"const": "x"}, "'x'"),
        ({"anyOf": [{"type": "string"}, {"type": "string"}, {"type": "boolean"}]}, "str | bool"),
        ({"$ref": "#/$defs/No"}, "Any"),
        ({"$ref": "https://elsewhere/x.json"}, "Any"),
        ({"type": 7}, "Any"),
        (True, "Any"),
        ({}, "Any"),
        (RECURSIVE, "{next: {next: ...}}"),
        ({"properties": {str(i): {} for i in range(20)}}, None),
    ],
)
def test_types(schema: Any, text: str | None) -> None:
    said = describe_type(schema)
    assert said == text if text is not None else said.endswith(", ...}")
