"""What went over the wire for one call: rows, the same for every protocol, and their diagram.

Everything that is shown of a trace is drawn from these rows. They are copies: a call that goes on
does not change a trace that was taken. The diagram is in characters, as a terminal and
``text/plain`` show it.
"""

from __future__ import annotations

import dataclasses
import textwrap
from typing import Any, Final, Literal

__all__ = ["NOTHING", "Direction", "Trace", "TraceRow", "diagram", "size_text", "time_text"]

NOTHING: Final = "(nothing has gone over the wire)"

_TIME_CHARS: Final = 8
_SIZE_CHARS: Final = 9
_LEAST_ARROW_CHARS: Final = 34
# Of what one row holds, so much is shown.
_FIRST_LINES: Final = 8
_LAST_LINES: Final = 3

Direction = Literal["out", "in", "here"]
"""From us to the server, from the server to us, or something that happened without a frame."""


@dataclasses.dataclass(frozen=True, slots=True)
class TraceRow:
    """One frame, or a run of frames of one kind.

    Attributes:
        t_s: when, in seconds since the request.
        direction: see :data:`Direction`.
        kind: ``"request"``, ``"response"``, ``"response (stream)"``, ``"chunk"``, ``"line"``,
            ``"credit"``, ``"end"``, ``"error"``, ``"cancel"``, ``"acknowledgement"``, ``"throw"``,
            ``"callback"``, ``"release"``, ``"abort"``, ``"lost"`` or ``"left out"``.
        count: how many frames these are.
        size_bytes: their size together; 0 where nothing was counted.
        detail: the method, the credit granted, the name of an error, the HTTP status.
        until_s: when the last of them was, as ``t_s``.
        payloads: the frames as text, shortened; of a long run the first and the last. None where
            they were not kept.
    """

    t_s: float
    direction: Direction
    kind: str
    count: int = 1
    size_bytes: int = 0
    detail: str = ""
    until_s: float = 0.0
    payloads: tuple[str, ...] | None = None

    @property
    def label(self) -> str:
        """``"request"``, ``"chunk × 412"``."""
        return self.kind if self.count == 1 else f"{self.kind} × {self.count:,}"

    @property
    def payload_text(self) -> str:
        """What to read of it; empty where nothing was kept."""
        return "\n".join(self.payloads or ())

    def to_json(self) -> dict[str, Any]:
        """The row as a front end draws it, without the payload."""
        return {
            "time": time_text(self.t_s),
            "direction": self.direction,
            "label": self.label,
            "detail": self.detail,
            "size": size_text(self.size_bytes),
            "run": self.count > 1,
        }


@dataclasses.dataclass(frozen=True)
class Trace:
    """What went over the wire for one call. Its repr is a sequence diagram.

    Attributes:
        number: of the call, as ``%rpc status`` has it.
        title: the call as written, shortened.
        url: where to, without secrets.
        wire: what is spoken: ``"compact, superjson"``, ``"vovk, jsonlines"``.
        rows: in the order in which the frames went and came.
        is_over: whether nothing more is expected.
        has_payloads: whether what the frames hold was kept.
    """

    number: int
    title: str
    url: str
    wire: str
    rows: tuple[TraceRow, ...]
    is_over: bool
    has_payloads: bool

    @property
    def heading(self) -> str:
        """What the diagram is of, in one line."""
        more = "" if self.is_over else " · still running"
        return f"{self.title} · {self.wire} · {self.url}{more}"

    @property
    def frames_out(self) -> int:
        """How many frames went to the server."""
        return sum(row.count for row in self.rows if row.direction == "out")

    @property
    def frames_in(self) -> int:
        """How many came from it."""
        return sum(row.count for row in self.rows if row.direction == "in")

    @property
    def summary(self) -> str:
        """``"3 frames out (212 B), 414 in (28.1 kB), 0.41 s"``."""
        rows = self.rows
        out = size_text(sum(row.size_bytes for row in rows if row.direction == "out"))
        into = size_text(sum(row.size_bytes for row in rows if row.direction == "in"))
        frames = "frame" if self.frames_out == 1 else "frames"
        length_s = max((row.until_s for row in rows), default=0.0)
        return (
            f"{self.frames_out:,} {frames} out ({out or '0 B'}), "
            f"{self.frames_in:,} in ({into or '0 B'}), {time_text(length_s)}"
        )

    @property
    def text(self) -> str:
        """The sequence diagram in characters."""
        return diagram(self)

    def __repr__(self) -> str:
        return self.text


# ---- a sequence diagram in characters, as a terminal and ``text/plain`` show it


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
