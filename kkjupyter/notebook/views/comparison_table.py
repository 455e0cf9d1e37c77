"""The static output of a comparison: columns side by side, the figures below.

``labextension/src/view/comparison.ts`` draws the same on a page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.views.saved_form import (
    BOX,
    LINE,
    MIME_TYPE,
    NO_FORMULAS,
    TEXT,
    amount,
    duration,
    escape,
)
from kkjupyter.notebook.views.transcript import utf16_len

__all__ = ["columns_bundle", "figures"]

_HEADS = ("", "first item", "rate", "amount", "time")
_FONT = "var(--jp-ui-font-family, system-ui, sans-serif)"
_TITLE = (
    f"padding: 4px 0 0 7.8px; font-family: {_FONT}; font-size: 13px; font-weight: 600; "
    "line-height: 20px; color: var(--jp-ui-font-color1, inherit); overflow-wrap: anywhere"
)
_COLUMN = (
    "flex: 1 1 280px; box-sizing: border-box; min-width: 0; "
    "border-top: 1px solid var(--jp-border-color2, #e0e0e0)"
)
_FIGURES = (
    f"margin: 8px 0 4px 7.8px; border-collapse: collapse; font-family: {_FONT}; font-size: 12px; "
    "line-height: 20px; color: var(--jp-ui-font-color1, inherit)"
)


def figures(status: Status) -> list[str]:
    """Time to the first item, how much came in each second after it, how much, and total time."""
    first, count, elapsed_s = status.first_item_s, status.count, status.elapsed_s
    rate = 0.0
    if first is not None and count > 1 and elapsed_s > first:
        whole = count if status.written is None else status.written
        rate = whole * (count - 1) / count / (elapsed_s - first)
    return [
        "–" if first is None else duration(first),
        _per_second(rate) if rate else "–",
        amount(status),
        duration(elapsed_s),
    ]


def columns_bundle(
    bundles: Mapping[str, dict[str, Any]], statuses: Mapping[str, Status]
) -> dict[str, Any]:
    """The static output of a comparison, made from those of its columns.

    Args:
        bundles: the output of each column, by name.
        statuses: the final status of each run, by name.
    """
    rows = [[name, *figures(status)] for name, status in statuses.items()]
    plain, places = _plain(bundles, rows)
    return {
        MIME_TYPE: {
            "view": "compare",
            "pane": "compare",
            "columns": [
                {"name": name, "at": place, **bundle.get(MIME_TYPE, {})}
                for place, (name, bundle) in zip(places, bundles.items(), strict=True)
            ],
        },
        "text/html": _html(bundles, rows),
        "text/plain": plain,
    }


def _html(bundles: Mapping[str, dict[str, Any]], rows: Sequence[Sequence[str]]) -> str:
    columns = "".join(
        [
            f'<div style="{_COLUMN}"><div class="{NO_FORMULAS}" style="{_TITLE}">{escape(name)}'
            f"</div>{_html_of(bundle)}</div>"
            for name, bundle in bundles.items()
        ]
    )
    grid = f'<div style="display: flex; flex-wrap: wrap; gap: 8px 16px">{columns}</div>'
    lines = "".join(
        [_table_row(row, is_head=index == 0) for index, row in enumerate([_HEADS, *rows])]
    )
    table = f'<table class="{NO_FORMULAS}" style="{_FIGURES}">{lines}</table>'
    total = f'<div style="{LINE}">{len(bundles)} streams</div>'
    return f"<div>{total}{grid}{table}</div>"


def _html_of(bundle: Mapping[str, Any]) -> str:
    # A user's own view may have only text.
    plain = escape(bundle.get("text/plain", ""))
    text = f'<div style="{BOX}"><pre style="{TEXT}">\n{plain}</pre></div>'
    return str(bundle.get("text/html") or text)


def _table_row(row: Sequence[str], *, is_head: bool) -> str:
    cells = []
    for index, text in enumerate(row):
        tag = "th" if is_head or index == 0 else "td"
        style = "font-weight: normal; padding: 0 1.5em 0 0; line-height: 20px; text-align: "
        style += "left; white-space: nowrap" if index == 0 else "right; min-width: 9ch"
        if tag == "th":
            style += "; color: var(--jp-ui-font-color2, inherit)"
        cells.append(f'<{tag} style="{style}">{escape(text)}</{tag}>')
    return f'<tr style="background: none">{"".join(cells)}</tr>'


def _plain(
    bundles: Mapping[str, dict[str, Any]], rows: Sequence[Sequence[str]]
) -> tuple[str, list[tuple[int, int]]]:
    """The text of all, and where that of each column stands in it, in UTF-16 units."""
    texts: list[str] = []
    places: list[tuple[int, int]] = []
    end = 0
    for name, bundle in bundles.items():
        head, text = f"── {name}\n", bundle.get("text/plain", "").rstrip()
        start = end + utf16_len(head)
        end = start + utf16_len(text)
        places.append((start, end))
        end += 2  # of this text, and between it and the next
        texts.append(f"{head}{text}\n")
    widths = [max(map(len, column)) for column in zip(_HEADS, *rows, strict=True)]
    lines = [
        "  ".join(
            [cell.ljust(width) if n == 0 else cell.rjust(width)
             for n, (cell, width) in enumerate(zip(row, widths, strict=True))]
        ).rstrip()
        for row in [_HEADS, *rows]
    ]  # fmt: skip
    return "\n".join([*texts, *lines]), places


def _per_second(rate: float) -> str:
    """Two significant digits, like ``perSecond`` in the front end."""
    if rate < 9.95:
        return f"{rate:.1f}/s"
    step = 10 ** (len(str(int(rate))) - 2)
    return f"{round(rate / step) * step:,}/s"
