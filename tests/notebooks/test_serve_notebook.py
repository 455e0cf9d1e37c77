"""The notebook about serving, executed in a real kernel: servers and their clients."""

import re

import pytest
from support.kernels.notebook_runs import Run, run_committed


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_committed("06_serve_your_own_api.ipynb", tmp_path_factory.mktemp("serve"))


def lines_of(run: Run, cell_id: str) -> list[str]:
    return run.text(cell_id).split("\n")


def test_it_ends_by_itself_soon(run: Run) -> None:
    assert run.times_s[-1] < 120


def test_every_cell_ran_and_none_failed(run: Run) -> None:
    assert run.not_in_order() == []
    assert run.failed() == []


def test_the_card_of_a_connection(run: Run) -> None:
    assert re.search(r"^ *methods +add, countdown$", run.text("connect"), re.MULTILINE)


def test_values_streams_and_properties(run: Run) -> None:
    assert run.text("value") == "3"
    assert lines_of(run, "stream")[:4] == ["3", "2", "1", "0"]
    assert run.text("property") == "21.5 -> 22"


def test_what_is_private_stays_private(run: Run) -> None:
    assert "_secret is not a function" in run.text("private")
    assert "not for clients" not in run.text("private")


def test_dicts_modules_classes_and_callbacks(run: Run) -> None:
    assert lines_of(run, "dict") == ["['reading 0', 'reading 1', 'reading 2']", "3"]
    assert run.text("constructor") == "{'count': 10}"
    assert lines_of(run, "callback") == ["step 1", "step 2", "step 3", "'done'"]


def test_type_hints_are_held_to(run: Run) -> None:
    assert run.text("fits") == "'1 x tea'"
    error, issues = lines_of(run, "refused")
    assert error.startswith('RPCValidationError: RPC input validation failed for "order"')
    assert issues.startswith("input [{")
    assert "'path': [0, 'count']" in issues
    items = run.text("item")
    assert items.startswith("2.5\n")
    assert 'RPC output validation failed for "prices"' in items


def test_interceptors(run: Run) -> None:
    assert lines_of(run, "meta") == [
        *("Hello, Ada", "PermissionError: who are you?", "['hello()', 'hello()']"),
    ]
    assert run.text("wrapped") == "[0, 2, 4, 6]"
    assert run.text("caller") == "Hello, a notebook"


def test_tokens(run: Run) -> None:
    assert run.text("token").startswith("HTTP 401")
    assert run.text("own-token") == "5"


def test_several_clients(run: Run) -> None:
    assert run.text("broadcast") == "posted to 2 readers; 3 clients"
    assert run.text("call-soon") == str([["tea is ready", "and cake"]] * 2)


def paces(text: str) -> list[tuple[int, int]]:
    """How many were taken, and how many were written by then."""
    found = re.findall(r"taken +(\d+), written +(\d+)", text)
    assert len(found) == 5
    return [(int(taken), int(written)) for taken, written in found]


def test_a_slow_reader_makes_the_producer_wait(run: Run) -> None:
    for taken, written in paces(run.text("slow-reader")):
        assert taken <= written <= taken + 200
    assert run.text("left") == "still writing: False"


def test_without_credit_everything_is_pushed(run: Run) -> None:
    _, written = paces(run.text("classic"))[-1]
    assert written > 1000


def test_a_fast_reader_gets_all(run: Run) -> None:
    assert run.text("fast") == "5000 tokens"


def test_http_and_stdio(run: Run) -> None:
    value, error = lines_of(run, "http")
    assert value == "42"
    assert "does not support async iterable streams" in error
    assert run.text("stdio") == "[20.0, 20.5, 21.0]"


def test_closing_ends_the_producer(run: Run) -> None:
    assert run.text("closing") == "4 ticks; ['the watch has stopped']"
    assert run.text("close") == "closed: True"
