"""The saved output of a table: its rows as HTML, and as aligned text.

The HTML has as few attributes as it can: a table of thousands of rows is to fit into a notebook
file, and where it is shown, tables have a look of their own.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from kkjupyter.notebook.views.saved_form import BOX, LINE, Body, escape
from kkjupyter.notebook.views.table.widths import Column, display_width
from kkjupyter.notebook.views.transcript import Excerpt

__all__ = ["table_body"]

_GAP = re.compile(r"\[… [\d,]+ characters left out …\]")
_FEW_ROWS = 20
# The maximum of cells in the text, even if they are empty and take few bytes.
_MOST_CELLS = 500_000
_HEAD_SHARE = 4  # a quarter for the first rows, the rest for the newest
# Longer texts may be broken anywhere in the HTML, so that one does not widen its column for good.
_LONG_CHARS = 40
# Longer cells overflow in the text, so that one cell does not widen all rows.
_PAD_CHARS = 60
_FOLDABLE_ROWS = 17
_COLUMN_GAP = "  "

_TABLE = "margin: 0 0 4px; table-layout: auto; font-variant-numeric: tabular-nums"
_LEFT = "text-align: left"
_MUTED = "font-style: italic; color: var(--jp-ui-font-color2, inherit)"


@dataclass(frozen=True)
class _Table:
    """Rows, some of them perhaps missing before ``rows[gap_at]``."""

    columns: list[Column]
    row_count: int
    gap_at: int
    left_out: int


def table_body(excerpt: Excerpt, names: Sequence[str], count: int, limit_bytes: int) -> Body:
    """The body of a table.

    Args:
        excerpt: the source, as :class:`~kkjupyter.notebook.views.table.view.TableView` writes it.
        names: the names of all columns.
        count: the number of all rows, in the excerpt or not.
        limit_bytes: the limit of the aligned text; beyond it rows in the middle are left out.
    """
    if not names:
        caption = _size(count, 0) if count else ""
        return Body(html=caption and f'<div style="{LINE}">{caption}</div>', plain="")
    table = _read(excerpt.text, names, count)
    plain = _aligned(table, limit_bytes)
    caption = _size(table.row_count + table.left_out, len(names))
    return Body(
        html=f'<div style="{BOX}">{_html(table)}</div><div style="{LINE}">{caption}</div>',
        plain=plain,
        is_foldable=table.row_count >= _FOLDABLE_ROWS,
        notes=(_left_out(table.left_out),) if table.left_out else (),
        data={"source": excerpt.text},
    )


def _read(source: str, names: Sequence[str], count: int) -> _Table:
    rows: list[list[Any]] = []
    gap_at = 0
    for line in source.split("\n"):
        if line.startswith("["):
            try:
                rows.append(msgspec.json.decode(line))
            except msgspec.DecodeError:
                # The gap itself, or half a row next to it.
                if _GAP.fullmatch(line):
                    gap_at = len(rows)
    rows, gap_at = _fewer(rows, gap_at, len(names), is_whole=len(rows) == count)
    missing: list[Any] = []
    turned = list(itertools.zip_longest(*rows, fillvalue=missing))
    turned += [(missing,) * len(rows)] * (len(names) - len(turned))
    columns = [Column(name, cells) for name, cells in zip(names, turned, strict=True)]
    return _Table(columns, len(rows), gap_at, count - len(rows))


def _fewer(
    rows: list[list[Any]], gap_at: int, columns: int, *, is_whole: bool
) -> tuple[list[list[Any]], int]:
    """As many of the first and newest rows as the limit of cells allows."""
    most = max(_FEW_ROWS, _MOST_CELLS // max(1, columns))
    if len(rows) <= most:
        return rows, gap_at
    head = most // _HEAD_SHARE
    newest = most - head
    if not is_whole:
        head = min(head, gap_at)
        newest = min(newest, len(rows) - gap_at)
    return rows[:head] + rows[len(rows) - newest :], head


def _size(rows: int, columns: int) -> str:
    return f"{_counted(rows, 'row')} × {_counted(columns, 'column')}"


def _left_out(count: int) -> str:
    return f"{_counted(count, 'row')} left out"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


# ---- text


def _aligned(table: _Table, limit_bytes: int) -> str:
    """All rows, aligned for a monospaced font."""
    blocks: list[list[str]] = []
    rules: list[str] = []
    for column in table.columns:
        cells = [column.name, *column.aligned()]
        widths = [display_width(cell) for cell in cells]
        width = max([width for width in widths if width <= _PAD_CHARS], default=0)
        padding = [" " * (width - w) for w in widths]
        sides = (padding, cells) if column.is_number else (cells, padding)
        pairs = zip(*sides, strict=True)
        blocks.append([f"{left}{right}" for left, right in pairs])
        rules.append("-" * width)
    lines = [_COLUMN_GAP.join(cells).rstrip() for cells in zip(*blocks, strict=True)]
    head = [lines[0], _COLUMN_GAP.join(rules)]
    first, left_out, newest = _within(lines[1:], table, limit_bytes)
    gap = [f"[… {_left_out(left_out)} …]"] if left_out else []
    return "\n".join([*head, *first, *gap, *newest, ""])


def _within(lines: list[str], table: _Table, limit_bytes: int) -> tuple[list[str], int, list[str]]:
    """The lines before and after the gap, and how many are missing in it."""
    gap_at = table.gap_at
    sizes = [len(line) + 1 if line.isascii() else len(line.encode()) + 1 for line in lines]
    if sum(sizes) <= limit_bytes:
        return lines[:gap_at], table.left_out, lines[gap_at:]
    head = _fitting(sizes, limit_bytes // _HEAD_SHARE)
    newest = _fitting(sizes[::-1], limit_bytes - limit_bytes // _HEAD_SHARE)
    if table.left_out:
        head = min(head, gap_at)
        newest = min(newest, len(lines) - gap_at)
    dropped = len(lines) - head - newest
    return lines[:head], table.left_out + dropped, lines[len(lines) - newest :]


def _fitting(sizes: Sequence[int], limit_bytes: int) -> int:
    """How many of the first fit."""
    total = itertools.accumulate(sizes)
    return sum(1 for _ in itertools.takewhile(lambda size: size <= limit_bytes, total))


# ---- HTML


def _html(table: _Table) -> str:
    """A table element of all rows."""
    indices = range(table.row_count)
    cells = [[_cell(column, index) for index in indices] for column in table.columns]
    rows = [f"<tr>{''.join(row)}</tr>" for row in zip(*cells, strict=True)]
    if table.left_out:
        note = f"… {_left_out(table.left_out)} …"
        gap = f'<td colspan="{len(table.columns)}" style="{_LEFT}; {_MUTED}">{note}</td>'
        rows.insert(table.gap_at, f"<tr>{gap}</tr>")
    heads = "".join([_head(column) for column in table.columns])
    return (
        f'<table style="{_TABLE}"><thead><tr>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _head(column: Column) -> str:
    side = 'align="right"' if column.is_number else f'style="{_LEFT}"'
    return f'<th scope="col" {side}>{escape(column.name)}</th>'


def _cell(column: Column, index: int) -> str:
    text = column.shown(index)
    shown = escape(text)
    if column.cells[index] is None:
        return f'<td style="{_LEFT}; {_MUTED}">{shown}</td>'
    if column.is_number:
        exact = column.texts[index]
        title = f' title="{escape(exact)}"' if len(exact) > len(text) else ""
        return f'<td align="right"{title}>{shown}</td>'
    breaks = "; overflow-wrap: anywhere; min-width: 16ch" if len(text) > _LONG_CHARS else ""
    return f'<td style="{_LEFT}{breaks}">{shown}</td>'
