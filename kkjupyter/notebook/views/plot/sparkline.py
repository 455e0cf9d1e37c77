"""Numbers as a small chart in one line of text."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

__all__ = ["sparkline"]

_LEVELS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[float], width: int) -> str:
    """Blocks of eight heights, at most ``width`` of them; neighbours are averaged.

    Args:
        values: finite numbers, of any size.
        width: how many blocks at most.
    """
    if not values:
        return ""
    columns = min(width, len(values))
    edges = [round(column * len(values) / columns) for column in range(columns + 1)]
    means = [_mean(values[start:end]) for start, end in pairwise(edges)]
    low, high = min(means), max(means)
    if high - low == math.inf:
        means = [mean / 2 for mean in means]
        low, high = low / 2, high / 2
    span = high - low
    if not span:
        return _LEVELS[3] * columns
    top = len(_LEVELS) - 1
    return "".join([_LEVELS[round((mean - low) / span * top)] for mean in means])


def _mean(values: Sequence[float]) -> float:
    total, count = sum(values), len(values)
    if abs(total) < math.inf:
        return total / count
    mean = sum([value / count for value in values])
    return min(max(mean, min(values)), max(values))
