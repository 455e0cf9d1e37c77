"""The quickstart, executed in a real kernel as `make demo HEADLESS=1` does it."""

import ast
import json
import re

import pytest
from support.kernels.notebook_runs import Run, run_notebook


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    directory = tmp_path_factory.mktemp("quickstart") / "kkjupyter-demo"
    arguments = ["-m", "kkjupyter.cli", "demo", "--headless", "--dir", str(directory)]
    return run_notebook(arguments, directory / "01_quickstart.executed.ipynb")


def test_it_ends_by_itself_soon(run: Run) -> None:
    assert run.times_s[-1] < 120


def test_every_cell_ran_and_none_failed(run: Run) -> None:
    assert run.not_in_order() == []
    outputs = [output for cell in run.code() for output in cell.outputs]
    assert "error" not in {output.output_type for output in outputs}


def test_values_of_unary_calls(run: Run) -> None:
    assert run.text("unary") == "3"
    assert run.text("await") == "300"
    assert run.text("properties") == "'dark'"


def test_a_stream_is_shown_and_saved(run: Run) -> None:
    assert run.text("stream").split("\n")[:6] == ["5", "4", "3", "2", "1", "0"]


def test_a_stream_reaches_the_terminal_while_it_runs(run: Run) -> None:
    # Five pauses of 0.2 s lie between the values.
    assert run.seconds_between("5", "0", after="%rpc api.countdown(5)") > 0.7


def test_loops(run: Run) -> None:
    assert run.text("loops").split("\n") == [
        *("T minus 3", "T minus 2", "T minus 1", "T minus 0", "item-0", "item-1", "item-2"),
    ]


def test_an_endless_stream_was_ended(run: Run) -> None:
    numbers = [line for line in run.text("cancel").split("\n") if line.isdecimal()]
    assert 4 <= len(numbers) <= 9
    assert numbers == [str(number) for number in range(len(numbers))]


def test_a_cancelled_watcher_is_closed(run: Run) -> None:
    assert run.text("finally").split("\n") == ["open watchers: 1", "open watchers: 0"]


def test_an_error_is_shown_after_what_came(run: Run) -> None:
    *values, last = run.text("error").split("\n")
    assert values == ["1", "2"]
    assert "something went wrong" in last
    assert last in run.lines
    assert run.text("except").split("\n") == ["1", "2", "RuntimeError: something went wrong"]


def test_streams_ran_concurrently(run: Run) -> None:
    lines = run.text("concurrent").split("\n")
    assert [line for line in lines if "long" in line] == [f"long {n}" for n in range(5, -1, -1)]
    assert [line for line in lines if "short" in line] == [f"short {n}" for n in range(3, -1, -1)]
    assert lines.index("short 0") < lines.index("long 0")


def test_a_callback_printed_into_its_cell(run: Run) -> None:
    assert run.text("callback").split("\n") == [
        *("step 1 of 4", "step 2 of 4", "step 3 of 4", "step 4 of 4", "'done'"),
    ]


def test_chat_and_its_reply(run: Run) -> None:
    answer = run.text("chat")
    assert "Cat" in answer
    assert len(answer.split()) > 20
    figures, _, tokens = run.text("reply").partition("[")
    assert re.match(
        r"\d+ tokens, \d+ characters in \d+\.\d s\nthe first after \d+\.\d\d s", figures
    )
    assert answer.startswith("".join(ast.literal_eval(f"[{tokens}")))


def test_no_widget_is_saved_that_would_not_be_found(run: Run) -> None:
    assert "widget-view" not in json.dumps(run.document)
    assert "widgets" not in run.document.metadata
