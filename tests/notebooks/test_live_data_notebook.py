"""The notebook about live data, executed in a real kernel."""

import re

import pytest
from support.kernels.notebook_runs import Run, run_committed

BARS = "▁▂▃▄▅▆▇█"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_committed("03_live_data.ipynb", tmp_path_factory.mktemp("live-data"))


def spark(run: Run, cell_id: str, name: str) -> str:
    """The little picture that stands for a line of a plot where there is only text."""
    found = re.search(rf"^{name}: ([{BARS}]+)", run.text(cell_id), re.MULTILINE)
    assert found is not None
    return found[1]


def test_it_ends_by_itself_soon(run: Run) -> None:
    assert run.times_s[-1] < 120


def test_every_cell_ran_and_none_failed(run: Run) -> None:
    assert run.not_in_order() == []
    assert run.failed() == []


def test_a_table_has_every_row(run: Run) -> None:
    lines = run.text("table").split("\n")
    head = next(line for line in lines if "celsius" in line)
    assert head.split() == ["second", "celsius", "wind", "sky"]
    rows = [line.split() for line in lines if re.match(r" *\d+ +[\d.]+ +\d +\w+ *$", line)]
    assert [int(row[0]) for row in rows] == list(range(30))


def test_plots_have_a_line_for_each_number(run: Run) -> None:
    assert len(spark(run, "plot", "celsius")) >= 30
    assert spark(run, "plot", "wind")
    assert "sky" not in run.text("plot")
    assert len(set(spark(run, "plot-two", "tea"))) > 1
    assert spark(run, "plot-two", "cake")


def test_a_still_picture_of_a_plot_is_saved(run: Run) -> None:
    for cell_id in ("plot", "plot-two", "start"):
        [output] = run.cell(cell_id).outputs
        assert "image/png" in output.data


def test_a_bar_is_full_at_the_end(run: Run) -> None:
    assert re.search(r"█{10,} 100 % · 40 of 40", run.text("progress"))


def test_nested_values_are_all_there(run: Run) -> None:
    assert re.findall(r'"id": (\d)', run.text("tree")) == ["1", "2", "3", "4", "5"]


def test_another_view_of_the_same(run: Run) -> None:
    lines = run.text("lines").split("\n")[:4]
    assert lines == [f'{{"done": {n}, "total": 3}}' for n in range(4)]


def test_it_ran_on_in_the_background_until_it_was_cancelled(run: Run) -> None:
    assert run.text("meanwhile").startswith("streaming - warmest until now: ")
    assert run.text("end") == "cancelled readings()"
    assert "cancelled after " in run.text("start")


def test_the_alarm(run: Run) -> None:
    assert re.search(r"^warm at second \d+$", run.text("loop"), re.MULTILINE)
    assert re.fullmatch(r"-?\d+\.\d degrees", run.text("average"))


def test_a_data_frame(run: Run) -> None:
    assert re.search(r"count +30", run.text("frame"))
    assert run.text("items").startswith("30 readings; the calmest: {'second': ")


def test_everything_is_closed(run: Run) -> None:
    assert run.text("close") == "closed: True True"
