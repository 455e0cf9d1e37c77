"""The notebook about language models, executed in a real kernel with the real ``openai``."""

import re
from collections.abc import Iterator

import pytest
from support.kernels.notebook_runs import Run, run_committed
from support.servers.llm_provider import Provider


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with Provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, provider: Provider) -> Run:
    with provider.environment():
        return run_committed("02_streaming_llm_tokens.ipynb", tmp_path_factory.mktemp("tokens"))


def test_it_asks_no_provider_whatever_the_environment_says(run: Run, provider: Provider) -> None:
    assert provider.requests == []


def test_it_ends_by_itself_soon(run: Run) -> None:
    assert run.times_s[-1] < 120


def test_every_cell_ran_and_none_failed(run: Run) -> None:
    assert run.not_in_order() == []
    assert run.failed() == []


def test_an_answer_is_shown_and_measured(run: Run) -> None:
    assert "Queen" in run.text("chat")
    found = re.fullmatch(
        r"first token after (\d+\.\d\d) s, then (\d+) a second", run.text("figures")
    )
    assert found is not None
    assert int(found[2]) > 1
    assert re.fullmatch(r"\d+ words", run.text("loop"))


def test_prompts_below_the_line(run: Run) -> None:
    assert len(run.text("prompt").split()) > 10
    assert "Dormouse" in run.text("interpolate")


def test_markdown_is_kept_as_its_source(run: Run) -> None:
    text = run.text("view")
    assert "Recursion" in text
    assert "factorial(n - 1)" in text
    assert run.text("source").startswith("## Recursion")


def test_two_models_side_by_side(run: Run) -> None:
    text = run.text("side-by-side")
    assert text.index("quick") < text.index("thorough")
    assert text.count("def factorial(n)") == 2
    found = re.findall(r"^(\w+): (\d+) tokens in (\d+\.\d) s$", run.text("replies"), re.MULTILINE)
    assert [name for name, _, _ in found] == ["quick", "thorough"]
    assert found[0][1] == found[1][1]
    assert float(found[0][2]) < float(found[1][2])


def test_whoever_cancels_does_not_pay_for_the_rest(run: Run) -> None:
    found = re.fullmatch(
        r"written: (\d+); half a second later: (\d+); all would be (\d+)", run.text("bill")
    )
    assert found is not None
    written, later, all_of_it = map(int, found.groups())
    assert 0 < written == later < all_of_it


def test_a_client_of_the_users_own(run: Run) -> None:
    assert "Hatter" in run.text("show")
    assert re.search(r"■ stopped after \d+ characters", run.text("show-loop"))
    heard, sent = run.text("heard").split("\n")
    assert heard == "hung up: True"
    assert 18 <= int(sent.removeprefix("chunks read: 20; tokens sent: ")) <= 40


def test_everything_is_closed(run: Run) -> None:
    assert run.text("close") == "closed: True"
