"""``reply.dataframe()``: the items as rows, with the library that is there."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pandas
import pytest

from kkjupyter import undefined
from kkjupyter.errors import UsageError
from kkjupyter.notebook.retention import Limits
from kkjupyter.notebook.run.extractors import picker
from kkjupyter.notebook.run.reply import Reply


@dataclass
class ReadFlowControl:
    place: str
    celsius: float


def reply(*items: Any, **options: Any) -> Reply:
    made = Reply("rows()", **options)
    made.extend(items)
    made.end("done")
    return made


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Pretend that only these libraries can be found."""

    def only(*names: str) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: name in names or None)

    return only


def test_rows_with_names() -> None:
    frame = reply({"a": 1, "b": "x"}, {"b": "y", "c": undefined}).dataframe()
    assert isinstance(frame, pandas.DataFrame)
    assert list(frame.columns) == ["a", "b"]
    assert list(frame["b"]) == ["x", "y"]
    assert frame["a"].isna().tolist() == [False, True]
    assert reply(ReadFlowControl("hall", 1.5)).dataframe().to_dict("records") == [
        {"place": "hall", "celsius": 1.5}
    ]


@pytest.mark.parametrize(
    ("items", "records"),
    [
        ([(1, 2), [3, 4]], [{0: 1, 1: 2}, {0: 3, 1: 4}]),
        ([1, "x"], [{"value": 1}, {"value": "x"}]),
        ([], []),
    ],
)
def test_items_without_names(items: Sequence[Any], records: list[Any]) -> None:
    assert reply(*items).dataframe().to_dict("records") == records


def test_items_are_as_they_came_not_as_they_are_shown() -> None:
    shown = picker(lambda item: item["a"])
    assert list(reply({"a": 1, "b": 2}, pick=shown).dataframe("pandas").columns) == ["a", "b"]


def test_the_value_of_a_unary_call() -> None:
    unary = Reply("rows()")
    unary.end("done", value=[{"a": 1}, {"a": 2}])
    assert unary.dataframe()["a"].tolist() == [1, 2]
    unary.end("done", value={"a": 3})
    assert unary.dataframe()["a"].tolist() == [3]


def test_what_is_left_out_is_warned_of() -> None:
    many = reply(*[{"n": n} for n in range(100)], limits=Limits(items=10))
    with pytest.warns(UserWarning, match=r"rows\(\): 90 of 100 items were left out") as warned:
        frame = many.dataframe()
    assert frame["n"].tolist() == [0, 1, 2, 3, 4, 95, 96, 97, 98, 99]
    assert warned[0].filename == __file__


def test_polars_gets_names_that_are_text(monkeypatch: pytest.MonkeyPatch) -> None:
    polars = SimpleNamespace(DataFrame=lambda records, **options: (records, options))
    monkeypatch.setitem(sys.modules, "polars", polars)
    frame = reply((1, 2), {"a": 3}).dataframe("polars")
    assert frame == (
        [{"0": 1, "1": 2}, {"a": 3}],
        {"infer_schema_length": None, "strict": False},
    )


def test_pandas_comes_first_and_polars_else(
    installed: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "polars", SimpleNamespace(DataFrame=lambda *_, **__: "polars"))
    installed("pandas", "polars")
    assert isinstance(reply(1).dataframe(), pandas.DataFrame)
    installed("polars")
    assert reply(1).dataframe() == "polars"


def test_neither_is_there(installed: Any) -> None:
    installed()
    with pytest.raises(UsageError, match="needs pandas or polars: %pip install pandas"):
        reply(1).dataframe()


def test_one_that_is_not_there_or_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "polars", None)
    with pytest.raises(UsageError, match="%pip install polars"):
        reply(1).dataframe("polars")
    with pytest.raises(UsageError, match="did you mean 'pandas'"):
        reply(1).dataframe("panda")
