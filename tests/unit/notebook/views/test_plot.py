"""The plot view: what is drawn of what, how much of it travels, and what is left in the end."""

from __future__ import annotations

import base64
import io
import json
import math
from collections import namedtuple
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import matplotlib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageColor

from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.views import make_view
from kkjupyter.notebook.views.plot import fonts
from kkjupyter.notebook.views.plot.picture import COLOURS, INK, draw_plot
from kkjupyter.notebook.views.plot.sparkline import sparkline
from kkjupyter.notebook.views.plot.thinning import Thinner, thinned
from kkjupyter.notebook.views.plot.ticks import number_ticks, time_ticks
from kkjupyter.notebook.views.plot.view import PlotView, Series, read_source
from kkjupyter.notebook.views.saved_form import MIME_TYPE

DONE = Status(3, "f()", "done", "stream", 2, 1.0, 0.1)
Pair = namedtuple("Pair", "x y")


@dataclass
class ReadFlowControl:
    time: datetime
    celsius: float
    place: str = "cellar"


def drawn(*items: Any, **options: Any) -> tuple[dict[str, Any], list[list[Any]]]:
    view = PlotView(**options)
    view.feed(items)
    view.finish()
    return read_source(view.text)


@pytest.mark.parametrize(
    ("items", "series", "rows"),
    [
        ([3, 4.5], [""], [[0, 3], [1, 4.5]]),
        ([Decimal("1.5"), True, "x", None], [""], [[0, 1.5]]),
        ([(1, 10), [2, 20], Pair(3, 30)], [""], [[1, 10], [2, 20], [3, 30]]),
        ([(1, 10, 11)], ["y1", "y2"], [[1, 10, 11]]),
        ([{"a": 1, "b": "x"}, {"a": 2, "c": 3}], ["a", "c"], [[0, 1], [1, 2, 3]]),
        ([{"t": 5, "a": 1}, {"t": 7, "a": math.nan}, {"t": 9, "a": 2}], ["a"], [[5, 1], [9, 2]]),
        ([{1: 2, "minute": 4}], ["1"], [[4, 2]]),
        ([2**70, 10**400], [""], [[0, float(2**70)]]),
    ],
)
def test_what_is_drawn(items: list[Any], series: list[str], rows: list[Any]) -> None:
    header, points = drawn(*items)
    assert header["series"] == series
    assert points == rows


def test_time_may_be_what_the_others_are_drawn_over() -> None:
    noon = datetime(2026, 1, 2, 12, tzinfo=UTC)
    header, points = drawn(
        ReadFlowControl(noon, 7.5), ReadFlowControl(noon + timedelta(seconds=1), 8)
    )
    assert header["time"] is True
    assert header["x"] == "time"
    assert points == [[noon.timestamp(), 7.5], [noon.timestamp() + 1, 8]]
    assert drawn((date(1970, 1, 2), 5))[1] == [[86_400.0, 5]]


def test_the_reader_of_the_code_may_choose() -> None:
    header, points = drawn({"a": 5, "b": 6}, x="a", last=100)
    assert (header["x"], header["series"], header["last"]) == ("a", ["b"], 100)
    assert points == [[5, 6]]


def test_items_that_are_no_numbers_are_counted() -> None:
    header, _ = drawn(1, "x", {"a": None}, [1])
    assert header["skipped"] == 3
    bundle = bundle_of(1, "x")
    assert "1 items are not numbers" in bundle["text/html"]
    nothing = bundle_of("x")
    assert "image/png" not in nothing
    assert nothing["text/plain"] == ""


def test_a_dozen_lines_at_most() -> None:
    header, points = drawn({f"a{n}": n for n in range(50)})
    assert len(header["series"]) == 12
    assert len(points[0]) == 13


def bundle_of(*items: Any) -> dict[str, Any]:
    view = make_view("plot")
    view.feed(items)
    view.finish()
    return view.bundle(DONE)


