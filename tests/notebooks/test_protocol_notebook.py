"""The lesson about the protocol, with its exercises solved, executed in a real kernel."""

import json
import re
from typing import Any

import pytest
from support.kernels.notebook_runs import Run, exercises, run_committed


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_committed("04_how_the_protocol_works.ipynb", tmp_path_factory.mktemp("protocol"))


def lines_of(run: Run, cell_id: str) -> list[str]:
    return run.text(cell_id).split("\n")


def arrows(run: Run, cell_id: str) -> list[str]:
    """What stands on the arrows of the diagram that a cell shows, from top to bottom."""
    found = re.findall(r"│(?:◄─+ (.+?) ─+|─+ (.+?) ─+►)│", run.text(cell_id))
    return [re.sub(r" +", " ", left or right) for left, right in found]


def messages(text: str) -> list[Any]:
    """The lines that are JSON."""
    return [json.loads(line) for line in text.split("\n") if line.startswith("{")]


def test_it_ends_by_itself_soon(run: Run) -> None:
    assert run.times_s[-1] < 120


def test_every_cell_ran_and_none_failed(run: Run) -> None:
    assert run.not_in_order() == []
    assert run.failed() == []


def test_there_are_ten_sections_as_in_the_guide(run: Run) -> None:
    heads = [cell.source.split("\n")[0] for cell in run.document.cells]
    found = re.findall(r"^## (\d+)\. ", "\n".join(heads), re.MULTILINE)
    assert found == [str(number) for number in range(1, 11)]


def test_the_first_diagram(run: Run) -> None:
    assert lines_of(run, "how-call")[:4] == ["3", "2", "1", "0"]
    assert arrows(run, "how-trace") == [
        *("request countdown", "response (stream)", "chunk × 4", "end"),
    ]


def test_reading(run: Run) -> None:
    assert lines_of(run, "use-loop") == ["3", "2", "1", "0"]
    assert lines_of(run, "use-await") == ["answered: streaming", "3", "2", "1", "0"]


def test_the_messages_of_both_protocols(run: Run) -> None:
    classic = re.sub(r"\n +", "", run.text("frames-classic"))
    for word in ('"result":{"__stream":true}', '"type":"stream-chunk"', '"type":"stream-end"'):
        assert word in classic
    compact = re.sub(r"\n +", "", run.text("frames-compact"))
    for word in ('"t":"q"', '"__kkrpc_next_stream__":"async-iterable"', '"d":false', '"d":true'):
        assert word in compact
    assert any(arrow.startswith("credit") for arrow in arrows(run, "frames-compact"))


def test_cancelling_is_confirmed_in_compact_only(run: Run) -> None:
    assert "['watching', 'closed']" in run.text("stop-classic")
    assert arrows(run, "stop-classic")[-1] == "cancel"
    assert arrows(run, "stop-compact")[-2:] == ["cancel", "acknowledgement"]


def test_an_error_is_the_last_message(run: Run) -> None:
    assert lines_of(run, "fail-loop") == ["1", "2", "RuntimeError: something went wrong"]
    for cell_id in ("fail-classic", "fail-compact"):
        assert run.text(cell_id).startswith("1\n2\n")
        assert arrows(run, cell_id)[-1] == "error RuntimeError"


def ahead(run: Run, cell_id: str) -> list[int]:
    found = re.findall(r"taken (\d+) - made (\d+)", run.text(cell_id))
    assert [taken for taken, _ in found] == ["1", "50", "100"]
    return [int(made) - int(taken) for taken, made in found]


def test_credit_holds_the_producer_back(run: Run) -> None:
    assert max(ahead(run, "credit-compact")) <= 200
    assert any("in turns" in arrow for arrow in arrows(run, "credit-compact"))
    assert ahead(run, "credit-classic")[-1] > 1000
    assert "chunk × 2,000" in arrows(run, "credit-classic")


def test_two_streams_over_one_connection(run: Run) -> None:
    lines = lines_of(run, "several-two")
    assert [line for line in lines if "first" in line] == [f"first {n}" for n in range(5, -1, -1)]
    assert [line for line in lines if "second" in line] == [f"second {n}" for n in range(3, -1, -1)]
    assert lines.index("second 0") < lines.index("first 0")
    ids = [message["id"] for message in messages(run.text("several-ids"))]
    assert ids[0] == ids[1] == ids[2] != ids[3] == ids[4] == ids[5]


def test_names_with_dots(run: Run) -> None:
    classic, compact = messages(run.text("nested-call"))
    assert classic["method"] == "data.stream"
    assert compact["p"] == ["data", "stream"]


def test_an_interceptor_is_around_the_call(run: Run) -> None:
    assert run.text("around-call") == str(["called: countdown", "answered: countdown", 2, 1, 0])


def test_a_call_without_a_stream(run: Run) -> None:
    assert arrows(run, "plain-call") == ["request add", "response"]


def test_spoken_by_hand(run: Run) -> None:
    first, *values, end = messages(run.text("hand-classic"))
    assert first["args"] == {"result": {"__stream": True}}
    assert [value["args"]["value"] for value in values] == [2, 1, 0]
    assert end["type"] == "stream-end"
    [handle] = messages(run.text("hand-compact"))
    assert handle["v"]["__kkrpc_next_stream__"] == "async-iterable"
    assert [message["v"] for message in messages(run.text("hand-pull"))] == [2, 1]


def test_the_solutions_say_what_the_text_says(run: Run) -> None:
    assert len(exercises(run.document)) == 0  # all are filled in
    classic, compact = re.findall(r"(\d+) bytes for each value", run.text("answer-1"))
    assert int(classic) > int(compact)
    assert int(run.text("answer-2").removesuffix(" ms")) < 5000
    assert lines_of(run, "answer-3") == ["classic, json - made 2000", "compact, json - made 0"]
    answers = lines_of(run, "answer-4")
    assert (answers[0], answers[2]) == ("one credit:", "one more:")
    one, end = messages(run.text("answer-4"))
    assert (one["v"], one["d"], end["d"]) == (0, False, True)


def test_everything_is_closed(run: Run) -> None:
    assert run.text("close") == "closed: True"
