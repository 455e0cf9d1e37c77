"""Chunks of ``ollama``: of chats, and of plain generation."""

from __future__ import annotations

from kkjupyter.notebook.chunks.fields import Fields, fields, json_text, list_of, string
from kkjupyter.notebook.chunks.parts import CallDelta, Part

__all__ = ["MARKS", "read"]

MARKS = frozenset({"done"})

_USAGE = ("prompt_eval_count", "eval_count", "total_duration", "eval_duration")


def read(chunk: Fields) -> list[Part] | None:
    """The parts of a chunk."""
    if type(chunk.get("done")) is not bool or not ("model" in chunk or "created_at" in chunk):
        return None
    parts: list[Part] = []
    if model := string(chunk.get("model")):
        parts.append(Part("model", model))
    value = chunk.get("message")
    message = fields(value)
    if value is None:
        if not issubclass(type(chunk.get("response")), str):
            return None
        message = {"content": chunk.get("response"), "thinking": chunk.get("thinking")}
    elif role := string(message.get("role")):
        parts.append(Part("role", role))
    if thought := string(message.get("thinking")):
        parts.append(Part("reasoning", thought))
    if text := string(message.get("content")):
        parts.append(Part("text", text))
    for call in list_of(message.get("tool_calls")):
        function = fields(fields(call).get("function"))
        arguments = json_text(function.get("arguments") or {})
        name = string(function.get("name"))
        parts.append(Part("tool_call", CallDelta(None, name=name, arguments=arguments)))
    if chunk.get("done"):
        if reason := string(chunk.get("done_reason")):
            parts.append(Part("finish_reason", reason))
        counts = {name: chunk.get(name) for name in _USAGE if chunk.get(name) is not None}
        if counts:
            parts.append(Part("usage", (counts, False)))
    return parts