@pytest.mark.slow
def test_what_is_saved() -> None:
    bundle = bundle_of(*[{"<b>": math.sin(n / 9), "n": n} for n in range(50_000)])
    picture = Image.open(io.BytesIO(base64.b64decode(bundle["image/png"])))
    assert picture.size == (1_440, 520)
    assert "<b>" not in bundle["text/html"]
    assert "&lt;b&gt;: " in bundle["text/html"]
    assert "max 49999, last 49999" in bundle["text/plain"]
    header, rows = read_source(bundle[MIME_TYPE]["source"])
    assert header["series"] == ["<b>", "n"]
    assert len(rows) <= 4_000
    assert max(row[2] for row in rows) == 49_999
    assert bundle[MIME_TYPE]["pane"] == "plot"
    assert len(json.dumps(bundle)) < 400_000


def test_names_of_the_peer_s_are_drawn_on_one_line_and_encodable() -> None:
    bundle = bundle_of({"half \ud800 a\npair": 1, "two\nlines": 2})
    header, _ = read_source(bundle[MIME_TYPE]["source"])
    assert header["series"] == ["half \ufffd a pair", "two lines"]
    assert json.dumps(bundle, ensure_ascii=False).encode()


def test_a_source_whose_middle_is_missing() -> None:
    source = (
        '{"x":null,"time":false,"series":[""]}\n[0,1]\n[1,\n[… 5 characters left out …]\n2]\n[3,4]'
    )
    assert read_source(source)[1] == [[0, 1], [3, 4]]


# ---- thinning


@pytest.mark.slow
def test_a_million_rows_become_few_and_none_of_the_first_is_lost() -> None:
    thinner = Thinner()
    rows = [row for n in range(1_000_000) for row in thinner.feed((n, n % 1_000))]
    rows += thinner.flush()
    assert [row[0] for row in rows[:100_000]] == list(range(100_000))
    assert len(rows) < 250_000
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)  # type: ignore[type-var]
    assert rows[-1][0] == 999_999


values = st.one_of(st.none(), st.integers(-100, 100))


@given(st.lists(st.tuples(values, values), max_size=300), st.integers(2, 50))
def test_the_outline_stays(ys: list[tuple[int | None, int | None]], limit: int) -> None:
    rows = [(float(n), *pair) for n, pair in enumerate(ys)]
    fewer = thinned(rows, limit)
    assert len(fewer) <= max(limit + 1, 2)
    for index in (1, 2):
        before = [row[index] for row in rows if row[index] is not None]
        after = [row[index] for row in fewer if row[index] is not None]
        assert bool(before) == bool(after)
        if before:
            assert (min(before), max(before)) == (min(after), max(after))  # type: ignore[type-var]


# ---- text and axes


def test_a_sparkline() -> None:
    assert sparkline([], 5) == ""
    assert sparkline([1, 1], 5) == "▄▄"
    assert sparkline([0, 7], 5) == "▁█"
    assert sparkline(list(range(800)), 8) == "▁▂▃▄▅▆▇█"
    assert Series("a", [(0, None)]).summary() == "a: no values"


@pytest.mark.parametrize(
    ("low", "high", "texts"),
    [
        (0, 10, ["0", "5", "10"]),
        (-1, 1, ["-1", "0", "1"]),
        (0, 0.04, ["0.00", "0.02", "0.04"]),
        (1_000, 5_000, ["2,000", "4,000"]),
        (0, 4e9, ["0", "2e+09", "4e+09"]),
        (0, 4e-9, ["0", "2e-09", "4e-09"]),
        (5, 5, ["5"]),
    ],
)
def test_round_numbers_at_an_axis(low: float, high: float, texts: list[str]) -> None:
    assert [text for _, text in number_ticks(low, high, 3)] == texts


@given(st.floats(-1e12, 1e12), st.floats(1e-3, 1e12), st.integers(2, 9))
def test_marks_are_within_and_few(low: float, span: float, limit: int) -> None:
    ticks = number_ticks(low, low + span, limit)
    assert len(ticks) <= limit + 1
    assert all(low - span * 1e-3 <= value <= low + span * 1.001 for value, _ in ticks)


@pytest.mark.parametrize(
    ("span_s", "form"),
    [(2, "%H:%M:%S"), (100, "%H:%M:%S"), (40_000, "%H:%M"), (3_000_000, "%Y-%m-%d")],
)
def test_times_at_an_axis(span_s: float, form: str) -> None:
    start_s = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC).timestamp()
    ticks = time_ticks(start_s, start_s + span_s, 6)
    assert 2 <= len(ticks) <= 7
    for second, text in ticks:
        assert start_s <= second <= start_s + span_s
        assert text.startswith(f"{datetime.fromtimestamp(second):{form}}")


