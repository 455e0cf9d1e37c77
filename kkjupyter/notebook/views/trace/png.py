"""A sequence diagram as a picture, for readers without HTML: LaTeX, slides, mail."""

from __future__ import annotations

import io
from typing import Final

from PIL import Image, ImageDraw

from kkjupyter.notebook.views.fonts import Font, can_draw, font_for
from kkjupyter.traces.text import NOTHING, size_text, time_text
from kkjupyter.traces.trace import Trace, TraceRow

__all__ = ["SCALE", "trace_png"]

SCALE: Final = 2
"""So many points of the picture are one on the page, so that it is sharp on a fine screen."""

_INK: Final = (33, 33, 33)
_FAINT: Final = (97, 97, 97)
_RULE: Final = (158, 158, 158)
_ACCENT: Final = (21, 101, 192)

_FONT_PX: Final = 13
_ROW_PX: Final = 30
_MARGIN_PX: Final = 12
_TIME_PX: Final = 66
_SIZE_PX: Final = 74
_LEAST_LANE_PX: Final = 300
_MOST_LANE_PX: Final = 620
# A higher picture is of no use; the text has every row.
_ROWS: Final = 60
_LAST_ROWS: Final = 15

_MOST_CHARS: Final = 200
_NOT_IN_FONT: Final = {ord("×"): "x"}


def trace_png(trace: Trace) -> bytes | None:
    """The diagram of a trace, black on white with one colour for runs of frames; no payloads.

    None if no font has its letters.
    """
    texts = [trace.heading, trace.summary, *map(_words, _shown(trace.rows))]
    if not can_draw(*(text[:_MOST_CHARS].translate(_NOT_IN_FONT) for text in texts)):
        return None
    return _Drawing(trace).png()


class _Drawing:
    """Draws with sizes in page pixels; the picture is :data:`SCALE` times as large."""

    def __init__(self, trace: Trace) -> None:
        self._trace = trace
        self._rows = _shown(trace.rows)
        words = [_words(row)[:_MOST_CHARS] for row in self._rows]
        widest = max(map(self._width, words), default=0.0)
        lane = min(max(widest + 56, _LEAST_LANE_PX), _MOST_LANE_PX)
        self._left = _MARGIN_PX + _TIME_PX
        self._right = self._left + lane
        width = self._right + _SIZE_PX + _MARGIN_PX
        self._top = _MARGIN_PX + 50
        height = self._top + _ROW_PX * max(1, len(self._rows)) + 34
        size = round(width * SCALE), round(height * SCALE)
        self._image = Image.new("RGB", size, "white")
        self._draw = ImageDraw.Draw(self._image)

    def png(self) -> bytes:
        trace, top = self._trace, self._top
        edge = self._right + _SIZE_PX
        heading = self._shortened(trace.heading, edge - _MARGIN_PX)
        self._text(_MARGIN_PX, _MARGIN_PX + 7, heading, _INK, "lm")
        bottom = top + _ROW_PX * max(1, len(self._rows)) + 4
        for x, name in ((self._left, "notebook"), (self._right, "server")):
            self._text(x, top - 14, name, _INK, "mm")
            self._line(x, top - 4, x, bottom, _RULE)
        if not self._rows:
            middle = (self._left + self._right) / 2
            self._text(middle, top + _ROW_PX / 2, NOTHING, _FAINT, "mm")
        for index, row in enumerate(self._rows):
            self._row(row, top + index * _ROW_PX)
        self._text(_MARGIN_PX, bottom + 16, trace.summary, _FAINT, "lm")
        file = io.BytesIO()
        # Few colours: a palette takes a third of the bytes.
        self._image.quantize(32).save(file, "PNG", optimize=True)
        return file.getvalue()

    def _row(self, row: TraceRow, y: float) -> None:
        base = y + _ROW_PX - 7
        is_run = row.count > 1
        colour = _ACCENT if is_run else _INK
        self._text(self._left - 10, base, time_text(row.t_s), _FAINT, "rm")
        self._text(self._right + _SIZE_PX, base, size_text(row.size_bytes), _FAINT, "rm")
        left, right = self._left + 1, self._right - 1
        words = self._shortened(_words(row), right - left - 24)
        self._text((left + right) / 2, base - 9, words, colour, "mm")
        if row.direction == "here":
            for x in range(round(left) + 4, round(right) - 4, 8):
                self._line(x, base, x + 4, base, colour)
            return
        self._line(left, base, right, base, colour, 2 if is_run else 1)
        tip, back = (right, -9) if row.direction == "out" else (left, 9)
        corners = [(tip, base), (tip + back, base - 4.5), (tip + back, base + 4.5)]
        self._draw.polygon([(x * SCALE, y * SCALE) for x, y in corners], fill=colour)

    def _line(
        self,
        x1: float,
        y1: float,
        x2: float,
        y2: float,
        colour: tuple[int, int, int],
        width: int = 1,
    ) -> None:
        points = [round(x1 * SCALE), round(y1 * SCALE), round(x2 * SCALE), round(y2 * SCALE)]
        self._draw.line(points, fill=colour, width=width * SCALE)

    def _text(
        self, x: float, y: float, text: str, colour: tuple[int, int, int], anchor: str
    ) -> None:
        text = text.translate(_NOT_IN_FONT)
        self._draw.text((x * SCALE, y * SCALE), text, fill=colour, font=_font(text), anchor=anchor)

    def _width(self, text: str) -> float:
        return _font(text).getlength(text) / SCALE

    def _shortened(self, text: str, room: float) -> str:
        if len(text) <= _MOST_CHARS and self._width(text) <= room:
            return text
        text = text[:_MOST_CHARS]
        while text and self._width(f"{text}…") > room:
            text = text[:-1]
        return f"{text}…"


def _font(text: str) -> Font:
    size_px = _FONT_PX * SCALE
    return font_for(text, size_px) or font_for("", size_px)  # type: ignore[return-value]


def _words(row: TraceRow) -> str:
    return f"{row.label}   {row.detail}" if row.detail else row.label


def _shown(rows: tuple[TraceRow, ...]) -> list[TraceRow]:
    if len(rows) <= _ROWS:
        return [*rows]
    first, last = rows[: _ROWS - _LAST_ROWS - 1], rows[-_LAST_ROWS:]
    left_out = rows[len(first) : -_LAST_ROWS]
    gap = TraceRow(left_out[0].t_s, "here", "left out", detail=f"{len(left_out):,} rows")
    return [*first, gap, *last]
