"""The table view: which items it takes, its source, and what stays in the notebook."""

from __future__ import annotations

import json
import math
from collections import namedtuple
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import msgspec
import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kkjupyter import undefined
from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.views import make_view
from kkjupyter.notebook.views.saved_form import MIME_TYPE
from kkjupyter.notebook.views.table.cell_json import cell_of
from kkjupyter.notebook.views.table.view import TableView
from kkjupyter.notebook.views.table.widths import Column

DONE = Status(3, "f()", "done", "stream", 2, 1.0, 0.1)

CASES = Path(__file__).parents[4] / "labextension" / "test" / "cases" / "table.json"

Point = namedtuple("Point", "x y")


@dataclass
class ReadFlowControl:
    place: str
    celsius: float | None = None


class Struct(msgspec.Struct):
    a: int
    b: str = "x"


class Colour(Enum):
    RED = "red"


def source(*items: Any) -> list[Any]:
    view = TableView()
    text = view.feed(items) + view.finish()
    return [json.loads(line) for line in text.splitlines()]


def table(*items: Any, **limits: int) -> TableView:
    view = TableView(**limits)
    for item in items:
        view.feed([item])
    view.finish()
    return view


def plain(*items: Any) -> list[str]:
    text: str = table(*items).bundle(DONE)["text/plain"]
    return text.splitlines()


