"""What a body is called: the one home of which names mean JSON."""

from __future__ import annotations

from typing import Final

__all__ = ["JSON", "is_json_type", "media_type"]

JSON: Final = "application/json"


def media_type(content_type: str) -> str:
    """The type itself, in lower case: ``"text/plain"`` for ``"Text/Plain; charset=utf-8"``."""
    return content_type.partition(";")[0].strip().lower()


def is_json_type(content_type: str) -> bool:
    """Whether a body of this type is JSON, as ``application/problem+json`` is, too."""
    name = media_type(content_type)
    return name == JSON or name.endswith("+json")
