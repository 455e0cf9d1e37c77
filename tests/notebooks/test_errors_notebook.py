"""The notebook about errors and cancellation, executed in a real kernel."""

import json
import re

import pytest
from support.kernels.notebook_runs import Run, run_committed

FAILS = ["interrupt", "fails", "option", "name"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_committed("05_errors_and_cancellation.ipynb", tmp_path_factory.mktemp("errors"))


def numbers(text: str) -> list[int]:
    """The whole numbers that stand on lines of their own."""
    return [int(line) for line in text.split("\n") if line.isdecimal()]


def last_number(text: str) -> int:
    """What the producer noted of itself, in this very text."""
    return int(re.findall(r"finally ran, the last number was (\d+)", text)[-1])


def test_it_ends_by_itself_soon(run: Run) -> None:
    assert run.times_s[-1] < 120


def test_only_the_tagged_cells_failed(run: Run) -> None:
    assert run.not_in_order() == []
    assert run.failed() == FAILS
    tagged = [cell.id for cell in run.code() if "raises-exception" in cell.metadata.get("tags", [])]
    assert tagged == FAILS


@pytest.mark.parametrize(
    ("cell_id", "last"), [("completion", 2), ("break", 2), ("with", 1), ("reconnect", 2)]
)
def test_the_producer_ended_where_the_reader_did(run: Run, cell_id: str, last: int) -> None:
    assert last_number(run.text(cell_id)) == last


def test_leaving_a_function_ends_the_stream(run: Run) -> None:
    lines = run.text("return").split("\n")
    assert lines[0] == "4"
    assert last_number(lines[1]) >= 4


def test_with_has_cancelled(run: Run) -> None:
    assert run.text("with").split("\n")[:2] == ["0 1", "cancelled"]


def test_take_is_a_break(run: Run) -> None:
    assert numbers(run.text("take")) == [0, 1, 2]
    assert last_number(run.text("take-note")) == 2


def test_a_shown_stream_ended_and_what_came_was_kept(run: Run) -> None:
    shown = numbers(run.text("button"))
    note, state = run.text("button-note").split("\n")
    assert shown == list(range(len(shown)))
    assert last_number(note) >= shown[-1] >= 3
    assert state == f"done after {len(shown)} items; error: None"


def test_another_cell_cancelled_it(run: Run) -> None:
    state, note = run.text("other-cell").split("\n")
    assert state == "cancelled"
    shown = numbers(run.text("background"))
    assert shown == list(range(len(shown)))
    assert last_number(note) >= shown[-1]
    assert f"cancelled after {len(shown)} items" in run.text("background")


def test_status_and_cancel_all(run: Run) -> None:
    text = run.text("again-end")
    assert re.search(r"^ +\d+  count\(pause_s=0.25\)  streaming, \d+ items?$", text, re.MULTILINE)
    assert "\ncancelled count(pause_s=0.25)\n" in text
    assert last_number(text) >= 0


def test_a_loop_does_not_end_quietly(run: Run) -> None:
    said, note = run.text("cancelled").split("\n")
    found = re.fullmatch(r"count was cancelled after (\d+) items - the last was (\d+)", said)
    assert found is not None
    assert int(found[1]) == int(found[2]) + 1
    assert last_number(note) >= int(found[2])


def test_an_interrupt_fails_the_cell_and_keeps_the_items(run: Run) -> None:
    assert run.error("interrupt").endswith("KeyboardInterrupt")
    note, kept = run.text("interrupt-note").split("\n")
    items = json.loads(kept)
    assert items == list(range(len(items)))
    assert items == numbers(run.text("interrupt"))
    assert last_number(note) >= items[-1]


def test_a_cancelled_task_takes_its_stream_along(run: Run) -> None:
    cancelled, note = run.text("task").split("\n")
    assert cancelled == "cancelled: True"
    assert last_number(note) >= 1


def test_time_limits(run: Run) -> None:
    assert run.text("reply-timeout").split("\n") == [
        *("answer: no reply within 0.5 s", "finally ran in answer"),
    ]
    assert run.text("idle-timeout").split("\n") == [
        *("20.5", "20.7", "sensor: no next item within 0.5 s", "finally ran in sensor"),
    ]
    text = run.text("defaults")
    assert text.startswith("20.5\n20.7\n")
    assert "CallTimeout after 2: sensor: no next item within 0.5 s" in text
    assert text.endswith("finally ran in sensor")


def test_a_remote_error_and_what_came_before_it(run: Run) -> None:
    assert run.text("fails").startswith("20.5\n20.7\n")
    error = run.error("fails")
    assert error.startswith("OSError: the sensor does not answer\n")
    assert "on the remote side:" in error
    assert "self.read_device()" in error
    assert run.text("kept").split("\n") == ["[20.5, 20.7]", "OSError: the sensor does not answer"]


def test_the_fields_of_a_remote_error(run: Run) -> None:
    assert run.text("fields").split("\n") == [
        "RemoteError | OSError | the sensor does not answer",
        "caused by: KeyError: 'sensor-3'",
        "OSError: the sensor does not answer",
    ]
    assert run.text("caught").split("\n") == ["20.5", "20.7", "stopped by OSError"]


def test_an_error_shown_without_failing(run: Run) -> None:
    assert "OSError after 2: the sensor does not answer" in run.text("no-raise")


def test_other_calls_are_not_touched(run: Run) -> None:
    assert run.text("others").split("\n")[:2] == ["missing is not a function", "[0, 1, 2]"]


def test_a_thrown_value(run: Run) -> None:
    assert run.text("thrown").split("\n") == ["Hello", "thrown: {'code': 42}"]


def test_slips_are_named(run: Run) -> None:
    assert "unknown option --tke; did you mean '--take'?" in run.error("option")
    assert run.error("name").startswith("RemoteError: cuont is not a function")
    assert "did you mean 'count'?" in run.error("name")
    assert run.text("encode").startswith("count: cannot encode args.0.to: JavaScript has no object")
    assert run.text("validation") == "Range.count: body.to: 'many' is not of type 'integer'"


def test_a_lost_connection_and_the_way_back(run: Run) -> None:
    came, note = run.text("lost-cell").split("\n")
    assert came == "4 items came"
    assert last_number(note) >= 3
    assert run.text("down").startswith("ConnectError - ")
    assert run.text("reconnect").split("\n")[0] == "[0, 1, 2]"


def test_everything_is_closed(run: Run) -> None:
    assert run.text("close") == "closed: True"
