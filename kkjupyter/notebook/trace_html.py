"""A sequence diagram as a table, for notebooks: saved, sanitised, and on sites that strip styles.

Inline styles only; no style, script or svg element. Without the styles it is a table with the heads
of the arrows under "notebook" and "server", which says the same.
"""

from __future__ import annotations

import html
from typing import Final

from kkjupyter.rpc.trace import Trace, TraceRow
from kkjupyter.rpc.trace_text import NOTHING, size_text, time_text

__all__ = ["ACCENT", "trace_html"]

ACCENT: Final = "var(--jp-brand-color1, #1976d2)"
_FAINT: Final = "var(--jp-ui-font-color2, inherit)"
_LINE: Final = "var(--jp-border-color1, #999)"

_UI_FONT: Final = "font-family: var(--jp-ui-font-family, system-ui, sans-serif); font-size: 12px"
_CODE_FONT: Final = "font-family: var(--jp-code-font-family, monospace); font-size: 12px"
_NUMBER: Final = (
    f"padding: 0 8px; text-align: right; vertical-align: bottom; white-space: nowrap; "
    f"color: {_FAINT}; font-variant-numeric: tabular-nums; line-height: 16px; border: 0"
)
_TIP: Final = (
    "padding: 0; width: 10px; vertical-align: bottom; line-height: 11px; font-size: 11px; border: 0"
)
_LABEL: Final = "padding: 2px 10px 0 10px; text-align: center; line-height: 18px"
_PAYLOAD: Final = (
    f"margin: 4px 8px; padding: 4px 8px; text-align: left; {_CODE_FONT}; line-height: 16px; "
    "max-height: 340px; max-width: 76ch; overflow: auto; white-space: pre-wrap; "
    "overflow-wrap: anywhere; background: var(--jp-layout-color2, transparent); "
    "color: var(--jp-content-font-color1, inherit)"
)


def trace_html(trace: Trace) -> str:
    """The diagram of a trace; what was kept of a frame opens below its arrow."""
    heading = html.escape(trace.heading)
    title = f'<div style="{_UI_FONT}; padding: 2px 8px; color: {_FAINT}">{heading}</div>'
    if not trace.rows:
        return f'<div class="kkj-trace">{title}<div>{NOTHING}</div></div>'
    rows = "".join([_row(row) for row in trace.rows])
    summary = html.escape(trace.summary)
    return (
        f'<div class="kkj-trace" style="overflow-x: auto">{title}'
        f'<table style="border-collapse: collapse; border: 0; margin: 2px 0; {_UI_FONT}">'
        f"<thead>{_HEAD}</thead><tbody>{rows}</tbody></table>"
        f'<div style="{_UI_FONT}; padding: 2px 8px; color: {_FAINT}">{summary}</div></div>'
    )


def _cell(style: str, content: str, tag: str = "td") -> str:
    return f'<{tag} style="{style}">{content}</{tag}>'


_ROW: Final = '<tr style="background: transparent; border: 0">'
_HEAD_CELL: Final = "padding: 2px 0; border: 0; font-weight: 600; line-height: 16px"
_HEAD: Final = (
    _ROW
    + _cell(f"{_HEAD_CELL}; padding: 2px 8px; text-align: right; color: {_FAINT}", "time", "th")
    + _cell(f"{_HEAD_CELL}; text-align: left", "notebook", "th")
    + _cell(f"{_HEAD_CELL}; min-width: 150px", "", "th")
    + _cell(f"{_HEAD_CELL}; text-align: right", "server", "th")
    + _cell(f"{_HEAD_CELL}; padding: 2px 8px; text-align: right; color: {_FAINT}", "size", "th")
    + "</tr>"
)


def _row(row: TraceRow) -> str:
    colour = f"color: {ACCENT}" if row.count > 1 else "color: inherit"
    left = "◀" if row.direction == "in" else ""
    right = "▶" if row.direction == "out" else ""
    return (
        _ROW
        + _cell(_NUMBER, time_text(row.t_s))
        + _cell(f"{_TIP}; {colour}; text-align: left; border-left: 1px solid {_LINE}", left)
        + _cell("padding: 0; border: 0; vertical-align: bottom", _label(row))
        + _cell(f"{_TIP}; {colour}; text-align: right; border-right: 1px solid {_LINE}", right)
        + _cell(_NUMBER, size_text(row.size_bytes))
        + "</tr>"
    )


def _label(row: TraceRow) -> str:
    line = f"{'2px' if row.count > 1 else '1px'} {'dashed' if row.direction == 'here' else 'solid'}"
    colour = ACCENT if row.count > 1 else "currentColor"
    style = f"{_LABEL}; border-bottom: {line} {colour}; margin-bottom: 5px"
    detail = f' <span style="color: {_FAINT}">{html.escape(row.detail)}</span>'
    words = f"<b>{html.escape(row.label)}</b>{detail if row.detail else ''}"
    if not row.payloads:
        return f'<div style="{style}">{words}</div>'
    mark = f' <span style="color: {_FAINT}">{{…}}</span>'
    payload = html.escape(row.payload_text).replace("\r", "&#13;")
    return (
        f'<details><summary style="{style}; list-style: none; cursor: pointer">{words}{mark}'
        f'</summary><pre style="{_PAYLOAD}">{payload}</pre></details>'
    )
