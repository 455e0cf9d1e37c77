"""The benchmarks' own arithmetic, their tables and comparisons; tests/faults runs rows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).resolve().parent.parent.parent / "benchmarks"


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The package ``yardstick`` with the modules that are tested here."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import yardstick  # type: ignore[import-not-found]
    import yardstick.figures  # type: ignore[import-not-found]
    import yardstick.kkrpc  # type: ignore[import-not-found]
    import yardstick.races  # type: ignore[import-not-found]
    import yardstick.tables  # type: ignore[import-not-found]
    import yardstick.worker  # type: ignore[import-not-found]

    yield yardstick
    for name in [name for name in sys.modules if name.split(".")[0] == "yardstick"]:
        del sys.modules[name]


def sample(bench: Any, wall_s: float, cpu_s: float = 0.5, **options: Any) -> Any:
    return bench.figures.Sample(count=1000, wall_s=wall_s, cpu_s=cpu_s, **options)


def row(bench: Any, name: str, per_s: float, **options: Any) -> Any:
    spread = bench.figures.Spread
    cpu_us = options.pop("cpu_us", 2.0)
    figures = bench.figures.Figures(spread.of([per_s]), spread.of([cpu_us]), None)
    return bench.figures.Row(name=name, unit="item", count=1000, ours=figures, **options)


def run_of(bench: Any, *rows: Any) -> Any:
    return bench.figures.Run(
        began="2026-01-31T12:00:00+00:00",
        took_s=1.0,
        rounds=5,
        scale=1.0,
        machine={"Python": "3.11.9", "processors": "2"},
        rows=list(rows),
    )


# ---- figures


def test_a_spread_is_a_median_and_quartiles(bench: Any) -> None:
    spread = bench.figures.Spread.of([5.0, 1.0, 3.0, 2.0, 4.0])
    assert (spread.low, spread.median, spread.high) == (2.0, 3.0, 4.0)
    assert spread.share == pytest.approx(1 / 3)
    assert bench.figures.Spread.of([7.0]) == bench.figures.Spread(7.0, 7.0, 7.0)


def test_rates_and_cpu_are_for_each_item(bench: Any) -> None:
    samples = [sample(bench, 2.0, 0.25, server_cpu_s=1.0), sample(bench, 4.0, 0.75)]
    figures = bench.figures.figures_of(samples)
    assert figures.per_s.median == 375.0
    assert figures.cpu_us.median == 500.0
    assert figures.server_cpu_us.median == 1000.0
    assert bench.figures.figures_of([sample(bench, 1.0)]).server_cpu_us is None


def test_shares_are_of_runs_next_to_each_other(bench: Any) -> None:
    """In the second round the machine was ten times as slow, for both."""
    ours = [sample(bench, 2.0), sample(bench, 20.0), sample(bench, 2.0)]
    theirs = [sample(bench, 1.0), sample(bench, 10.0), sample(bench, 1.0)]
    speed = bench.figures.paired(ours, theirs, lambda one, other: other.wall_s / one.wall_s)
    assert (speed.low, speed.median, speed.high) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(
    ("bounds", "value", "is_kept"),
    [
        ({"at_least": 0.8}, 0.8, True),
        ({"at_least": 0.8}, 0.79, False),
        ({"at_most": 1.5}, 1.5, True),
        ({"at_most": 1.5}, 1.51, False),
    ],
)
def test_promises(bench: Any, bounds: dict[str, float], value: float, is_kept: bool) -> None:
    assert bench.figures.Promise("speed", **bounds).is_kept(value) is is_kept


def test_a_run_is_what_was_written(bench: Any, tmp_path: Path) -> None:
    speed = bench.figures.Spread(0.5, 0.4, 0.6)
    run = run_of(bench, row(bench, "stream.a", 10.0, speed=speed, more={"x": speed}))
    path = tmp_path / "new" / "run.json"
    bench.figures.write_run(run, path)
    assert bench.figures.read_run(path) == run


def test_of_several_runs_the_newer_rows_count(bench: Any) -> None:
    first = run_of(bench, row(bench, "a", 1.0), row(bench, "b", 2.0))
    second = run_of(bench, row(bench, "c", 4.0), row(bench, "a", 3.0))
    merged = bench.figures.merged([first, second])
    assert [(one.name, one.ours.per_s.median) for one in merged.rows] == [
        ("a", 3.0),
        ("b", 2.0),
        ("c", 4.0),
    ]
    assert merged.took_s == 2.0


# ---- comparing


def test_a_row_is_slower_below_95_percent(bench: Any) -> None:
    then = run_of(bench, row(bench, "a", 1000.0), row(bench, "b", 1000.0), row(bench, "gone", 1.0))
    now = run_of(bench, row(bench, "a", 951.0), row(bench, "b", 949.0), row(bench, "new", 1.0))
    found = bench.figures.changes(then, now)
    assert [(change.name, change.is_slower) for change in found] == [("a", False), ("b", True)]


def test_a_slower_machine_is_no_slower_row(bench: Any) -> None:
    """Half the rate, the same share of the yardstick; and the other way round."""
    spread = bench.figures.Spread
    then = row(bench, "a", 1000.0, speed=spread.of([0.6]), cpu=spread.of([2.0]))
    same = row(bench, "a", 500.0, speed=spread.of([0.6]), cpu=spread.of([2.0]), cpu_us=4.0)
    (change,) = bench.figures.changes(run_of(bench, then), run_of(bench, same))
    assert (change.speed, change.cpu, change.is_slower) == (1.0, 1.0, False)
    worse = row(bench, "a", 2000.0, speed=spread.of([0.5]), cpu=spread.of([3.0]))
    (change,) = bench.figures.changes(run_of(bench, then), run_of(bench, worse))
    assert change.is_slower
    assert change.cpu == 1.5
    assert "SLOWER" in bench.tables.change_table([change])


def test_what_is_within_the_spread_is_said(bench: Any) -> None:
    spread = bench.figures.Spread
    then = row(bench, "a", 1.0, speed=spread(0.60, 0.50, 0.70))
    now = row(bench, "a", 1.0, speed=spread(0.55, 0.45, 0.65))
    found = bench.figures.changes(run_of(bench, then), run_of(bench, now))
    assert bench.tables.change_table(found).endswith("SLOWER, within the spread")


# ---- tables


def test_columns_are_aligned(bench: Any) -> None:
    spread = bench.figures.Spread
    slow = row(bench, "stream.long-name", 12.0, broken=["speed at least 0.8 (0.50)"])
    fast = row(bench, "a", 1_234_567.0, speed=spread.of([0.5]), yardstick=slow.ours)
    head, first, second = bench.tables.table([slow, fast]).splitlines()
    column = head.index("per second") + len("per second")
    assert first[:column].endswith("       12")
    assert second[:column].endswith("1,234,567")
    assert first.endswith("NOT KEPT: speed at least 0.8 (0.50)")
    assert "50%" in second


def test_the_figures_of_a_page_are_replaced(bench: Any) -> None:
    begin, end = bench.tables.BEGIN, bench.tables.END
    page = f"# Speed\n\n{begin}\n\nold\n\n{end}\n\nmore\n"
    new = bench.tables.replaced(page, run_of(bench, row(bench, "stream.a", 10.0)))
    assert "old" not in new
    assert new.startswith("# Speed\n")
    assert new.endswith(f"{end}\n\nmore\n")
    assert "| `stream.a` | 10 |" in new
    assert "Python 3.11.9, processors 2." in new
    with pytest.raises(ValueError, match="lacks"):
        bench.tables.replaced("# Speed\n", run_of(bench))


# ---- choosing and racing


def names(heats: list[Any]) -> list[str]:
    return [entry.name for heat in heats for entry in heat.entries]


def test_rows_are_chosen_by_the_beginnings_of_their_names(bench: Any) -> None:
    heats = list(bench.kkrpc.heats())
    every = names(heats)
    assert len(set(every)) == len(every)
    assert names(bench.races.chosen(heats, [])) == every
    assert names(bench.races.chosen(heats, ["crowd", "stream.compact-json.f"])) == [
        "stream.compact-json.for",
        "crowd.compact-json.200-streams",
        "crowd.classic-json.200-streams",
    ]
    assert names(bench.races.chosen(heats, ["call.*-json.await-"])) == [
        "call.compact-json.await-64",
        "call.classic-json.await-64",
    ]
    assert bench.races.chosen(heats, ["nothing"]) == []


def test_shares_are_all_of_it(bench: Any) -> None:
    assert bench.worker.shares_of(10, 4) == [3, 3, 2, 2]
