"""Whatever a stream brings, our own views show something of it and end."""

from __future__ import annotations

import enum
import json
import math
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from types import MappingProxyType
from typing import Any
from unittest.mock import MagicMock, Mock

import numpy
import pandas
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kkjupyter import BigInt, undefined
from kkjupyter.notebook.run.reply import joined_text
from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.views import VIEWS, make_view
from kkjupyter.notebook.views.json import line_of
from kkjupyter.notebook.views.plot.sparkline import sparkline
from kkjupyter.notebook.views.plot.ticks import number_ticks, time_ticks
from kkjupyter.notebook.views.saved_form import MIME_TYPE
from kkjupyter.notebook.views.table.cell_json import cell_of

DONE = Status(1, "f()", "done", "stream", 1, 1.0, 0.1)
MOST = sys.float_info.max


class Hostile:
    """Each question about it raises."""

    def _raise(self, *_: Any) -> Any:
        raise RuntimeError("the session is closed")

    __repr__ = __str__ = __len__ = __iter__ = __bool__ = __eq__ = __getattr__ = _raise  # type: ignore[assignment]
    __hash__ = __float__ = __getitem__ = _raise  # type: ignore[assignment]
    __class__ = property(_raise)  # type: ignore[assignment]


class HostileDict(dict[Any, Any]):
    def items(self) -> Any:
        raise KeyError("items")

    keys = values = __iter__ = __len__ = __getitem__ = get = items  # type: ignore[assignment]


class HostileText(str):
    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __hash__ = __len__ = __str__  # type: ignore[assignment]


class HostileKey:
    def __hash__(self) -> int:
        return hash("a")

    def __eq__(self, other: object) -> bool:
        raise ValueError("not to be compared")


@dataclass
class Row:
    done: Any = 1
    total: Any = 2

    def __getattribute__(self, name: str) -> Any:
        if name == "total":
            raise RuntimeError("not now")
        return super().__getattribute__(name)


class Whole(enum.IntEnum):
    ONE = 1


class Word(enum.StrEnum):
    RED = "red"


def nested(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value, value]
    return value


CYCLE: dict[str, Any] = {"a": 1}
CYCLE["self"] = CYCLE

ODD: list[Any] = [
    *(0, -1, 2**53 + 1, 10**400, -(10**4400), 10**30_000, BigInt(10**400), BigInt(10**5_000)),
    *(0.0, -0.0, 5e-324, MOST, -MOST, 1e308, math.nan, math.inf, -math.inf, 1 + 2j, True, None),
    *(Decimal("1e9999"), Decimal("sNaN"), Fraction(10**400, 3), Fraction(1, 10**400)),
    *(numpy.float64(1.5), numpy.float32(0.1), numpy.int64(3), numpy.bool_(True), numpy.str_("x")),
    *(numpy.longdouble("1e400"), numpy.complex64(1), numpy.array(3), numpy.arange(2_000)),
    *(numpy.datetime64("2024-01-01"), numpy.datetime64("NaT"), numpy.datetime64(9**18, "s")),
    *(numpy.timedelta64(5, "D"), numpy.zeros((2, 2)), numpy.bytes_(b"x")),
    *(pandas.NaT, pandas.NA, pandas.Timestamp("2024-01-01", tz="UTC"), pandas.Timedelta("1s")),
    *(pandas.Series([1]), pandas.DataFrame({"a": [1]})),
    *(datetime.min, datetime.max, datetime(2024, 1, 1), date.min, date.max),
    datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
    datetime.max.replace(tzinfo=timezone(timedelta(hours=-12))),
    *(b"ab", bytearray(99), memoryview(b"abcdef")[::2], "", "text"),
    *("\ud83d", "a\r\nb\rc", "\x1b[2J"),
    *(undefined, Whole.ONE, Word.RED, object(), int, sys, range(3), iter([1]), Row),
    *([], {}, (), set(), frozenset({1}), [1, 2], (1, 2, 3), CYCLE, nested(40), {1: {2: [3]}}),
    *({(1, 2): 3, None: 4, 1.5: 5, True: 6}, {numpy.int64(1): 2}, MappingProxyType({"x": 1})),
    *({"done": 10**400, "total": 10**401}, {"done": MOST, "total": 5e-324}, {"done": -5}),
    *({"done": 1, "total": 0, "label": "\ud83d" * 300}, {"t": datetime.min, "y": 1}),
    *({"time": pandas.NaT, "y": 1}, {"x": None, "y": 2}, {"x": "a", "y": 10**400}),
    *(Hostile(), [Hostile()], {"a": Hostile()}, HostileDict(a=1), HostileText("x")),
    *({HostileKey(): 1}, {"b": 1, HostileKey(): 2}),
    *(Row(), Mock(), Mock(spec=dict), MagicMock(spec=str), Mock(spec=int)),
    MagicMock(spec=datetime),
]  # fmt: skip


