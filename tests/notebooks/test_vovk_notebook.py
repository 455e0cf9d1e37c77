"""The notebook about Vovk, executed in a real kernel: both sides of it, on loopback alone."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise

import pytest
from support.kernels.notebook_runs import EXECUTE, Run, run_notebook
from support.servers.llm_provider import Provider

from kkjupyter.cli.demo import copy_notebooks

NAME = "07_vovk.ipynb"
SHOWN = ['["Hello,"]', '["!"]']  # rows of a table, live in the terminal
SAVED = ["message", "-------", "Hello,", " World", "!"]


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Run:
    directory = tmp_path_factory.mktemp("vovk")
    copy_notebooks(directory)  # as `kkjupyter demo` does, with the modules that it imports
    with provider.environment():
        return run_notebook([*EXECUTE, str(directory / NAME)], directory / "07_vovk.executed.ipynb")


def test_it_asks_no_provider_whatever_the_environment_says(run: Run, provider: Provider) -> None:
    assert provider.requests == []


def test_it_ends_by_itself_soon(run: Run) -> None:
    assert run.times_s[-1] < 120


def test_every_cell_ran_and_none_failed(run: Run) -> None:
    assert run.not_in_order() == []
    outputs = [output for cell in run.code() for output in cell.outputs]
    assert {output.output_type for output in outputs} <= {
        *("stream", "display_data", "execute_result")
    }


def test_methods_have_the_names_of_the_schema_and_of_python(run: Run) -> None:
    assert run.text("connect") == "['streamTokens', 'stream_tokens']"


def test_tokens_are_shown_and_saved(run: Run) -> None:
    assert run.text("stream").split("\n") == SAVED


def test_tokens_reach_the_terminal_while_they_come(run: Run) -> None:
    # Two pauses of 0.3 s lie between the first and the last.
    call = "%rpc api.StreamingController.streamTokens("
    assert run.seconds_between(SHOWN[0], SHOWN[-1], after=call) > 0.4


def test_the_loop_has_them_300_ms_apart(run: Run) -> None:
    found = re.findall(r"\{'message': '(.+)'\} after (\d+\.\d) s", run.text("loop"))
    assert [message for message, _ in found] == ["Hello,", " World", "!"]
    times_s = [float(time_s) for _, time_s in found]
    assert times_s[0] >= 0.3
    assert all(later - sooner > 0.05 for sooner, later in pairwise(times_s))


def test_the_response_of_is_stream(run: Run) -> None:
    assert run.text("is-stream").split("\n") == ["status 200", "Hello,", " World", "!"]


def test_an_endless_stream_was_ended(run: Run) -> None:
    numbers = [line for line in run.text("cancel").split("\n") if line.isdecimal()]
    assert 2 <= len(numbers) <= 12
    assert numbers == [str(number) for number in range(len(numbers))]


def test_the_producer_ended_and_what_it_delegates_to(run: Run) -> None:
    cancelled, *numbers, left = run.text("finally").split("\n")
    assert numbers == ["0", "1", "2"]
    assert re.fullmatch(r"cancelled: \['stopped at \d+', 'the controller, too'\]", cancelled)
    assert re.fullmatch(r"left: \['stopped at \d+', 'the controller, too'\]", left)


def test_a_thrown_object(run: Run) -> None:
    *items, last = run.text("error").split("\n")
    assert items == SAVED[:3]
    assert '{"hello":"World"}' in last
    assert run.text("thrown").split("\n") == ["Hello,", "thrown: {'hello': 'World'}"]


def test_what_breaks_the_schema_is_not_sent(run: Run) -> None:
    fault, issues, log, items = run.text("validation").split("\n")
    assert fault.startswith("MoreController.count: body.to: 'many'")
    assert "'path': 'body.to'" in issues
    assert log == "[]"
    assert items == "[0, 1, 2] ['count was called']"


def test_a_fetcher_of_ones_own(run: Run) -> None:
    assert run.text("fetcher").split("\n") == ["with isStream: ['a notebook']", "without: [None]"]


def test_the_openai_service_streams_and_its_provider_hears_of_every_end(run: Run) -> None:
    assert run.text("openai-view")  # the library takes its time before its first token
    token, last = run.text("openai-left").split("\n")
    assert token
    assert last.startswith("[True, True] are over; the last sent ['")


def test_the_servers_are_closed(run: Run) -> None:
    closed = run.text("close").split("\n")
    assert len(closed) == 3
    assert all(line.endswith("closed>") for line in closed)


def test_no_widget_is_saved_that_would_not_be_found(run: Run) -> None:
    assert "widget-view" not in json.dumps(run.document)
    assert "widgets" not in run.document.metadata
