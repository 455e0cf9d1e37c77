"""The table view: one row for each value, one column for each name."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from kkjupyter.notebook.views.base import PARTS, RETAINED_BYTES, SAVED_BYTES, View
from kkjupyter.notebook.views.saved_form import Body
from kkjupyter.notebook.views.table.cell_json import MISSING, Cell, cell_of, is_scalar, name_of
from kkjupyter.notebook.views.table.rows import named_values, record_of
from kkjupyter.notebook.views.table.saved import table_body
from kkjupyter.notebook.views.transcript import Excerpt

__all__ = ["TableView"]

# `auto` chooses a table for rows with at most this many columns ...
_MOST_TO_SUIT = 50
# ... and a table has at most this many, whatever names come.
_MOST_COLUMNS = 200
_OTHERS = "…"
_NAME_CHARS = 200
# The head is repeated after this much source, so that the newest rows have names and numbers even
# if the middle is left out.
_HEAD_EVERY_CHARS = 50_000

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


class TableView(View):
    """Shows each value as a row.

    Rows are mappings, dataclasses, named tuples, objects of pydantic, msgspec and attrs, and lists
    and tuples, whose columns are numbered; any other value goes into a column ``value``. A later
    row may add columns.

    The source is JSON lines. A line that holds an object is the head: ``{"columns": ["id", "name"],
    "row": 0}`` names all columns and says how many rows came before it; columns are only added at
    the end. A line that holds a list is a row; cells at its end may be missing.
    :mod:`kkjupyter.notebook.views.table.cell_json` describes a cell.
    """

    name = "table"
    terminal = "json"
    pane = "table"
    part = PARTS / "table.js"

    def __init__(
        self, *, retained_bytes: int = RETAINED_BYTES, saved_bytes: int = SAVED_BYTES
    ) -> None:
        super().__init__(retained_bytes=retained_bytes, saved_bytes=saved_bytes)
        self._keys: tuple[Any, ...] = ()  # the names that made the columns, as they came
        self._places: dict[str, int] = {}
        self._places_by_name: dict[str, int] = {}  # 1 and "1" are one column
        self._names: list[str] = []
        self._count = 0
        self._is_new = False
        self._since_head = 0

    @classmethod
    def suits(cls, item: Any) -> bool:
        """Suits flat rows with names: mappings, dataclasses and the like whose values have no
        parts.
        """
        values = named_values(item)
        return (
            values is not None
            and 0 < len(values) <= _MOST_TO_SUIT
            and all(map(is_scalar, values.values()))
        )

    @classmethod
    def bears(cls, item: Any) -> bool:
        """Accepts any row with names."""
        values = named_values(item)
        return values is not None and len(values) <= _MOST_COLUMNS

    def render(self, items: Sequence[Any]) -> str:
        """A line for each row, with the head before rows that add columns."""
        lines: list[str] = []
        for item in items:
            row = _encode(self._row(item))
            if self._is_new or self._since_head >= _HEAD_EVERY_CHARS:
                lines.append(_encode({"columns": self._names, "row": self._count}))
                self._is_new = False
                self._since_head = 0
            lines.append(row)
            self._count += 1
            self._since_head += len(row)
        return "\n".join([*lines, ""]) if lines else ""

    def body(self, excerpt: Excerpt) -> Body:
        """A table of the first and the newest rows, all of them as aligned text, and the source."""
        return table_body(excerpt, self._names, self._count, self.saved_bytes)

    def _row(self, item: Any) -> list[Cell]:
        # A copy, because another thread may add to it.
        values = item.copy() if type(item) is dict else record_of(item)
        if self._are_the_columns(tuple(values)):
            return [cell_of(value) for value in values.values()]
        return self._spread(values)

    def _are_the_columns(self, keys: tuple[Any, ...]) -> bool:
        try:
            return keys == self._keys
        except Exception:  # noqa: BLE001 - a key's own code; its name is compared then
            return False

    def _spread(self, values: Mapping[Any, Any]) -> list[Cell]:
        """The row of an item whose names differ from the columns; it may add columns."""
        row: list[Cell] = [MISSING] * len(self._names)
        others: dict[str, Any] = {}
        for key, value in values.items():
            # Keys of other types may have their own hash or equality.
            place = self._places.get(key) if type(key) is str else None
            if place is None:
                place = self._place_of(key)
            if place < 0:
                others[name_of(key)] = value
                continue
            row.extend([MISSING] * (place + 1 - len(row)))
            row[place] = cell_of(value)
        if others:
            place = self._place_of(_OTHERS, is_last=True)
            row.extend([MISSING] * (place + 1 - len(row)))
            row[place] = cell_of(others)
        while row and row[-1] == MISSING:
            row.pop()
        return row

    def _place_of(self, key: Any, *, is_last: bool = False) -> int:
        """The column of a new name; -1 if the table is full."""
        name = name_of(key)
        place = self._places_by_name.get(name)
        if place is not None:
            return place
        if len(self._names) >= _MOST_COLUMNS and not is_last:
            return -1
        place = len(self._names)
        self._names.append(name if len(name) <= _NAME_CHARS else f"{name[:_NAME_CHARS]}…")
        self._places_by_name[name] = place
        if type(key) is str:
            self._places[key] = place
        self._keys = (*self._keys, key)
        self._is_new = True
        return place