def check(name: str | None, items: list[Any], *, in_terminal: bool = False) -> dict[str, Any]:
    """Feed all, one after the other and at once, and read what is left as a page would."""
    view = make_view(name, in_terminal=in_terminal)
    half = len(items) // 2
    for item in items[:half]:
        view.feed([item])
    view.saved()
    view.feed(items[half:])
    view.finish()
    view.text.encode()
    view.saved().text.encode()
    bundle = view.bundle(DONE)
    json.dumps(bundle, ensure_ascii=False, allow_nan=False).encode()
    if not in_terminal and view.name in ("plot", "table", "progress"):
        for line in view.text.split("\n")[:-1]:
            assert isinstance(json.loads(line, parse_constant=pytest.fail), (list, dict))
    return bundle


every_view = pytest.mark.parametrize("name", [*VIEWS, None])


@every_view
@pytest.mark.parametrize("in_terminal", [False, True])
@pytest.mark.slow
def test_all_odd_values_after_each_other(name: str | None, in_terminal: bool) -> None:
    check(name, ODD, in_terminal=in_terminal)


@every_view
@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
@pytest.mark.slow
def test_any_odd_values_in_any_order(name: str | None, data: st.DataObject) -> None:
    # Numbers stand for the values until the end: hypothesis would ask these for their names.
    number = st.integers(0, len(ODD) - 1)
    rows = st.dictionaries(st.sampled_from(["x", "time", "y", "done", "total"]), number)
    recipes = data.draw(st.lists(number | rows | st.tuples(number, number), max_size=4))
    check(name, [made(recipe) for recipe in recipes])


def made(recipe: Any) -> Any:
    if isinstance(recipe, dict):
        return {key: ODD[number] for key, number in recipe.items()}
    return ODD[recipe] if isinstance(recipe, int) else tuple([ODD[number] for number in recipe])


@pytest.mark.parametrize("number", range(len(ODD)))  # pytest asks values for their names
def test_each_odd_value_has_a_line_and_a_cell(number: int) -> None:
    value = ODD[number]
    for line in (line_of(value), line_of({"a": [value]}), joined_text(["a", value, "b"])):
        line.encode(errors="surrogatepass")  # a text is as it came
        assert len(line) < 60_000
    json.dumps(cell_of(value), allow_nan=False).encode()


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ({"loss": numpy.float64(1.5), "n": numpy.int64(3), "ok": numpy.bool_(1)},
         '{"loss": 1.5, "n": 3, "ok": true}'),
        ([numpy.str_("x"), numpy.array(2), Whole.ONE, Word.RED], '["x", 2, 1, "red"]'),
        (numpy.datetime64("2024-01-01"), "2024-01-01"),
        (pandas.NaT, "NaT"),
    ],
)  # fmt: skip
def test_what_a_line_says(value: Any, line: str) -> None:
    assert line_of(value) == line


