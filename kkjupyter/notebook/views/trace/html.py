"""A sequence diagram as a table, for saved notebooks, sanitisers, and sites that strip styles.

Inline styles only; no style, script or svg element. Without the styles it is a table with the heads
of the arrows under "notebook" and "server", which has the same information.
"""

from __future__ import annotations

import html
from typing import Final

from kkjupyter.notebook.views.saved_form import NO_FORMULAS
from kkjupyter.traces.trace import NOTHING, Trace, TraceRow, size_text, time_text

__all__ = ["ACCENT", "trace_html"]

ACCENT: Final = "var(--jp-brand-color1, #1976d2)"
_FAINT: Final = "var(--jp-ui-font-color2, inherit)"
_LINE: Final = "var(--jp-border-color1, #999)"

_UI_FONT: Final = "font-family: var(--jp-ui-font-family, system-ui, sans-serif); font-size: 12px"
_CODE_FONT: Final = "font-family: var(--jp-code-font-family, monospace); font-size: 12px"
# An arrow is drawn 20 px below the top of its row, even if its content is opened.
_NUMBER: Final = (
    f"padding: 12px 8px 0 8px; text-align: right; vertical-align: top; white-space: nowrap; "
    f"color: {_FAINT}; font-variant-numeric: tabular-nums; line-height: 16px; border: 0"
)
_SIDE: Final = "padding: 0; width: 9px; vertical-align: top; border: 0"
_TIP: Final = (
    "margin-top: 13px; width: 9px; height: 14px; line-height: 14px; font-size: 10px; "
    "overflow: hidden"
)
_LABEL: Final = (
    "padding: 2px 10px 0 10px; text-align: center; line-height: 18px; white-space: nowrap; "
    "overflow: hidden; text-overflow: ellipsis"
)
_PAYLOAD: Final = (
    f"margin: 4px 8px; padding: 4px 8px; text-align: left; {_CODE_FONT}; line-height: 16px; "
    "overflow: visible; white-space: pre-wrap; "
    "overflow-wrap: anywhere; background: var(--jp-layout-color2, transparent); "
    "color: var(--jp-content-font-color1, inherit)"
)


def trace_html(trace: Trace, *, is_open: bool = False) -> str:
    """The diagram of a trace; the content of a frame opens below its arrow.

    Args:
        trace: what went over the wire.
        is_open: whether the content is open at first, as it must be on paper.
    """
    heading = html.escape(trace.heading)
    title = f'<div style="{_UI_FONT}; padding: 2px 8px; color: {_FAINT}">{heading}</div>'
    if not trace.rows:
        return f'<div class="kkj-trace {NO_FORMULAS}">{title}<div>{NOTHING}</div></div>'
    rows = "".join([_row(row, is_open) for row in trace.rows])
    summary = html.escape(trace.summary)
    return (
        f'<div class="kkj-trace {NO_FORMULAS}">{title}<div style="overflow-x: auto">'
        f'<table style="border-collapse: collapse; border: 0; margin: 2px 0; table-layout: fixed; '
        f'width: 640px; max-width: 100%; min-width: 300px; {_UI_FONT}">'
        f'<thead style="border: 0">{_HEAD}</thead><tbody>{rows}</tbody></table></div>'
        f'<div style="{_UI_FONT}; padding: 2px 8px; color: {_FAINT}">{summary}</div></div>'
    )


def _cell(style: str, content: str, tag: str = "td") -> str:
    return f'<{tag} style="{style}">{content}</{tag}>'


_ROW: Final = '<tr style="background: transparent; border: 0">'
_HEAD_CELL: Final = "padding: 2px 0; border: 0; font-weight: 600; line-height: 16px"
_HEAD_SIDE: Final = f"{_HEAD_CELL}; width: 9px"
_HEAD_NUMBER: Final = (
    f"{_HEAD_CELL}; width: 52px; padding: 2px 8px; text-align: right; color: {_FAINT}"
)
_HEAD: Final = (
    _ROW
    + _cell(_HEAD_NUMBER, "time", "th")
    + _cell(_HEAD_SIDE, "", "th")
    + _cell(
        f"{_HEAD_CELL}; text-align: center",
        '<span style="float: left">notebook</span>'
        f' <span style="color: {_FAINT}; font-weight: 400">⟷</span> '
        '<span style="float: right">server</span>',
        "th",
    )
    + _cell(_HEAD_SIDE, "", "th")
    + _cell(_HEAD_NUMBER, "size", "th")
    + "</tr>"
)


def _row(row: TraceRow, is_open: bool) -> str:
    left = _side(row, "◀" if row.direction == "in" else "")
    right = _side(row, "▶" if row.direction == "out" else "")
    return (
        _ROW
        + _cell(_NUMBER, _unbroken(time_text(row.t_s)))
        + _cell(f"{_SIDE}; border-left: 1px solid {_LINE}", left)
        + _cell("padding: 0; border: 0; vertical-align: top", _label(row, is_open))
        + _cell(f"{_SIDE}; border-right: 1px solid {_LINE}", right)
        + _cell(_NUMBER, _unbroken(size_text(row.size_bytes)))
        + "</tr>"
    )


def _unbroken(number: str) -> str:
    return number.replace(" ", "\N{NO-BREAK SPACE}")


def _side(row: TraceRow, tip: str) -> str:
    """The end of an arrow: its tip, or the line as far as the lifeline."""
    if tip:
        colour = ACCENT if row.count > 1 else "inherit"
        return f'<div style="{_TIP}; color: {colour}">{tip}</div>'
    return f'<div style="height: 20px; {_line(row)}"></div>'


def _line(row: TraceRow) -> str:
    width = "2px" if row.count > 1 else "1px"
    kind = "dashed" if row.direction == "here" else "solid"
    colour = ACCENT if row.count > 1 else "currentColor"
    return f"border-bottom: {width} {kind} {colour}; margin-bottom: 6px"


def _label(row: TraceRow, is_open: bool) -> str:
    style = f"{_LABEL}; {_line(row)}"
    detail = f' <span style="color: {_FAINT}">{html.escape(row.detail)}</span>'
    words = f"<b>{html.escape(row.label)}</b>{detail if row.detail else ''}"
    if not row.payloads:
        return f'<div style="{style}">{words}</div>'
    mark = f' <span style="color: {_FAINT}">{{…}}</span>'
    payload = html.escape(row.payload_text).replace("\r", "&#13;")
    style = f"{style}; list-style: none; cursor: pointer"
    return (
        f'<details{" open" if is_open else ""}><summary style="{style}">{words}{mark}'
        f'</summary><pre style="{_PAYLOAD}">{payload}</pre></details>'
    )
