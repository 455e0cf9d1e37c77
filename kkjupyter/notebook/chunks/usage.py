"""What providers count, by whichever names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["output_tokens"]

_OUTPUT = (
    *("completion_tokens", "output_tokens", "eval_count", "generated_tokens", "response_tokens"),
    *("completionTokens", "outputTokens"),
)
# Google counts what a model thinks apart.
_ANSWER = ("candidates_token_count", "candidatesTokenCount")
_THOUGHTS = ("thoughts_token_count", "thoughtsTokenCount")
_INSIDE = ("tokens", "usage")


def output_tokens(usage: Mapping[str, Any] | None) -> int | None:
    """How many tokens the model has written, its thoughts among them; None if that is not told."""
    if not usage:
        return None
    if (count := _first(usage, _OUTPUT)) is not None:
        return count
    if (count := _first(usage, _ANSWER)) is not None:
        return count + (_first(usage, _THOUGHTS) or 0)
    for name in _INSIDE:
        inner = usage.get(name)
        if isinstance(inner, Mapping) and (count := _first(inner, _OUTPUT)) is not None:
            return count
    return None


def _first(usage: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    """The first of these counts; a float is one that came as JSON's only kind of number."""
    for name in names:
        count = usage.get(name)
        if type(count) is int or (type(count) is float and count.is_integer()):
            return int(count)
    return None