def test_what_cannot_be_asked_or_written_is_named() -> None:
    assert line_of(10**4_400) == f"{10**4_400:#x}"
    assert line_of([Hostile(), 1]) == "[<Hostile: its repr raised RuntimeError>, 1]"


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (pandas.NaT, ["j", "NaT"]),
        (numpy.datetime64("NaT"), ["j", "NaT"]),
        (numpy.datetime64("2024-01-02T03:04:05"), ["d", "2024-01-02T03:04:05"]),
        (numpy.array(2.5), 2.5),
        (Fraction(1, 2), 0.5),
        (Fraction(10**400), ["n", str(10**400)]),
    ],
)
def test_what_a_cell_says(value: Any, cell: Any) -> None:
    assert cell_of(value) == cell


def test_a_missing_date_in_a_table_is_whole() -> None:
    rows = [{"when": pandas.Timestamp("2024-01-01")}, {"when": pandas.NaT}]
    assert check("table", rows)["text/plain"].split("\n")[2:4] == ["2024-01-01 00:00:00", "NaT"]


def test_a_large_number_of_a_peer_is_a_share() -> None:
    bundle = check("progress", [{"done": BigInt(10**400), "total": BigInt(10**401)}])
    assert "10 %" in bundle["text/plain"]


def test_rows_without_a_date_are_counted_and_the_others_drawn() -> None:
    rows = [
        {"time": pandas.NaT, "y": 9},
        {"time": pandas.Timestamp("2024-01-01", tz="UTC"), "y": 1},
        {"time": None, "y": 2},
        {"time": numpy.datetime64("2024-01-02"), "y": 3},
    ]
    bundle = check("plot", rows)
    assert "min 1, max 3" in bundle["text/plain"]
    assert "2 items are not numbers, or have no x" in bundle["text/html"]
    points = [json.loads(line) for line in bundle[MIME_TYPE]["source"].splitlines()[1:]]
    assert [x for x, _ in points] == [1704067200, 1704153600]


@pytest.mark.parametrize("moment", [datetime(1, 1, 1), datetime.max, date.min, date.max])
def test_dates_at_both_ends_are_drawn(moment: date) -> None:
    bundle = check(
        "plot", [{"time": datetime(2024, 1, 1, tzinfo=UTC), "y": 1}, {"time": moment, "y": 2}]
    )
    assert "max 2" in bundle["text/plain"]
    assert "image/png" in bundle


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1), st.integers(1, 60))
def test_a_sparkline_of_any_numbers(values: list[float], width: int) -> None:
    assert len(sparkline(values, width)) == min(width, len(values))


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(allow_nan=False, allow_infinity=False),
)
@pytest.mark.slow
def test_marks_of_any_numbers_are_few(one: float, other: float) -> None:
    low, high = min(one, other), max(one, other)
    assert 0 < len(number_ticks(low, high, 5)) <= 8
    assert len(time_ticks(low, high, 7)) <= 10


@pytest.mark.slow
def test_dicts_and_sets_that_grow_meanwhile() -> None:
    growing: dict[int, int] = {0: 0}
    members = {0}
    stop = threading.Event()

    def grow() -> None:
        for n in range(1, 300_000):
            if stop.is_set():
                return
            growing[n] = n
            members.add(n)

    grower = threading.Thread(target=grow)
    grower.start()
    try:
        for _ in range(30):
            assert line_of(growing).startswith("{0: 0")
            assert line_of([members]).startswith("[set(0")
    finally:
        stop.set()
        grower.join()
    check("table", [growing])


def test_the_time_of_a_line_is_bounded() -> None:
    def endless() -> Iterator[int]:
        yield from range(10**12)

    class Endless(list[int]):
        def __iter__(self) -> Iterator[int]:
            return endless()

    begun_s = time.thread_time()
    for value in (nested(60), [["x" * 1_000_000] * 1_000] * 1_000, Endless(), 1 << 3_000_000):
        line_of(value)
    assert time.thread_time() - begun_s < 10
