"""The plot view: numbers as lines that grow."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

from kkjupyter.notebook.safe_text import whole
from kkjupyter.notebook.views.base import PARTS, RETAINED_BYTES, SAVED_BYTES, View
from kkjupyter.notebook.views.foreign import finite_number, parts_of
from kkjupyter.notebook.views.plot.sparkline import sparkline
from kkjupyter.notebook.views.plot.thinning import Thinner, thinned
from kkjupyter.notebook.views.saved_form import BOX, Body, escape, with_html
from kkjupyter.notebook.views.saved_size import ONLY_TEXT, file_bytes
from kkjupyter.notebook.views.table.cell_json import name_of
from kkjupyter.notebook.views.transcript import Excerpt

__all__ = ["PlotView", "Series", "read_source"]

_X_NAMES = frozenset(
    {"x", "t", "time", "timestamp", "date", "step", "epoch", "second", "minute", "index"}
)
_MAX_SERIES = 12
_MOST_FIELDS = 10_000
_SAVED_POINTS = 4_000
_LEAST_POINTS = 100
_SPARKS = 60
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_COUNTED = object()  # the x of an item that has none


class PlotView(View):
    """Draws numbers, ``(x, y)`` pairs, or dicts and dataclasses of numbers, one line for each
    field.

    A field called ``x``, ``t``, ``time``, ``step`` or similar is the x axis; without one, items are
    numbered. Datetimes may be x. Fields that are not numbers are left out. A note counts items
    without any number, or without an x if the others have one.

    Up to 100,000 points are sent; beyond that, the lowest and highest of each group of neighbours,
    so that the outline stays true and a million points cost a few megabytes. All items are in
    ``reply.items``.

    Args:
        last: how many of the newest points to draw, until the reader asks for all.
        x: the field for the x axis.
        retained_bytes: see :class:`View`.
        saved_bytes: see :class:`View`; the notebook file always gets some thousand points.
    """

    name = "plot"
    terminal = "json"
    pane = "plot"
    part = PARTS / "plot.js"

    def __init__(
        self,
        *,
        last: int | None = None,
        x: str | None = None,
        retained_bytes: int = RETAINED_BYTES,
        saved_bytes: int = SAVED_BYTES,
    ) -> None:
        super().__init__(retained_bytes=retained_bytes, saved_bytes=saved_bytes)
        self._last = last
        self._x_name = x
        self._is_time = False
        self._has_xs = False
        self._names: list[str] = []
        self._known: set[str] = set()
        self._count = 0
        self._skipped = 0
        self._thinner = Thinner()

    def render(self, items: Sequence[Any]) -> str:
        """A line of JSON for each point, and one for each change of the header."""
        lines: list[str] = []
        skipped = self._skipped
        for item in items:
            was_time = self._is_time
            point = self._point(item)
            if point is None:
                self._skipped += 1
                continue
            x, values = point
            if not values.keys() <= self._known and len(self._names) < _MAX_SERIES:
                lines += map(_line, self._thinner.flush())
                self._name_more(values)
                lines.append(self._header())
            elif self._is_time != was_time:
                lines.append(self._header())
            row = [x, *map(values.get, self._names)]
            lines += map(_line, self._thinner.feed(row))
        if self._skipped != skipped:
            lines.append(_line({"skipped": self._skipped}))
        return "".join([f"{line}\n" for line in lines])

    def flush(self) -> str:
        """The points that were still being thinned."""
        return "".join([f"{_line(row)}\n" for row in self._thinner.flush()])

    def saved(self) -> Excerpt:
        """The source for a reloaded page: if it is long, fewer points with the same outline."""
        excerpt = self.transcript.excerpt()
        size_bytes = len(excerpt.text)
        if size_bytes <= self.saved_bytes:
            return excerpt
        header, points = read_source(excerpt.text)
        fewer = thinned(points, int(0.9 * self.saved_bytes * len(points) / size_bytes))
        source = "".join([f"{_line(line)}\n" for line in [header, *fewer]])
        return replace(excerpt, text=source)

    def fitting(self, *, needs_html: bool = True) -> tuple[Excerpt, Body]:
        """The picture is made from all points, however few of them are saved."""
        excerpt = self.transcript.excerpt()
        limit_points = _SAVED_POINTS
        body = self._drawn(excerpt, limit_points)
        while file_bytes(body) > self.saved_bytes and limit_points > _LEAST_POINTS:
            limit_points //= 2
            body = self._drawn(excerpt, limit_points)
        if file_bytes(body) > self.saved_bytes:
            body = replace(body, html="", data={}, others={}, notes=(*body.notes, ONLY_TEXT))
            body = with_html(body) if needs_html else body
        return excerpt, body

    def body(self, excerpt: Excerpt) -> Body:
        """A picture, a summary of its numbers, and the reduced points."""
        return self._drawn(excerpt, _SAVED_POINTS)

    def _drawn(self, excerpt: Excerpt, limit_points: int) -> Body:
        header, points = read_source(excerpt.text)
        rows = thinned(points, limit_points)
        notes = _notes(header, excerpt)
        if not rows:
            return Body(html="", plain="", notes=notes)
        from kkjupyter.notebook.views.plot.picture import draw_plot

        series = _series(header, rows)
        png = draw_plot(series, is_time=header["time"], x_label=header["x"] or "")
        plain = "".join([f"{one.summary()}\n" for one in series])
        source = "".join([f"{_line(line)}\n" for line in [header, *rows]])
        if png is None:  # no matplotlib, or no font with the letters of the names
            return with_html(Body("", plain, notes=notes, data={"source": source}))
        encoded = base64.b64encode(png).decode("ascii")
        picture = (
            f'<div style="{BOX}"><img alt="{escape(plain)}" '
            'style="width: 720px; max-width: 100%" '
            f'src="data:image/png;base64,{encoded}"></div>'
        )
        return Body(
            html=picture,
            plain=plain,
            notes=notes,
            data={"source": source},
            others={"image/png": encoded},
        )

    def _name_more(self, values: Mapping[str, float]) -> None:
        new = [name for name in values if name not in self._known]
        self._names = [*self._names, *new][:_MAX_SERIES]
        self._known = set(self._names)

    def _header(self) -> str:
        x = None if self._x_name is None else _one_line(self._x_name)
        header = {"x": x, "time": self._is_time, "series": [*map(_one_line, self._names)]}
        return _line({**header, **({} if self._last is None else {"last": self._last})})

    def _point(self, item: Any) -> tuple[float | None, Mapping[str, float]] | None:
        """The x of an item and its numbers by name; None if it has none."""
        if type(item) is float or type(item) is int:  # the most common and fastest case
            x, fields, is_time = _COUNTED, {"": item}, False
        else:
            try:
                x, fields = self._fields(item)
                x = _moment(x)
                is_time = isinstance(x, date)
                x = _seconds(x) if is_time else x
            except Exception:  # noqa: BLE001 - the item's own code
                return None
        numbers = {
            name: number
            for name, value in fields.items()
            if (number := finite_number(value)) is not None
        }
        if not numbers:
            return None
        at = finite_number(x)
        if at is None and (self._has_xs or x is None or type(x) is float):
            return None  # numbering it would put it far from the others
        self._has_xs = self._has_xs or at is not None
        self._is_time = self._is_time or is_time
        self._count += 1
        return (self._count - 1 if at is None else at), numbers

    def _fields(self, item: Any) -> tuple[Any, dict[str, Any]]:
        """The x of an item, and its other fields, by name."""
        match item:
            case Mapping():
                pairs = parts_of(item, _MOST_FIELDS, is_mapping=True)
                return self._of_fields({name_of(name): value for name, value in pairs})
            case list() | tuple() if len(item) >= 2:
                names = [""] if len(item) == 2 else [f"y{n}" for n in range(1, len(item))]
                return item[0], dict(zip(names, item[1:], strict=True))
            case _ if is_dataclass(item) and not isinstance(item, type):
                return self._of_fields({f.name: getattr(item, f.name) for f in fields(item)})
            case _:
                return _COUNTED, {"": item}

    def _of_fields(self, item: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        if self._x_name is None and not self._names:
            self._x_name = next((name for name in item if name.lower() in _X_NAMES), None)
        values = {name: value for name, value in item.items() if name != self._x_name}
        return (_COUNTED if self._x_name is None else item.get(self._x_name)), values


class Series:
    """One line of a plot.

    Args:
        name: its name; ``""`` if it is the only one.
        points: (x, y) pairs; y is None at a gap.
    """

    def __init__(self, name: str, points: Sequence[tuple[float, float | None]]) -> None:
        self.name = name
        self.points = points

    @property
    def values(self) -> list[float]:
        """The y values that are numbers."""
        return [y for _, y in self.points if y is not None]

    def summary(self) -> str:
        """Its course, minimum, maximum and last value in one line of text."""
        values = self.values
        name = f"{self.name}: " if self.name else ""
        if not values:
            return f"{name}no values"
        extremes = f"min {min(values):g}, max {max(values):g}, last {values[-1]:g}"
        return f"{name}{sparkline(values, _SPARKS)}  {extremes}"


def read_source(source: str) -> tuple[dict[str, Any], list[list[Any]]]:
    """The header and the points of a plot's source; lines that are cut or left out are skipped."""
    header: dict[str, Any] = {"x": None, "time": False, "series": []}
    rows: list[list[Any]] = []
    for line in _json_lines(source):
        if isinstance(line, dict):
            header.update(line)
        elif isinstance(line, list) and line:
            rows.append(line)
    return header, rows


