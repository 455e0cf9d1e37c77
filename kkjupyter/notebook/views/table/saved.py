"""The saved output of a table: some rows as HTML, and all rows as aligned text."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from kkjupyter.notebook.views.saved_form import BOX, LINE, TEXT, Body, escape, text_html
from kkjupyter.notebook.views.table.widths import Column, display_width
from kkjupyter.notebook.views.transcript import Excerpt

__all__ = ["table_body"]

_GAP = re.compile(r"\[… [\d,]+ characters left out …\]")
# The maximum of cells in the HTML, which always has a few rows.
_HTML_CELLS = 6_000
_HTML_ROWS = 240
_FEW_ROWS = 20
# The maximum of cells in the text, even if they are empty and take few bytes.
_MOST_CELLS = 500_000
_HEAD_SHARE = 4  # a quarter for the first rows, the rest for the newest
_HTML_CELL_CHARS = 300
# Longer cells overflow in the text, so that one cell does not widen all rows.
_PAD_CHARS = 60
_SCROLLS_FROM_ROWS = 17
_COLUMN_GAP = "  "

_FONT = "var(--jp-ui-font-family, system-ui, sans-serif)"
# As in the live view: a head and 16 rows of 24 px. Reversed, so that it starts at the newest.
_BOX = (
    "margin: 0; max-height: 408px; max-width: 100%; width: fit-content; overflow: auto; "
    "display: flex; flex-direction: column-reverse"
)
_TABLE = (
    "margin: 0; border: 0; border-collapse: separate; border-spacing: 0; table-layout: auto; "
    f"font-family: {_FONT}; font-size: 12px; font-variant-numeric: tabular-nums; "
    "color: var(--jp-content-font-color1, inherit)"
)
_CELL = (
    "padding: 0 10px; border: 0; height: 24px; line-height: 24px; vertical-align: top; "
    "white-space: nowrap; max-width: 300px; overflow: hidden; text-overflow: ellipsis"
)
_HEAD = (
    f"{_CELL}; line-height: 23px; position: sticky; top: 0; font-weight: 600; "
    "box-sizing: border-box; "
    "background: var(--jp-layout-color0, Canvas); "
    "border-bottom: 1px solid var(--jp-border-color1, #bdbdbd)"
)
_MUTED = "color: var(--jp-ui-font-color2, inherit)"


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
    html, is_all = _html(table)
    caption = _size(table.row_count + table.left_out, len(names))
    if is_all:
        below = f'<div style="{LINE}">{caption}</div>'
    else:
        below = (
            f'<details style="margin: 0"><summary style="{LINE}">{caption}, as text</summary>'
            f"{_text_box(plain)}</details>"
        )
    return Body(
        html=f"{html}{below}",
        plain=plain,
        is_foldable=table.row_count >= _SCROLLS_FROM_ROWS,
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


def _text_box(text: str) -> str:
    """The aligned text without line breaks; the box scrolls horizontally."""
    chars = max(map(display_width, text.split("\n")))
    style = f"{TEXT}; white-space: pre; max-width: none; min-width: 100%; width: {chars + 1}ch"
    return f'<div style="{BOX}"><pre style="{style}">\n{text_html(text)}</pre></div>'


def _fitting(sizes: Sequence[int], limit_bytes: int) -> int:
    """How many of the first fit."""
    total = itertools.accumulate(sizes)
    return sum(1 for _ in itertools.takewhile(lambda size: size <= limit_bytes, total))


# ---- HTML


def _html(table: _Table) -> tuple[str, bool]:
    """A table element of the first and newest rows, and whether these are all rows."""
    first, newest = _rows_in_html(table)
    hidden = table.row_count - len(first) - len(newest)
    cut = False
    cells: list[list[str]] = []
    for column in table.columns:
        side = "right" if column.is_number else "left"
        texts = [column.shown(index) for index in (*first, *newest)]
        cut = cut or any(len(text) > _HTML_CELL_CHARS for text in texts)
        cells.append(
            [
                _cell(text, column.cells[index], side)
                for text, index in zip(texts, (*first, *newest), strict=True)
            ]
        )
    rows = [f"<tr>{''.join(row)}</tr>" for row in zip(*cells, strict=True)]
    if hidden or table.left_out:
        words = [f"{hidden:,} rows in the text below"] if hidden else []
        words += [_left_out(table.left_out)] if table.left_out else []
        note = f"… {' · '.join(words)} …"
        span = f'colspan="{len(table.columns)}"'
        rows.insert(
            len(first),
            f'<tr><td {span} style="{_CELL}; text-align: left; {_MUTED}">{note}</td></tr>',
        )
    heads = "".join(
        [
            f'<th scope="col" style="{_HEAD}; text-align: {"right" if c.is_number else "left"}">'
            f"{escape(c.name)}</th>"
            for c in table.columns
        ]
    )
    is_all = not hidden and not cut and not any(column.is_rounded for column in table.columns)
    return (
        f'<div style="margin: 0 0 0 7.8px"><div style="{_BOX}"><table style="{_TABLE}">'
        f"<thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table></div></div>"
    ), is_all


def _rows_in_html(table: _Table) -> tuple[range, range]:
    total = table.row_count
    most = max(_FEW_ROWS, min(_HTML_ROWS, _HTML_CELLS // max(1, len(table.columns))))
    if total <= most:
        return range(table.gap_at), range(table.gap_at, total)
    head = most // _HEAD_SHARE
    newest = most - head
    if table.left_out:
        head = min(head, table.gap_at)
        newest = min(newest, total - table.gap_at)
    return range(head), range(total - newest, total)


def _cell(text: str, cell: Any, side: str) -> str:
    shown = text if len(text) <= _HTML_CELL_CHARS else f"{text[:_HTML_CELL_CHARS]}…"
    muted = f"; font-style: italic; {_MUTED}" if cell is None else ""
    return f'<td style="{_CELL}; text-align: {side}{muted}">{escape(shown)}</td>'
