"""Chunks of ``google-genai``: candidates with parts. On the wire their names are in camel case."""

from __future__ import annotations

from typing import Any

from kkjupyter.notebook.chunks.fields import Fields, fields, is_list, json_text, list_of, plain_dict
from kkjupyter.notebook.chunks.fields import string as text_in
from kkjupyter.notebook.chunks.media import media_in, result_text
from kkjupyter.notebook.chunks.parts import CallDelta, Part, ToolResult

__all__ = ["MARKS", "read"]

MARKS = frozenset({"candidates", "usage_metadata", "usageMetadata"})

# What a chunk has besides its candidates.
_ENVELOPE = (
    *("usage_metadata", "usageMetadata", "model_version", "modelVersion"),
    *("prompt_feedback", "promptFeedback", "response_id", "responseId"),
)
_CODE = (("executable_code", "executableCode"), ("code_execution_result", "codeExecutionResult"))


def read(chunk: Fields) -> list[Part] | None:
    """The parts of all candidates of a chunk."""
    candidates = chunk.get("candidates")
    if candidates is not None and not is_list(candidates):
        return None
    if "content" in chunk:  # a message of another client, which counts by the same name
        return None
    if not any(name in chunk for name in _ENVELOPE) and not (
        candidates and "content" in fields(candidates[0])
    ):
        return None
    parts: list[Part] = []
    if model := text_in(_either(chunk, "model_version", "modelVersion")):
        parts.append(Part("model", model))
    for candidate in list_of(candidates):
        _read_candidate(fields(candidate), parts)
    feedback = fields(_either(chunk, "prompt_feedback", "promptFeedback"))
    if reason := text_in(_either(feedback, "block_reason", "blockReason")):
        parts.append(Part("refusal", f"the prompt was blocked ({reason})"))
    if (usage := _either(chunk, "usage_metadata", "usageMetadata")) is not None:
        parts.append(Part("usage", (plain_dict(usage), False)))
    return parts


def _either(known: Fields, name: str, wire_name: str) -> Any:
    value = known.get(name)
    return known.get(wire_name) if value is None else value


def _read_candidate(candidate: Fields, parts: list[Part]) -> None:
    index = candidate.get("index")
    number = index if type(index) is int else 0
    content = fields(candidate.get("content"))
    if role := text_in(content.get("role")):
        parts.append(Part("role", role, number))
    for value in list_of(content.get("parts")):
        part = fields(value)
        if text := text_in(part.get("text")):
            is_thought = part.get("thought") is True
            parts.append(Part("reasoning" if is_thought else "text", text, number))
        elif (call := _either(part, "function_call", "functionCall")) is not None:
            known = fields(call)
            call_id, name = text_in(known.get("id")), text_in(known.get("name"))
            if name:
                arguments = json_text(known.get("args") or {})
                parts.append(Part("tool_call", CallDelta(None, call_id, name, arguments), number))
        elif (response := _either(part, "function_response", "functionResponse")) is not None:
            known = fields(response)
            call_id, name = text_in(known.get("id")), text_in(known.get("name"))
            result = ToolResult(call_id, name, result_text(known.get("response")))
            parts.append(Part("tool_result", result, number))
        elif (data := _either(part, "inline_data", "inlineData")) is not None:
            mime_type = text_in(_either(fields(data), "mime_type", "mimeType"))
            kind = mime_type.partition("/")[0]
            if kind == "image":
                parts.append(Part("image", media_in("image", data), number))
            elif kind == "audio":
                parts.append(Part("audio", media_in("audio", data), number))
            else:
                parts.append(Part("other", mime_type or "data", number))
        else:
            parts += [
                Part("other", name.replace("_", " "), number)
                for name, wire_name in _CODE
                if _either(part, name, wire_name) is not None
            ]
    if reason := text_in(_either(candidate, "finish_reason", "finishReason")):
        parts.append(Part("finish_reason", reason, number))