def _json_lines(source: str) -> Iterator[Any]:
    for line in source.split("\n"):
        try:
            yield json.loads(line)
        except ValueError:  # the place where the middle of a long source was left out
            continue


def _series(header: Mapping[str, Any], rows: Sequence[Sequence[Any]]) -> list[Series]:
    return [
        Series(name, [(row[0], row[index] if index < len(row) else None) for row in rows])
        for index, name in enumerate(header["series"], start=1)
    ]


def _notes(header: Mapping[str, Any], excerpt: Excerpt) -> tuple[str, ...]:
    skipped = header.get("skipped", 0)
    notes = (
        [f"{skipped:,} items are not numbers, or have no x, and are not drawn"] if skipped else []
    )
    if excerpt.left_out:
        notes.append("points in the middle are left out")
    return tuple(notes)


def _one_line(name: str) -> str:
    """A name made safe to encode and draw, because it may be the peer's."""
    return " ".join(whole(name).split())


def _moment(x: Any) -> Any:
    """``x``, with a numpy date as one of Python's.

    Raises:
        ValueError: the numpy value has no date, or one that Python does not have.
    """
    if not hasattr(type(x), "dtype") or getattr(x.dtype, "kind", "") != "M":
        return x
    moment = x.astype("datetime64[us]").item()
    if not isinstance(moment, date):
        raise ValueError(f"no date: {x}")
    return moment


def _seconds(moment: date) -> float:
    """Seconds since 1970; NaN for pandas' NaT, a datetime that has no date."""
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    try:
        return moment.timestamp()
    except (ValueError, OverflowError, OSError):
        # Near the first and the last year, for which a system may have no local time.
        return (moment.replace(tzinfo=moment.tzinfo or UTC) - _EPOCH).total_seconds()


_line = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode
