"""Content in parts, as several clients have it: texts, thoughts, pictures, in one list."""

from __future__ import annotations

from typing import Any

from kkjupyter.notebook.chunks.fields import fields, flat_text, list_of, string
from kkjupyter.notebook.chunks.media import media_in
from kkjupyter.notebook.chunks.parts import Part

__all__ = ["content_parts"]

_IMAGES = frozenset({"image", "image_url", "input_image", "output_image"})
_AUDIOS = frozenset({"audio", "input_audio", "output_audio"})
# A tool call has a place of its own besides; the rest says nothing to a reader.
_SILENT = frozenset(
    {
        *{"", "text", "text_delta", "output_text", "signature", "signature_delta"},
        *{"tool_use", "tool_call", "tool_call_chunk", "function_call", "input_json_delta"},
        *{"redacted_thinking", "citations_delta"},
    }
)


def content_parts(content: Any, choice: int = 0) -> list[Part]:
    """The parts of a text, or of a list of blocks; some may be what a model has thought."""
    if text := string(content):
        return [Part("text", text, choice)]
    found: list[Part] = []
    for block in list_of(content):
        if text := string(block):
            found.append(Part("text", text, choice))
            continue
        known = fields(block)
        kind = string(known.get("type"))
        thought = flat_text(known.get("thinking")) or flat_text(known.get("reasoning"))
        if thought or kind.startswith(("thinking", "reasoning")):
            found.append(Part("reasoning", thought or flat_text(block), choice))
        elif refusal := string(known.get("refusal")):
            found.append(Part("refusal", refusal, choice))
        elif kind in _IMAGES:
            found.append(Part("image", media_in("image", block), choice))
        elif kind in _AUDIOS:
            found.append(Part("audio", media_in("audio", block), choice))
        elif text := flat_text(block):
            found.append(Part("text", text, choice))
        elif kind not in _SILENT:
            found.append(Part("other", kind, choice))
    return found
