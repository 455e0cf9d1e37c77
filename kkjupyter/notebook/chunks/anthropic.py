"""Events of ``anthropic``: raw ones, and those of ``messages.stream()``, which tell more."""

from __future__ import annotations

from kkjupyter.notebook.chunks.fields import (
    Fields,
    call_key,
    error_text,
    fields,
    json_text,
    plain_dict,
    string,
)
from kkjupyter.notebook.chunks.media import result_text
from kkjupyter.notebook.chunks.parts import CallDelta, Part, ToolResult

__all__ = ["MARKS", "read"]

MARKS = frozenset({"type"})

_CALLS = ("tool_use", "server_tool_use", "mcp_tool_use")
# What follows each delta of `messages.stream()`: the same text, and all of it so far.
_DERIVED = frozenset({"text", "thinking", "input_json", "citation", "signature"})


def read(event: Fields) -> list[Part] | None:
    """The parts of an event; none of a ping, or of the end of a block."""
    kind = string(event.get("type"))
    if kind == "content_block_delta":
        return _read_delta(event)
    if kind == "content_block_start":
        return _read_block(event)
    if kind == "message_start" and "message" in event:
        message = fields(event.get("message"))
        return [
            Part("role", string(message.get("role"))),
            Part("model", string(message.get("model"))),
            Part("usage", (plain_dict(message.get("usage")), False)),
        ]
    if kind == "message_delta" and "delta" in event:
        reason = string(fields(event.get("delta")).get("stop_reason"))
        ending = [Part("finish_reason", reason)] if reason else []
        return [*ending, Part("usage", (plain_dict(event.get("usage")), False))]
    if kind in ("content_block_stop", "message_stop", "ping"):
        return []
    if kind in _DERIVED and "snapshot" in event:
        text = string(event.get(kind))
        if not text or kind not in ("text", "thinking"):
            return []
        return [Part("text" if kind == "text" else "reasoning", text, rank=1)]
    if kind == "error" and "error" in event:
        return [Part("error", error_text(event.get("error")))]
    return None


def _read_delta(event: Fields) -> list[Part]:
    delta = fields(event.get("delta"))
    kind = string(delta.get("type"))
    if kind == "text_delta":
        return [Part("text", string(delta.get("text")))]
    if kind == "thinking_delta":
        return [Part("reasoning", string(delta.get("thinking")))]
    if kind == "input_json_delta":
        arguments = string(delta.get("partial_json"))
        return [Part("tool_call", CallDelta(call_key(event.get("index"), 0), arguments=arguments))]
    return []


def _read_block(event: Fields) -> list[Part]:
    block = fields(event.get("content_block"))
    kind = string(block.get("type"))
    if kind in _CALLS:
        call_id, name = string(block.get("id")), string(block.get("name"))
        # As a rule it is empty here, and comes in deltas.
        arguments = json_text(block.get("input") or None)
        key = call_key(event.get("index"), 0)
        return [Part("tool_call", CallDelta(key, call_id, name, arguments))]
    if kind.endswith("_tool_result"):
        result = ToolResult(string(block.get("tool_use_id")), "", result_text(block.get("content")))
        return [Part("tool_result", result)]
    if text := string(block.get("text")):
        return [Part("text", text)]
    if thought := string(block.get("thinking")):
        return [Part("reasoning", thought)]
    return []