class _Grid(HTMLParser):
    """The texts of the cells of the first table."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.tags: set[str] = set()
        self._in_cell = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.add(tag)
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self._in_cell = self._in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self._in_cell:
            self.rows[-1][-1] += data


# ---- which items


@pytest.mark.parametrize(
    ("item", "suits", "bears"),
    [
        ({"a": 1, "b": "x", "c": None, "d": True, "e": date(2026, 1, 2), "f": 1.5}, True, True),
        (ReadFlowControl("kitchen"), True, True),
        (Struct(1), True, True),
        (Point(1, 2), True, True),
        ({"a": undefined, "b": Decimal(1), "c": Colour.RED}, True, True),
        ({}, False, True),
        ({"a": [1]}, False, True),
        (dict.fromkeys(range(51), 0), False, True),
        (dict.fromkeys(range(201), 0), False, False),
        ([1, 2], False, False),
        ("text", False, False),
        (5, False, False),
        (None, False, False),
    ],
)
def test_what_auto_takes_it_for(item: Any, suits: bool, bears: bool) -> None:
    assert (TableView.suits(item), TableView.bears(item)) == (suits, bears)


def test_auto_takes_it_for_flat_rows_and_goes_back_to_json() -> None:
    view = make_view()
    view.feed([{"a": 1}])
    assert view.bundle(DONE)[MIME_TYPE]["view"] == "table"
    view.feed(["no row"])
    assert view.text == '{"a": 1}\n"no row"\n'


def test_a_terminal_has_json_instead() -> None:
    for choice in ("auto", "table"):
        view = make_view(choice, in_terminal=True)
        assert view.feed([{"a": 1}]) == '{"a": 1}\n'


# ---- the source


def test_rows_below_a_head() -> None:
    head = {"columns": ["a", "b"], "row": 0}
    assert source({"a": 1, "b": "x"}, {"a": 2, "b": "y"}) == [head, [1, "x"], [2, "y"]]
    assert source(ReadFlowControl("hall", 1.5))[1:] == [["hall", 1.5]]
    assert source(Struct(1))[1:] == [[1, "x"]]
    assert source(Point(1, 2)) == [{"columns": ["x", "y"], "row": 0}, [1, 2]]
    assert source([1, 2], (3, 4)) == [{"columns": ["0", "1"], "row": 0}, [1, 2], [3, 4]]
    assert source(1, "x") == [{"columns": ["value"], "row": 0}, [1], ["x"]]


def test_later_rows_may_add_columns_and_lack_some() -> None:
    assert source({"a": 1}, {"b": 2}, {"b": 3, "a": 4}, {}) == [
        {"columns": ["a"], "row": 0},
        [1],
        {"columns": ["a", "b"], "row": 1},
        [[], 2],
        [4, 3],
        [],
    ]


def test_keys_that_read_the_same_are_one_column() -> None:
    assert source({1: "x"}, {"1": "y"}, {1: "z"})[1:] == [["x"], ["y"], ["z"]]


def test_names_without_end_share_the_last_column() -> None:
    lines = source(*[{f"name{i}": i} for i in range(300)])
    columns = lines[-2]["columns"] if isinstance(lines[-2], dict) else None
    heads = [line["columns"] for line in lines if isinstance(line, dict)]
    assert len(heads[-1]) == 201
    assert heads[-1][-1] == "…"
    assert columns is None
    assert lines[-1][200] == ["j", '{"name299": 299}']


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, None),
        (True, True),
        (0, 0),
        (2**53 + 1, ["n", "9007199254740993"]),
        (1.5, 1.5),
        (math.nan, ["n", "NaN"]),
        (-math.inf, ["n", "-Infinity"]),
        (Decimal("1.50"), ["n", "1.50"]),
        (numpy.float32(0.5), 0.5),
        (numpy.int64(7), 7),
        (numpy.bool_(True), True),
        ("x\ny\t\x1b[31m\ud83d", "x\ny\t␛[31m\ufffd"),
        (Colour.RED, "red"),
        (undefined, []),
        (date(2026, 1, 2), ["d", "2026-01-02"]),
        (datetime(2026, 1, 2, tzinfo=UTC), ["d", "2026-01-02T00:00:00+00:00"]),
        ({"a": [1, "\n"]}, ["j", '{"a": [1, "\\n"]}']),
        (b"ab", ["j", "<2 bytes: 61 62>"]),
    ],
)
def test_cells(value: Any, cell: Any) -> None:
    assert cell_of(value) == cell


def test_an_int_that_python_does_not_write_out() -> None:
    kind, text = cell_of(10**5000)
    assert kind == "n"
    assert int(text, 16) == 10**5000


def test_a_very_long_text_is_cut_and_says_so() -> None:
    text = cell_of("x" * 30_000)
    assert isinstance(text, str)
    assert text.endswith("x … (10,000 more characters)")


@given(st.dictionaries(st.text(), st.text() | st.integers() | st.floats() | st.none()))
def test_any_row_is_one_line_that_reads_as_json(row: dict[str, Any]) -> None:
    text = TableView().feed([row])
    text.encode()
    assert all(isinstance(json.loads(line), (list, dict)) for line in text.split("\n")[:-1])


# ---- what stays


def test_the_text_is_aligned_by_type() -> None:
    items = [
        {"minute": 0, "place": "kitchen", "celsius": 21, "ok": True},
        {"minute": 10, "place": "hall", "celsius": 8.25, "ok": None},
        {"minute": 5, "note": "two\nlines", "at": datetime(2026, 1, 2)},
    ]
    assert plain(*items) == [
        "minute  place    celsius  ok    note       at",
        "------  -------  -------  ----  ---------  -------------------",
        "     0  kitchen    21.00  True",
        "    10  hall        8.25  None",
        "     5                          two↵lines  2026-01-02 00:00:00",
    ]


def test_wide_characters_take_two_columns_and_long_texts_run_over() -> None:
    rows = [{"a": "日本", "b": 1}, {"a": "x" * 70, "b": 2}, {"a": "abcd", "b": 3}]
    assert plain(*rows) == ["a     b", "----  -", "日本  1", f"{'x' * 70}  2", "abcd  3"]


@pytest.mark.parametrize("case", json.loads(CASES.read_text(encoding="utf-8")))
def test_cells_read_as_in_the_live_view(case: dict[str, Any]) -> None:
    column = Column("x", case["cells"])
    assert [column.shown(index) for index in range(len(case["cells"]))] == case["shown"]


@pytest.mark.parametrize(
    ("cells", "is_number"),
    [([1, None, [], ["n", "NaN"]], True), ([1, "x"], False), ([True], False), ([None], False)],
)
def test_only_numbers_stand_to_the_right(cells: list[Any], is_number: bool) -> None:
    assert Column("x", cells).is_number == is_number


def test_numbers_of_many_decimals_are_written_in_full_in_the_text() -> None:
    assert plain({"x": 0.1234567}, {"x": 12}, {"x": -1.5}) == [
        "         x",
        "----------",
        " 0.1234567",
        "12",
        "-1.5",
    ]


def test_a_small_table_in_the_html() -> None:
    bundle = table({"a": 1, "b": None}, {"a": 2.5, "b": "<b>&"}).bundle(DONE)
    grid = _Grid(bundle["text/html"])
    assert grid.rows == [["a", "b"], ["1.0", "None"], ["2.5", "<b>&"]]
    assert "2 rows × 2 columns" in bundle["text/html"]
    assert "details" not in grid.tags
    assert bundle[MIME_TYPE]["source"] == '{"columns":["a","b"],"row":0}\n[1,null]\n[2.5,"<b>&"]\n'


def test_all_rows_of_a_long_table_are_in_the_html() -> None:
    bundle = table(*[{"n": i, "half": i / 2} for i in range(20_000)]).bundle(DONE)
    shown = [row[0] for row in _Grid(bundle["text/html"]).rows]
    assert shown == ["n", *map(str, range(20_000))]
    assert "20,000 rows × 2 columns" in bundle["text/html"]
    assert all(f"\n{i:>5} " in bundle["text/plain"] for i in range(20_000))
    assert bundle["text/html"].startswith("<details open")


def test_a_long_cell_is_whole() -> None:
    text = "x" * 400
    assert f">{text}</td>" in table({"a": text}).bundle(DONE)["text/html"]


def test_the_exact_value_of_a_rounded_number_is_at_hand() -> None:
    html = table({"a": 21.285714285714285}, {"a": 8.25}).bundle(DONE)["text/html"]
    assert '<td align="right" title="21.285714285714285">21.2857</td>' in html
    assert '<td align="right">8.2500</td>' in html


def test_what_is_left_out_is_said_in_rows() -> None:
    view = table(*[{"n": i} for i in range(10_000)], saved_bytes=4_000)
    bundle = view.bundle(DONE)
    numbers = [int(line) for line in bundle["text/plain"].splitlines() if line.strip().isdigit()]
    missing = 10_000 - len(numbers)
    head = [n for i, n in enumerate(numbers) if n == i]
    assert numbers == [*head, *range(len(head) + missing, 10_000)]
    assert 0 < len(head) < len(numbers) < 1_000
    assert f"[… {missing:,} rows left out …]" in bundle["text/plain"]
    assert f"{missing:,} rows left out" in bundle["text/html"]
    assert "10,000 rows × 1 column" in bundle["text/html"]
    _, *rows = [row[0] for row in _Grid(bundle["text/html"]).rows]
    [gap] = [row for row in rows if not row.isdigit()]
    assert gap == f"… {10_000 - len(rows) + 1:,} rows left out …"
    assert rows[0] == "0"
    assert rows[-1] == "9999"


def test_the_newest_rows_of_a_cut_source_are_named_and_numbered() -> None:
    view = table(
        *[{"n": i} for i in range(50_000)], {"n": 0, "late": 1}, {"n": 1}, saved_bytes=200_000
    )
    excerpt = view.saved()
    after = excerpt.text.split("characters left out …]\n")[1]
    rows = after.split("\n")[1:-1]  # the first may be half a row
    at, head = next((i, line) for i, line in enumerate(rows) if line.startswith("{"))
    assert json.loads(head)["row"] == 50_002 - sum(line[0] == "[" for line in rows[at:])
    assert '{"columns":["n","late"],"row":50000}' in rows


def test_text_that_would_be_wider_than_the_limit_is_left_out_in_the_middle() -> None:
    wide = {f"column{i}": None for i in range(20)}
    view = TableView(saved_bytes=30_000)
    view.feed([{**wide, "n": "x" * 50}, *[{"n": i} for i in range(300)]])
    text = view.bundle(DONE)["text/plain"]
    assert len(text) < 31_000
    assert "rows left out …]" in text
    assert text.splitlines()[-1].split()[-1] == "299"


def test_hostile_values_and_names_are_text() -> None:
    evil = "<img src=x onerror=alert(1)>"
    html = table({evil: evil, "b": {"<script>": "</td></table>"}}).bundle(DONE)["text/html"]
    grid = _Grid(html)
    assert grid.tags <= {"div", "span", "table", "thead", "tbody", "tr", "th", "td"}
    assert grid.rows == [[evil, "b"], [evil, '{"<script>": "</td></table>"}']]


def test_nothing_came() -> None:
    bundle = TableView().bundle(DONE)
    assert bundle["text/plain"] == ""
    assert "<table" not in bundle["text/html"]


def test_rows_without_anything_in_them() -> None:
    bundle = table({}, {}).bundle(DONE)
    assert "2 rows × 0 columns" in bundle["text/html"]
