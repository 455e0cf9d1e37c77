"""What of an item is shown: all of it, what a function picks, or of an LLM client's chunk the text.

Only views and texts see what was picked; loops and ``reply.items`` have the items as they came.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["Picker", "as_they_are", "chunk_texts", "picker"]

Picker = Callable[[Sequence[Any]], Sequence[Any]]

# Looked at for each item of every stream, so without a look at any attribute.
_PLAIN = frozenset({str, int, float, bool, type(None), list, tuple, bytes})


def as_they_are(items: Sequence[Any]) -> Sequence[Any]:
    """The items themselves."""
    return items


def picker(pick: Callable[[Any], Any]) -> Picker:
    """Shows ``pick(item)`` for each item; nothing for those of which it picks None."""

    def picked(items: Sequence[Any]) -> Sequence[Any]:
        return [shown for shown in map(pick, items) if shown is not None]

    return picked


def chunk_texts(items: Sequence[Any]) -> Sequence[Any]:
    """The text in place of each chunk of a chat completion; other items as they are.

    A chunk is what the ``openai`` package, and the many that took its shape over, stream:
    ``chunk.choices[0].delta.content``; or the dict that it is on the wire, as a remote endpoint
    passes it on. One without text (a role, a tool call, the usage at the end) shows nothing.
    """
    return [item if type(item) in _PLAIN else _text_or_item(item) for item in items]


def _text_or_item(item: Any) -> Any:
    if type(item) is dict:
        return _text_or_dict(item)
    choices = getattr(item, "choices", None)
    if not isinstance(choices, list):
        return item
    if not choices:
        return ""
    delta: Any = getattr(choices[0], "delta", None)
    if not hasattr(delta, "content"):
        return item
    return delta.content if isinstance(delta.content, str) else ""


def _text_or_dict(item: dict[Any, Any]) -> Any:
    choices = item.get("choices")
    if not isinstance(choices, list):
        return item
    if not choices:
        # Many things may have no choices; the chunk with the usage says what it is.
        return "" if item.get("object") == "chat.completion.chunk" else item
    delta = choices[0].get("delta") if isinstance(choices[0], dict) else None
    if not isinstance(delta, dict):
        return item
    content = delta.get("content")
    return content if isinstance(content, str) else ""
