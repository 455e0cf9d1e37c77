"""Messages of ``langchain-core`` as they are streamed, and the events of ``astream_events``."""

from __future__ import annotations

from typing import Any

from kkjupyter.notebook.chunks.content import content_parts
from kkjupyter.notebook.chunks.fields import (
    Fields,
    call_key,
    fields,
    json_text,
    list_of,
    plain_dict,
    string,
)
from kkjupyter.notebook.chunks.media import result_text
from kkjupyter.notebook.chunks.parts import CallDelta, Part, ToolResult

__all__ = ["MARKS", "read"]

MARKS = frozenset({"response_metadata", "event"})

_MESSAGES = ("AIMessageChunk", "ai")
_REASONS = ("finish_reason", "stop_reason", "done_reason")


def read(chunk: Fields) -> list[Part] | None:
    """The parts of a message; or of the event of a model that has one."""
    if string(chunk.get("type")) in _MESSAGES and "response_metadata" in chunk:
        return _read_message(chunk)
    if string(chunk.get("type")) == "tool" and "tool_call_id" in chunk and "content" in chunk:
        return [_result_part(chunk)]
    event = string(chunk.get("event"))
    if not event.startswith("on_") or "data" not in chunk or "run_id" not in chunk:
        return None
    if event == "on_tool_end":
        output = fields(fields(chunk.get("data")).get("output"))
        return [_result_part(output)] if "tool_call_id" in output else []
    if event not in ("on_chat_model_stream", "on_llm_stream"):
        return []  # what else streams there, a chain for example, hands on what its model says
    message = fields(fields(chunk.get("data")).get("chunk"))
    if "response_metadata" in message:
        return _read_message(message)
    text = string(message.get("text"))
    return [Part("text", text)] if text else []


def _read_message(message: Fields) -> list[Part]:
    parts: list[Part] = []
    more = fields(message.get("additional_kwargs"))
    if reasoning := string(more.get("reasoning_content")):
        parts.append(Part("reasoning", reasoning))
    content = message.get("content")
    parts += content_parts(content) if content else []
    if refusal := string(more.get("refusal")):
        parts.append(Part("refusal", refusal))
    calls = list_of(message.get("tool_call_chunks"))
    parts += [_call_part(fields(call), is_growing=True) for call in calls]
    if not calls:
        whole = list_of(message.get("tool_calls"))
        parts += [_call_part(fields(call), is_growing=False) for call in whole]
    metadata = fields(message.get("response_metadata"))
    if model := string(metadata.get("model_name")) or string(metadata.get("model")):
        parts.append(Part("model", model))
    if reason := next(filter(None, [string(metadata.get(name)) for name in _REASONS]), ""):
        parts.append(Part("finish_reason", reason))
    if (usage := message.get("usage_metadata")) is not None:
        # Of several chunks with counts, each has its own share.
        parts.append(Part("usage", (plain_dict(usage), True)))
    return parts


def _call_part(call: Fields, *, is_growing: bool) -> Part:
    arguments: Any = call.get("args")
    key = call_key(call.get("index"), call_key(call.get("id"), 0)) if is_growing else None
    call_id, name = string(call.get("id")), string(call.get("name"))
    return Part("tool_call", CallDelta(key, call_id, name, json_text(arguments)))


def _result_part(message: Fields) -> Part:
    call_id, name = string(message.get("tool_call_id")), string(message.get("name"))
    return Part("tool_result", ToolResult(call_id, name, result_text(message.get("content"))))