def test_a_line_with_gaps_and_a_single_point_are_drawn() -> None:
    line = Series("a", [(0, 1.0), (1, None), (2, 2.0), (3, 2.0)])
    png = draw_plot([line, Series("b", [(0, None)])], x_label="s")
    colours = Image.open(io.BytesIO(png)).convert("RGBA").getcolors(1 << 20)
    assert colours is not None
    assert (59, 130, 196, 255) in {colour for _, colour in colours}
    assert (217, 122, 31, 255) not in {colour for _, colour in colours}
    assert draw_plot([])


def luminance(colour: str) -> float:
    red, green, blue = (
        value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4
        for value in (part / 255 for part in ImageColor.getrgb(colour)[:3])
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("paper", ["#ffffff", "#111111"])
def test_a_picture_can_be_read_on_white_and_on_black(paper: str) -> None:
    """By the contrast that WCAG asks for: 3 for lines; nearly 4.5 for letters on both at once."""

    def contrast(colour: str) -> float:
        dark, bright = sorted([luminance(colour), luminance(paper)])
        return (bright + 0.05) / (dark + 0.05)

    picture = Image.open(io.BytesIO(draw_plot([Series("a", [(0, 1.0), (1, 2.0)])]) or b""))
    assert picture.getpixel((700, 4))[3] == 0  # no background
    assert contrast(INK) >= 4
    assert [colour for colour in COLOURS if contrast(colour) < 3] == []


def test_the_legend_of_a_picture_has_the_last_values() -> None:
    def legend(last: float) -> bytes:
        line = Series("sine " * 30, [(0, 0.0), (1, 5.0), (2, last), (3, None)])
        picture = Image.open(io.BytesIO(draw_plot([line]) or b""))
        return picture.crop((0, 0, picture.width, 40)).tobytes()

    assert legend(3.5) == legend(3.5)
    assert legend(3.5) != legend(2.5)


def test_a_picture_is_small_as_the_file_has_it_twice() -> None:
    lines = [
        Series(name, [(n, math.sin(n / 9 + len(name))) for n in range(4_000)]) for name in "ab"
    ]
    assert len(draw_plot(lines, x_label="minute") or "") < 40_000


def test_a_name_is_no_formula_whatever_the_user_has_set_up() -> None:
    """A name may be a peer's: it goes neither to the maths parser nor to TeX."""
    lines = [Series(r"$\frac{1$ \input{x} _^", [(0, 1), (1, 2)])]
    plain = draw_plot(lines, x_label="$")
    style = {"text.usetex": True, "font.size": 40, "lines.marker": "x", "lines.linestyle": ":"}
    with matplotlib.rc_context(style):
        assert draw_plot(lines, x_label="$") == plain


def test_each_of_many_lines_has_its_key_in_the_picture() -> None:
    lines = [Series(f"a very long name {n} " * 9, [(0, n), (1, n)]) for n in range(12)]
    picture = Image.open(io.BytesIO(draw_plot(lines))).convert("RGBA")
    keys = picture.crop((0, 0, picture.width, 140)).getcolors(1 << 20)
    assert keys is not None
    drawn_in = {colour for _, colour in keys}
    assert drawn_in >= {(*ImageColor.getrgb(colour)[:3], 255) for colour in COLOURS}
    # The last column is as wide as the others.
    assert picture.crop((1_400, 0, picture.width, 140)).getbbox() is None


def test_letters_of_pictures_are_letters_or_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def picture(name: str) -> str | None:
        view = make_view("plot")
        view.feed([{"t": n, name: n * n % 17} for n in range(9)])
        bundle = view.bundle(DONE)
        assert name in bundle["text/plain"]
        assert name in bundle["text/html"]
        return bundle.get("image/png")

    for one, other in (("шаг", "год"), ("Größe", "Grüße"), ("温度", "湿度"), ("🔥", "🎉")):
        drawn = picture(one)
        assert drawn is None or drawn != picture(other)
    monkeypatch.setattr(fonts, "_all", lambda: ())
    assert picture("Größe") is None
    assert picture("plain") is not None
