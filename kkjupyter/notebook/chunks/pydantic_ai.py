"""Events of ``pydantic-ai``: parts of a model's response, as they start and as they grow."""

from __future__ import annotations

from typing import Any

from kkjupyter.notebook.chunks.fields import Fields, call_key, fields, json_text, plain_dict, string
from kkjupyter.notebook.chunks.media import media_in, result_text
from kkjupyter.notebook.chunks.parts import CallDelta, Part, ToolResult

__all__ = ["MARKS", "read"]

MARKS = frozenset({"event_kind"})

_RESULTS = ("tool-return", "builtin-tool-return", "retry-prompt")
_CALLS = ("tool-call", "builtin-tool-call", "tool_call")


def read(event: Fields) -> list[Part] | None:
    """The parts of an event; none of one that tells what has come before."""
    kind = string(event.get("event_kind"))
    if not kind:
        return None
    if kind == "part_start":
        part = fields(event.get("part"))
        return _read_part(string(part.get("part_kind")), part, event.get("index"))
    if kind == "part_delta":
        delta = fields(event.get("delta"))
        return _read_part(string(delta.get("part_delta_kind")), delta, event.get("index"))
    if kind in ("function_tool_result", "builtin_tool_result"):
        result = event.get("result")
        return [_result_part(fields(event.get("part") if result is None else result))]
    if kind == "agent_run_result":
        return _read_result(event.get("result"))
    return []


def _read_part(kind: str, part: Fields, index: Any) -> list[Part]:
    if kind in _CALLS:
        name = string(part.get("tool_name")) or string(part.get("tool_name_delta"))
        arguments = part.get("args") or part.get("args_delta")
        is_whole = issubclass(type(arguments), dict)
        call_id, key = string(part.get("tool_call_id")), call_key(index, 0)
        text = json_text(arguments)
        return [Part("tool_call", CallDelta(key, call_id, name, text, is_whole))]
    if kind in _RESULTS:
        return [_result_part(part)]
    if kind == "file":
        return [_file_part(part.get("content"))]
    text = string(part.get("content")) or string(part.get("content_delta"))
    if not text:
        return []
    return [Part("reasoning" if kind == "thinking" else "text", text)]


def _read_result(result: Any) -> list[Part]:
    usage = getattr(result, "usage", None)
    counts = plain_dict(usage() if callable(usage) else usage)
    return [Part("usage", (counts, False))] if counts else []


def _result_part(part: Fields) -> Part:
    call_id, name = string(part.get("tool_call_id")), string(part.get("tool_name"))
    return Part("tool_result", ToolResult(call_id, name, result_text(part.get("content"))))


def _file_part(content: Any) -> Part:
    sort = string(fields(content).get("media_type")).partition("/")[0]
    if sort == "image":
        return Part("image", media_in("image", content))
    if sort == "audio":
        return Part("audio", media_in("audio", content))
    return Part("other", "file")
