"""Responses of ``llama-index`` as they are streamed: what is new, beside all that came so far."""

from __future__ import annotations

from kkjupyter.notebook.chunks.fields import Fields, call_key, fields, json_text, list_of, string
from kkjupyter.notebook.chunks.media import result_text
from kkjupyter.notebook.chunks.parts import CallDelta, Part, ToolResult

__all__ = ["MARKS", "read"]

MARKS = frozenset({"delta", "tool_output"})


def read(chunk: Fields) -> list[Part] | None:
    """What is new in a response, or in the event of an agent: a delta, or what a tool returned."""
    if "tool_output" in chunk and "tool_name" in chunk and "tool_id" in chunk:
        output = chunk.get("tool_output")
        text = result_text(fields(output).get("content")) or result_text(output)
        call_id, name = string(chunk.get("tool_id")), string(chunk.get("tool_name"))
        return [Part("tool_result", ToolResult(call_id, name, text))]
    if "delta" not in chunk or "raw" not in chunk:
        return None
    if not ("message" in chunk or "text" in chunk or "response" in chunk):
        return None
    parts: list[Part] = []
    message = fields(chunk.get("message"))
    if role := string(message.get("role")):
        parts.append(Part("role", role))
    more = fields(chunk.get("additional_kwargs"))
    thought = string(chunk.get("thinking_delta")) or string(more.get("thinking_delta"))
    if thought:
        parts.append(Part("reasoning", thought))
    if text := string(chunk.get("delta")):
        parts.append(Part("text", text))
    calls = list_of(fields(message.get("additional_kwargs")).get("tool_calls"))
    for at, value in enumerate(calls):
        call = fields(value)
        function = fields(call.get("function"))
        key = call_key(call.get("index"), at)
        call_id, name = string(call.get("id")), string(function.get("name"))
        arguments = json_text(function.get("arguments"))
        parts.append(Part("tool_call", CallDelta(key, call_id, name, arguments, True)))
    if not calls:
        parts += _calls_in_blocks(message)
    return parts


def _calls_in_blocks(message: Fields) -> list[Part]:
    parts: list[Part] = []
    for at, value in enumerate(list_of(message.get("blocks"))):
        block = fields(value)
        if string(block.get("block_type")) == "tool_call":
            call_id, name = string(block.get("tool_call_id")), string(block.get("tool_name"))
            arguments = json_text(block.get("tool_kwargs"))
            parts.append(Part("tool_call", CallDelta(at, call_id, name, arguments, True)))
    return parts
