"""Events of the OpenAI Agents SDK: those of the model, wrapped, and those of the agent."""

from __future__ import annotations

from kkjupyter.notebook.chunks import openai_completions, openai_responses
from kkjupyter.notebook.chunks.fields import Fields, fields, string
from kkjupyter.notebook.chunks.media import result_text
from kkjupyter.notebook.chunks.parts import Part, ToolResult

__all__ = ["MARKS", "read"]

MARKS = frozenset({"type"})


def read(event: Fields) -> list[Part] | None:
    """The parts of the model's event. Of what the agent tells, only what tools returned is new."""
    kind = string(event.get("type"))
    if kind == "raw_response_event" and "data" in event:
        data = fields(event.get("data"))
        found = openai_responses.read(data)
        return (openai_completions.read(data) or []) if found is None else found
    if kind == "run_item_stream_event" and "item" in event:
        return _read_item(fields(event.get("item")))
    if kind == "agent_updated_stream_event" and "new_agent" in event:
        return []
    return None


def _read_item(item: Fields) -> list[Part]:
    if string(item.get("type")) != "tool_call_output_item":
        return []
    call_id = string(fields(item.get("raw_item")).get("call_id"))
    return [Part("tool_result", ToolResult(call_id, "", result_text(item.get("output"))))]
