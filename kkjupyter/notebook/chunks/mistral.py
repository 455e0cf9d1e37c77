"""Events of ``mistralai``: each holds a chunk of a chat completion."""

from __future__ import annotations

from kkjupyter.notebook.chunks import openai_completions
from kkjupyter.notebook.chunks.fields import Fields, fields
from kkjupyter.notebook.chunks.parts import Part

__all__ = ["MARKS", "read"]

MARKS = frozenset({"data"})


def read(event: Fields) -> list[Part] | None:
    """The parts of the chunk in an event."""
    data = fields(event.get("data"))
    return openai_completions.read(data) if "choices" in data else None
