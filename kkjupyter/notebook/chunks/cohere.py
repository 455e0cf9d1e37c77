"""Events of version 2 of ``cohere``."""

from __future__ import annotations

from kkjupyter.notebook.chunks.fields import (
    Fields,
    call_key,
    fields,
    is_list,
    json_text,
    plain_dict,
    string,
)
from kkjupyter.notebook.chunks.parts import CallDelta, Part

__all__ = ["MARKS", "read"]

MARKS = frozenset({"type"})

_EVENTS = frozenset(
    {
        *{"message-start", "content-start", "content-delta", "content-end", "message-end"},
        *{"tool-plan-delta", "tool-call-start", "tool-call-delta", "tool-call-end"},
        *{"citation-start", "citation-end", "debug"},
    }
)


def read(event: Fields) -> list[Part] | None:
    """The parts of an event."""
    kind = string(event.get("type"))
    if kind not in _EVENTS or (kind == "debug" and "prompt" not in event):
        return None
    delta = fields(event.get("delta"))
    if kind == "message-end":
        return _read_end(delta)
    message = fields(delta.get("message"))
    parts: list[Part] = []
    if role := string(message.get("role")):
        parts.append(Part("role", role))
    if plan := string(message.get("tool_plan")):
        parts.append(Part("reasoning", plan))
    content = message.get("content")
    if content is not None and not is_list(content):
        known = fields(content)
        if thought := string(known.get("thinking")):
            parts.append(Part("reasoning", thought))
        if text := string(known.get("text")):
            parts.append(Part("text", text))
    call = message.get("tool_calls")
    if call is not None and not is_list(call):
        known = fields(call)
        function = fields(known.get("function"))
        key = call_key(event.get("index"), 0)
        call_id, name = string(known.get("id")), string(function.get("name"))
        arguments = json_text(function.get("arguments"))
        parts.append(Part("tool_call", CallDelta(key, call_id, name, arguments)))
    return parts


def _read_end(delta: Fields) -> list[Part]:
    parts: list[Part] = []
    if error := string(delta.get("error")):
        parts.append(Part("error", error))
    if reason := string(delta.get("finish_reason")):
        parts.append(Part("finish_reason", reason))
    if (usage := delta.get("usage")) is not None:
        parts.append(Part("usage", (plain_dict(usage), False)))
    return parts
