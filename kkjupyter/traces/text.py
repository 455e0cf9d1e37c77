"""A sequence diagram in characters, as a terminal and ``text/plain`` show it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kkjupyter.traces.trace import Trace, TraceRow

__all__ = ["NOTHING", "diagram", "size_text", "time_text"]

NOTHING: Final = "(nothing has gone over the wire)"

_TIME_CHARS: Final = 8
_SIZE_CHARS: Final = 9
_LEAST_ARROW_CHARS: Final = 34
# Of what one row holds, so much is shown.
_FIRST_LINES: Final = 8
_LAST_LINES: Final = 3


def diagram(trace: Trace, *, payloads: bool = True, width_chars: int = 80) -> str:
    """The frames of a call, one line for each row.

    Args:
        trace: what is drawn.
        payloads: whether what was kept of the frames stands below each.
        width_chars: how wide it may be; no narrower than what makes an arrow.
    """
    rows = trace.rows
    lines = [trace.heading]
    if not rows:
        return "\n".join([*lines, NOTHING])
    # time, bar, arrow, bar, size: the arrow takes what is left, and no more than it needs.
    longest = max(len(_label(row)) for row in rows) + 8
    room = width_chars - _TIME_CHARS - _SIZE_CHARS - 6
    arrow_chars = max(_LEAST_ARROW_CHARS, min(longest, room))
    inner = arrow_chars + 2
    head = f"{'time':>{_TIME_CHARS}}  {'notebook':<{inner - 4}}{'server':>6}"
    lines.append(f"{head}  {'size':>{_SIZE_CHARS - 2}}")
    for row in rows:
        time = time_text(row.t_s)
        lines.append(
            f"{time:>{_TIME_CHARS}}  │{_arrow(row, arrow_chars)}│"
            f"{size_text(row.size_bytes):>{_SIZE_CHARS}}".rstrip()
        )
        if payloads and row.payloads:
            lines += _payload_lines(row, width_chars)
    return "\n".join([*lines, f"{'':>{_TIME_CHARS}}  {trace.summary}"])


def _label(row: TraceRow) -> str:
    return f"{row.label}  {row.detail}" if row.detail else row.label


def _arrow(row: TraceRow, arrow_chars: int) -> str:
    label = _label(row)
    room = arrow_chars - 6
    if len(label) > room:
        label = label[: room - 1] + "…"
    line = f" {label} "
    if row.direction == "here":
        return line.center(arrow_chars, "·")
    body = line.center(arrow_chars - 1, "─")
    return f"{body}►" if row.direction == "out" else f"◄{body}"


def _payload_lines(row: TraceRow, width_chars: int) -> list[str]:
    indent = " " * (_TIME_CHARS + 4)
    lines: list[str] = []
    for line in row.payload_text.split("\n"):
        lines += textwrap.wrap(
            line,
            width_chars,
            initial_indent=indent,
            subsequent_indent=indent,
            drop_whitespace=False,
            replace_whitespace=False,
            expand_tabs=False,
            break_on_hyphens=False,
        ) or [""]
    if len(lines) > _FIRST_LINES + _LAST_LINES + 1:
        left_out = len(lines) - _FIRST_LINES - _LAST_LINES
        gap = f"{indent}… {left_out:,} more lines …"
        lines = [*lines[:_FIRST_LINES], gap, *lines[-_LAST_LINES:]]
    return [line.rstrip() for line in lines]


def size_text(size_bytes: int) -> str:
    """``"86 B"``, ``"28.1 kB"``, ``"3.2 MB"``; empty for none."""
    if not size_bytes:
        return ""
    if size_bytes < 1000:
        return f"{size_bytes} B"
    unit, number = ("kB", size_bytes / 1e3) if size_bytes < 999_500 else ("MB", size_bytes / 1e6)
    return f"{number:.1f} {unit}" if number < 99.95 else f"{number:,.0f} {unit}"


def time_text(t_s: float) -> str:
    """``"0.4 ms"``, ``"12 ms"``, ``"1.25 s"``, ``"125 s"``: what is readable of a moment."""
    if t_s < 0.00995:
        return f"{t_s * 1000:.1f} ms"
    if t_s < 0.9995:
        return f"{t_s * 1000:.0f} ms"
    return f"{t_s:.2f} s" if t_s < 99.995 else f"{t_s:,.0f} s"
