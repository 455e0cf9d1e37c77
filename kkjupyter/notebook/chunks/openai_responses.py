"""Events of the Responses API of ``openai``."""

from __future__ import annotations

from typing import Any

from kkjupyter.notebook.chunks.fields import (
    Fields,
    error_text,
    fields,
    json_text,
    plain_dict,
    string,
)
from kkjupyter.notebook.chunks.media import media_of_bytes, result_text
from kkjupyter.notebook.chunks.parts import CallDelta, Part, PartKind, ToolResult

__all__ = ["MARKS", "read"]

MARKS = frozenset({"type"})

# Each delta comes first-hand; at its end, each part comes once more as a whole.
_DELTAS: dict[str, PartKind] = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "refusal",
    "response.reasoning_text.delta": "reasoning",
    "response.reasoning_summary_text.delta": "reasoning",
    "response.audio.transcript.delta": "text",
}
_WHOLES: dict[str, tuple[PartKind, str]] = {
    "response.output_text.done": ("text", "text"),
    "response.refusal.done": ("refusal", "refusal"),
    "response.reasoning_text.done": ("reasoning", "text"),
    "response.reasoning_summary_text.done": ("reasoning", "text"),
}
_ARGUMENTS = {
    "response.function_call_arguments": "arguments",
    "response.mcp_call_arguments": "arguments",
    "response.custom_tool_call_input": "input",
}
_CALLS = ("function_call", "custom_tool_call", "mcp_call")


def read(event: Fields) -> list[Part] | None:
    """The parts of an event; none of one that only tells how far the response is."""
    kind = string(event.get("type"))
    if not kind.startswith("response."):
        is_error = kind == "error" and "message" in event and "sequence_number" in event
        return [Part("error", error_text(_without_type(event)))] if is_error else None
    if (part := _DELTAS.get(kind)) is not None:
        delta = string(event.get("delta"))
        return [Part(part, delta)] if delta else []
    if kind in _WHOLES:
        part, name = _WHOLES[kind]
        return [Part(part, string(event.get(name)), rank=1)]
    stem, _, last = kind.rpartition(".")
    if stem in _ARGUMENTS:
        return _read_arguments(event, event.get("delta" if last == "delta" else _ARGUMENTS[stem]))
    if stem == "response.output_item":
        return _read_item(event)
    if kind == "response.reasoning_summary_part.added" and event.get("summary_index"):
        return [Part("reasoning", "\n\n")]
    if kind == "response.audio.delta":
        return [Part("audio", media_of_bytes("audio", event.get("delta"), "audio/pcm16"))]
    if kind == "response.created":
        model = string(fields(event.get("response")).get("model"))
        return [Part("model", model)] if model else []
    if kind in ("response.completed", "response.incomplete", "response.failed"):
        return _read_end(fields(event.get("response")))
    return []


def _without_type(event: Fields) -> dict[str, Any]:
    return {name: event.get(name) for name in ("code", "message")}


def _key(event: Fields, item_id: Any) -> tuple[Any, Any]:
    index = event.get("output_index")
    return string(item_id), index if type(index) is int else None


def _read_arguments(event: Fields, arguments: Any) -> list[Part]:
    key = _key(event, event.get("item_id"))
    is_whole = not string(event.get("type")).endswith(".delta")
    return [Part("tool_call", CallDelta(key, arguments=string(arguments), is_whole=is_whole))]


def _read_item(event: Fields) -> list[Part]:
    item = fields(event.get("item"))
    kind = string(item.get("type"))
    if kind in _CALLS:
        arguments = item.get("arguments")
        arguments = item.get("input") if arguments is None else arguments
        call_id = string(item.get("call_id")) or string(item.get("id"))
        name = string(item.get("name"))
        key = _key(event, item.get("id"))
        parts = [Part("tool_call", CallDelta(key, call_id, name, json_text(arguments), True))]
        if (output := item.get("output")) is not None:
            parts.append(Part("tool_result", ToolResult(call_id, name, result_text(output))))
        return parts
    if kind == "image_generation_call" and (data := item.get("result")):
        mime_type = f"image/{string(item.get('output_format')) or 'png'}"
        return [Part("image", media_of_bytes("image", data, mime_type))]
    role = string(item.get("role"))
    return [Part("role", role)] if role else []


def _read_end(response: Fields) -> list[Part]:
    parts: list[Part] = []
    if error := error_text(response.get("error")):
        parts.append(Part("error", error))
    reason = string(fields(response.get("incomplete_details")).get("reason"))
    if reason := reason or string(response.get("status")):
        parts.append(Part("finish_reason", reason))
    if (usage := response.get("usage")) is not None:
        # An agent's stream has several responses, one after the other.
        parts.append(Part("usage", (plain_dict(usage), True)))
    return parts
