"""A plot as a PNG, for notebooks without live views.

Drawn by Pillow at twice the size, without a background: the colours are visible on white and on
black.
"""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from PIL import Image, ImageDraw

from kkjupyter.notebook.views.fonts import Font, can_draw, font_for
from kkjupyter.notebook.views.plot.ticks import number_ticks, time_ticks

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw as Draw

__all__ = ["COLOURS", "draw_plot"]

COLOURS = (
    *("#3b82c4", "#d97a1f", "#3a9d5d", "#c9504f", "#8a6fb5", "#93705c"),
    *("#c76fa0", "#2a9aa3", "#8f8f2b", "#7f7f7f", "#5b6fd0", "#b0653a"),
)
_INK = "#767676"
_GRID = "#80808040"
_SCALE = 2
_WIDTH, _HEIGHT = 720 * _SCALE, 260 * _SCALE
_FONT_PX = 11 * _SCALE
_GAP = 6 * _SCALE
_KEY = 3 * _GAP
_NAME_CHARS = 200
_X_TICKS, _Y_TICKS = 7, 5


class _Line(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def points(self) -> Sequence[tuple[float, float | None]]: ...


def draw_plot(series: Sequence[_Line], *, is_time: bool = False, x_label: str = "") -> bytes | None:
    """A PNG of 1440 x 520 pixels, to be shown at half that size; None if no font has its letters.

    Args:
        series: the lines; empty ones are left out.
        is_time: whether x is seconds since 1970.
        x_label: the label of the x axis.
    """
    if not can_draw(x_label, *(line.name[:_NAME_CHARS] for line in series)):
        return None
    image = Image.new("RGBA", (_WIDTH, _HEIGHT), (255, 255, 255, 0))
    draw = ImageDraw.Draw(image)
    drawn = [
        (n, line) for n, line in enumerate(series) if any(y is not None for _, y in line.points)
    ]
    if drawn:
        _draw(draw, drawn, is_time, x_label)
    out = io.BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _draw(
    draw: Draw,
    series: Sequence[tuple[int, _Line]],
    is_time: bool,
    x_label: str,
) -> None:
    xs = [x for _, line in series for x, _ in line.points]
    ys = [y for _, line in series for _, y in line.points if y is not None]
    low_x, high_x = min(xs), max(xs)
    low_y, high_y = _with_margin(min(ys), max(ys))
    y_ticks = number_ticks(low_y, high_y, _Y_TICKS)
    left = _GAP + max(math.ceil(_width(draw, text)) for _, text in y_ticks) + _GAP
    right = _WIDTH - 4 * _GAP
    has_legend = any(line.name for _, line in series)
    names = [line.name for _, line in series] if has_legend else []
    legend = _legend(names, lambda text: _width(draw, text), left, right)
    top = max((y for _, y, _ in legend), default=0) + _FONT_PX / 2 + 2 * _GAP
    bottom = _HEIGHT - _FONT_PX - 3 * _GAP

    def at(x: float, y: float) -> tuple[float, float]:
        across, up = _share(x, low_x, high_x), _share(y, low_y, high_y)
        return left + across * (right - left), bottom - up * (bottom - top)

    for value, text in y_ticks:
        _, y = at(low_x, value)
        draw.line([(left, y), (right, y)], fill=_GRID, width=_SCALE)
        draw.text((left - _GAP, y), text, fill=_INK, font=_font(text), anchor="rm")
    ticks = time_ticks if is_time else number_ticks
    for value, text in ticks(low_x, high_x, _X_TICKS):
        x, _ = at(value, low_y)
        draw.line([(x, bottom), (x, bottom + _GAP / 2)], fill=_INK, width=_SCALE)
        # The last one must not extend over the edge.
        x = min(x, _WIDTH - _width(draw, text) / 2)
        draw.text((x, bottom + _GAP), text, fill=_INK, font=_font(text), anchor="mt")
    draw.line([(left, bottom), (right, bottom)], fill=_INK, width=_SCALE)
    if x_label:
        draw.text((right, bottom - _GAP / 2), x_label, fill=_INK, font=_font(x_label), anchor="rb")
    for index, line in series:
        colour = COLOURS[index % len(COLOURS)]
        for run in _runs(line.points):
            places = [at(x, y) for x, y in run]
            if len(places) == 1:
                (x, y), r = places[0], 2 * _SCALE
                draw.ellipse([x - r, y - r, x + r, y + r], fill=colour)
            else:
                draw.line(places, fill=colour, width=2 * _SCALE, joint="curve")
    for (index, _), (x, y, text) in zip(series, legend, strict=False):  # or there is no legend
        colour = COLOURS[index % len(COLOURS)]
        draw.line([(x, y), (x + _KEY, y)], fill=colour, width=2 * _SCALE)
        draw.text((x + _KEY + _GAP, y), text, fill=_INK, font=_font(text), anchor="lm")


def _font(text: str) -> Font:
    return font_for(text, _FONT_PX) or font_for("", _FONT_PX)  # type: ignore[return-value]


def _width(draw: Draw, text: str) -> float:
    return draw.textlength(text, _font(text))


def _legend(
    names: Sequence[str], width_of: Callable[[str], float], left: float, right: float
) -> list[tuple[float, float, str]]:
    """The position of each line's key, and its name, shortened to a third of a row."""
    room = (right - left) / 3 - _KEY - 5 * _GAP
    places: list[tuple[float, float, str]] = []
    across, y = left, _GAP + _FONT_PX / 2
    for name in names:
        text = name[:_NAME_CHARS]  # measuring a text takes time
        while width_of(text) > room:
            text = f"{text[: len(text) * 9 // 10 - 1]}…"
        width = _KEY + _GAP + width_of(text)
        if across > left and across + width > right:
            across, y = left, y + _FONT_PX + _GAP
        places.append((across, y, text))
        across += width + 4 * _GAP
    return places


def _share(value: float, low: float, high: float) -> float:
    """The position of ``value`` between ``low`` and ``high``; halved, to stay within floats."""
    span = high / 2 - low / 2
    return (value / 2 - low / 2) / span if span > 0 else 0.5


def _with_margin(low: float, high: float) -> tuple[float, float]:
    margin = abs(low) / 10 or 1.0 if low == high else high / 20 - low / 20
    return max(low - margin, -sys.float_info.max), min(high + margin, sys.float_info.max)


def _runs(points: Sequence[tuple[float, float | None]]) -> list[list[tuple[float, float]]]:
    """The stretches without a gap."""
    runs: list[list[tuple[float, float]]] = [[]]
    for x, y in points:
        if y is None:
            runs.append([])
        else:
            runs[-1].append((x, y))
    return [run for run in runs if run]
