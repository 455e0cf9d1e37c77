"""Events of ``chat.completions.stream(...)`` of ``openai``: the chunks, and what they mean."""

from __future__ import annotations

from kkjupyter.notebook.chunks import openai_completions
from kkjupyter.notebook.chunks.fields import Fields, fields, string
from kkjupyter.notebook.chunks.parts import Part

__all__ = ["MARKS", "read"]

MARKS = frozenset({"type"})

_MEANINGS = frozenset(
    {
        *{"content.delta", "content.done", "refusal.delta", "refusal.done"},
        *{"tool_calls.function.arguments.delta", "tool_calls.function.arguments.done"},
        *{"logprobs.content.delta", "logprobs.content.done"},
        *{"logprobs.refusal.delta", "logprobs.refusal.done"},
    }
)


def read(event: Fields) -> list[Part] | None:
    """The parts of the chunk; of what it means, only what is missing if chunks were left out."""
    kind = string(event.get("type"))
    if kind == "chunk" and "chunk" in event:
        return openai_completions.read(fields(event.get("chunk")))
    if kind not in _MEANINGS:
        return None
    delta = string(event.get("delta"))
    if delta and kind == "content.delta":
        return [Part("text", delta, rank=1)]
    if delta and kind == "refusal.delta":
        return [Part("refusal", delta, rank=1)]
    return []
