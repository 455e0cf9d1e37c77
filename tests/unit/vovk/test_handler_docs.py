"""JSON Schemas in Python's words."""

from __future__ import annotations

from typing import Any

import pytest

from kkjupyter.vovk.client.handler_docs import describe_type

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


def test_a_schema_of_a_peer_s_is_described_to_so_many_parts() -> None:
    many: Any = {"$ref": "#/x", "x": {"anyOf": [{"$ref": "#/x"}] * 120}}
    wide = {"properties": {f"p{at}": {"$ref": "#"} for at in range(20)}}
    nested: Any = "string"
    for _ in range(480):
        nested = [nested]
    texts = [describe_type(schema) for schema in (many, wide, {"type": nested})]
    assert all(len(text) < 10_000 for text in texts)
    assert texts[0] == "..."
    assert describe_type({"const": "x" * 1_000_000}) < "y" * 200
    assert describe_type({"properties": {"a\x1b]0;t\x07": {}}}) == "{a?: Any}"
