"""The course of some numbers in one line of text."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

__all__ = ["sparkline"]

_LEVELS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int) -> str:
    """Blocks of eight heights, at most ``width`` of them; neighbours are averaged."""
    if not values:
        return ""
    columns = min(width, len(values))
    edges = [round(column * len(values) / columns) for column in range(columns + 1)]
    means = [sum(values[start:end]) / (end - start) for start, end in pairwise(edges)]
    low, high = min(means), max(means)
    span = high - low
    if not span:
        return _LEVELS[3] * columns
    top = len(_LEVELS) - 1
    return "".join([_LEVELS[round((mean - low) / span * top)] for mean in means])
