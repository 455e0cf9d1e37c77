"""Reduces points, keeping the outline: the lowest and highest of each group of neighbours."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

__all__ = ["Row", "Thinner", "thinned"]

Row = Sequence[float | None]
"""``[x, y1, y2, ...]``; None where a line has a gap."""

_ALL_UP_TO = 100_000
_GROUP_SHARE = 25_000


class Thinner:
    """Passes on all rows up to 100,000; beyond, two for each group, whose size grows with the
    count.

    It works row by row, so no row is taken back: a million rows become about 215,000.
    """

    def __init__(self) -> None:
        self._count = 0
        self._group: list[Row] = []

    def feed(self, row: Row) -> Sequence[Row]:
        """The rows to draw after ``row`` came; may be empty."""
        self._count += 1
        if self._count <= _ALL_UP_TO:
            return (row,)
        self._group.append(row)
        if len(self._group) < self._count // _GROUP_SHARE:
            return ()
        return self.flush()

    def flush(self) -> Sequence[Row]:
        """What was held back."""
        group, self._group = self._group, []
        return _outline(group)


def thinned(rows: Sequence[Row], limit: int) -> list[Row]:
    """At most about ``limit`` rows with the same outline."""
    if len(rows) <= limit:
        return list(rows)
    size = -(-2 * len(rows) // limit)
    iterator = iter(rows)
    return [row for group in _groups(iterator, size) for row in _outline(group)]


def _groups(rows: Iterator[Row], size: int) -> Iterator[list[Row]]:
    while group := list(islice(rows, size)):
        yield group


def _outline(group: list[Row]) -> list[Row]:
    """Two rows: the lowest and highest value of each line, in their order."""
    if len(group) <= 2:
        return group
    first: list[float | None] = [group[0][0]]
    second: list[float | None] = [group[-1][0]]
    for index in range(1, max(map(len, group))):
        values = [v for row in group if index < len(row) and (v := row[index]) is not None]
        low, high = (min(values), max(values)) if values else (None, None)
        rises = bool(values) and values.index(low) <= values.index(high)  # type: ignore[arg-type]
        first.append(low if rises else high)
        second.append(high if rises else low)
    return [first, second]
