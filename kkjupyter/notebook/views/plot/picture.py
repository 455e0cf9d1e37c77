"""A plot as a PNG, for notebooks without live views.

Drawn by matplotlib, if it is installed, at twice the size and on no background: the colours stand
out on white and on black. Every artist is placed and styled here: nothing is taken from the
``rcParams`` of the user, which may hand the names of a peer to TeX.
"""

from __future__ import annotations

import io
import math
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from kkjupyter.notebook.views.plot.ticks import number_ticks, time_ticks

if TYPE_CHECKING:
    from kkjupyter.notebook.views.plot.fonts import Fonts

__all__ = ["COLOURS", "INK", "draw_plot"]

COLOURS = (
    *("#3b82c4", "#d97a1f", "#3a9d5d", "#c9504f", "#8a6fb5", "#93705c"),
    *("#c76fa0", "#2a9aa3", "#8f8f2b", "#7f7f7f", "#5b6fd0", "#b0653a"),
)
INK = "#767676"
_GRID = "#80808040"
_SCALE = 2
_DPI = 72 * _SCALE  # so that a point, in which lines and letters are measured, is a page pixel
_WIDTH, _HEIGHT = 720 * _SCALE, 260 * _SCALE
_FONT_PT = 11
_FONT_PX = _FONT_PT * _SCALE
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
    """A PNG of 1440 x 520 pixels, to be shown at half that size.

    Args:
        series: the lines; those without a single value are left out.
        is_time: x is seconds since 1970.
        x_label: what x is.

    Returns:
        None if matplotlib is not installed, or no font has the letters of a name.
    """
    try:
        from kkjupyter.notebook.views.plot.fonts import Fonts
    except ImportError:  # matplotlib is an extra
        return None
    fonts = Fonts(_FONT_PT, _DPI)
    if not all(map(fonts.can_draw, (x_label, *(line.name[:_NAME_CHARS] for line in series)))):
        return None
    canvas = _Canvas(fonts)
    drawn = [
        (n, line) for n, line in enumerate(series) if any(y is not None for _, y in line.points)
    ]
    if drawn:
        _draw(canvas, drawn, is_time, x_label)
    return canvas.png()


class _Canvas:
    """Lines and words by their pixels, counted from the upper left corner."""

    def __init__(self, fonts: Fonts) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        size_inch = _WIDTH / _DPI, _HEIGHT / _DPI
        self._figure = Figure(figsize=size_inch, dpi=_DPI, facecolor="none", edgecolor="none")
        self._canvas: Any = FigureCanvasAgg(self._figure)
        self._fonts = fonts
        self.width_of: Callable[[str], float] = fonts.width_px

    def line(
        self, places: Sequence[tuple[float, float]], colour: str, width: float = 1.0, **style: Any
    ) -> None:
        from matplotlib.lines import Line2D
        from matplotlib.transforms import IdentityTransform

        self._figure.add_artist(
            Line2D(
                [x for x, _ in places],
                [_HEIGHT - y for _, y in places],
                transform=IdentityTransform(),
                **{"color": colour, "linewidth": width, "linestyle": "-", "marker": "", **style},
                solid_joinstyle="round",
                solid_capstyle="butt",
                antialiased=False,  # shown at half its size it is smooth, and takes an eighth
            )
        )

    def dot(self, x: float, y: float, colour: str) -> None:
        self.line([(x, y)], colour, marker="o", markersize=4, markeredgewidth=0)

    def words(self, x: float, y: float, text: str, across: str, up: str) -> None:
        from matplotlib.transforms import IdentityTransform

        self._figure.text(
            x,
            _HEIGHT - y,
            text,
            transform=IdentityTransform(),
            color=INK,
            font=self._fonts.font_for(text),
            horizontalalignment=across,
            verticalalignment=up,
            parse_math=False,
            usetex=False,
        )

    def png(self) -> bytes:
        out = io.BytesIO()
        self._canvas.print_png(out, metadata={"Software": None})
        return out.getvalue()


def _draw(
    canvas: _Canvas,
    series: Sequence[tuple[int, _Line]],
    is_time: bool,
    x_label: str,
) -> None:
    xs = [x for _, line in series for x, _ in line.points]
    ys = [y for _, line in series for _, y in line.points if y is not None]
    low_x, high_x = min(xs), max(xs)
    low_y, high_y = _with_margin(min(ys), max(ys))
    y_ticks = number_ticks(low_y, high_y, _Y_TICKS)
    left = _GAP + max(math.ceil(canvas.width_of(text)) for _, text in y_ticks) + _GAP
    right = _WIDTH - 4 * _GAP
    has_legend = any(line.name for _, line in series)
    named = [(line.name, _last(line)) for _, line in series] if has_legend else []
    legend = _legend(named, canvas.width_of, left, right)
    top = max((y for _, y, _ in legend), default=0) + _FONT_PX / 2 + 2 * _GAP
    bottom = _HEIGHT - _FONT_PX - 3 * _GAP

    def at(x: float, y: float) -> tuple[float, float]:
        across, up = _share(x, low_x, high_x), _share(y, low_y, high_y)
        return left + across * (right - left), bottom - up * (bottom - top)

    for value, text in y_ticks:
        _, y = at(low_x, value)
        canvas.line([(left, y), (right, y)], _GRID)
        canvas.words(left - _GAP, y, text, "right", "center")
    ticks = time_ticks if is_time else number_ticks
    for value, text in ticks(low_x, high_x, _X_TICKS):
        x, _ = at(value, low_y)
        canvas.line([(x, bottom), (x, bottom + _GAP / 2)], INK)
        # The last one is not to reach over the edge.
        x = min(x, _WIDTH - canvas.width_of(text) / 2)
        canvas.words(x, bottom + _GAP, text, "center", "top")
    canvas.line([(left, bottom), (right, bottom)], INK)
    if x_label:
        canvas.words(right, bottom - _GAP / 2, x_label, "right", "bottom")
    for index, line in series:
        colour = COLOURS[index % len(COLOURS)]
        for run in _runs(line.points):
            places = [at(x, y) for x, y in run]
            if len(places) == 1:
                canvas.dot(*places[0], colour)
            else:
                canvas.line(places, colour, 2)
    for (index, _), (x, y, text) in zip(series, legend, strict=False):  # or there is no legend
        canvas.line([(x, y), (x + _KEY, y)], COLOURS[index % len(COLOURS)], 2)
        canvas.words(x + _KEY + _GAP, y, text, "left", "center")


def _last(line: _Line) -> str:
    """The last value of a line that has one."""
    return f"  {next(y for _, y in reversed(line.points) if y is not None):.6g}"


def _legend(
    named: Sequence[tuple[str, str]],
    width_of: Callable[[str], float],
    left: float,
    right: float,
) -> list[tuple[float, float, str]]:
    """The position of each line's key, and its name with a value after it.

    A name is shortened, so that both take at most a third of a row.
    """
    room = (right - left) / 3 - _KEY - 5 * _GAP
    places: list[tuple[float, float, str]] = []
    across, y = left, _GAP + _FONT_PX / 2
    for whole, value in named:
        name = whole[:_NAME_CHARS]  # measuring a text takes time
        while width_of(name + value) > room and len(name) > 1:
            name = f"{name[: len(name) * 9 // 10 - 1]}…"
        width = _KEY + _GAP + width_of(name + value)
        if across > left and across + width > right:
            across, y = left, y + _FONT_PX + _GAP
        places.append((across, y, name + value))
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
