"""Tokens of ``InferenceClient.text_generation(..., details=True)`` of ``huggingface_hub``.

Its chats come as chat completions do, and its texts without details as plain strings.
"""

from __future__ import annotations

from kkjupyter.notebook.chunks.fields import Fields, fields, string
from kkjupyter.notebook.chunks.parts import Part

__all__ = ["MARKS", "read"]

MARKS = frozenset({"token"})


def read(chunk: Fields) -> list[Part] | None:
    """The text of a token; nothing of one that only steers the model."""
    token = fields(chunk.get("token"))
    if "special" not in token or "text" not in token:
        return None
    parts: list[Part] = []
    if not token.get("special") and (text := string(token.get("text"))):
        parts.append(Part("text", text))
    details = fields(chunk.get("details"))
    if reason := string(details.get("finish_reason")):
        parts.append(Part("finish_reason", reason))
    if type(tokens := details.get("generated_tokens")) is int:
        parts.append(Part("usage", ({"generated_tokens": tokens}, False)))
    return parts
