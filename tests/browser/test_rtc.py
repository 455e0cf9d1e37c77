"""Two people in one notebook: a JupyterLab with jupyter-collaboration."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect
from support.browser.lab import HOLD, Lab
from support.waiting import until

from kkjupyter.notebook.views.saved_form import MIME_TYPE

OpenNotebook = Callable[..., Lab]

pytestmark = [pytest.mark.rtc, pytest.mark.timeout(120)]

SETUP = "%load_ext kkjupyter\nimport time, kkjupyter as kk" + HOLD

WORDS = """def words():
    for i in range(100):
        time.sleep(0.02)
        yield f"word{i}\\n"
    hold()
    yield "end"

kk.show(words()).wait()"""


@pytest.fixture
def join() -> Iterator[Callable[[Lab], Lab]]:
    """``join(lab)``: somebody else opens the same notebook."""
    joined: list[Lab] = []

    def join_one(lab: Lab) -> Lab:
        other = lab.joined()
        joined.append(other)
        other.open()
        return other

    yield join_one
    for other in joined:
        other.page.close()


def state_in_file(lab: Lab) -> str | None:
    outputs = lab.saved().cells[1].outputs
    state: str | None = outputs[0].data[MIME_TYPE]["state"] if len(outputs) == 1 else None
    return state


@pytest.mark.parametrize("comes", ["before", "in the middle"])
def test_both_see_it_live_and_the_file_is_right(
    open_notebook: OpenNotebook, join: Callable[[Lab], Lab], comes: str
) -> None:
    first = open_notebook([SETUP, WORDS])
    first.run(0)
    if comes == "before":
        second = join(first)
        first.start(1)
    else:
        first.start(1)
        expect(first.output(1)).to_contain_text("word20")
        second = join(first)
    for page in (second, first):
        expect(page.output(1)).to_contain_text("word99")
        expect(page.output(1)).not_to_contain_text("not finished")
        expect(page.button(1, "Cancel")).to_be_visible()
    first.let_go()
    for page in (second, first):
        expect(page.output(1).locator(".kkj-static")).to_contain_text("✓ 101 items")
        assert len(page.outputs(1)) == 1
    second.save()
    until(lambda: state_in_file(first) == "done", 20)
    assert first.saved().cells[1].outputs[0].data["text/plain"].endswith("word99\nend")
    assert (first.page_errors, second.page_errors) == ([], [])


def test_either_can_cancel(open_notebook: OpenNotebook, join: Callable[[Lab], Lab]) -> None:
    first = open_notebook([SETUP, WORDS])
    first.run(0)
    second = join(first)
    first.start(1)
    expect(second.output(1)).to_contain_text("word5")
    second.button(1, "Cancel").click()
    for page in (second, first):
        expect(page.output(1).locator(".kkj-static")).to_contain_text("cancelled")
    second.save()
    until(lambda: state_in_file(first) == "cancelled", 20)
    assert (first.page_errors, second.page_errors) == ([], [])


def test_a_restart_doubles_nothing(open_notebook: OpenNotebook, join: Callable[[Lab], Lab]) -> None:
    first = open_notebook([SETUP, WORDS])
    first.run(0)
    second = join(first)
    first.start(1)
    expect(second.output(1)).to_contain_text("word20")
    first.restart_kernel()
    for page in (second, first):
        # The kernel may have said itself that it ends the stream.
        expect(page.output(1)).to_contain_text(re.compile("kernel restarted|cancelled after"))
        expect(page.output(1).get_by_role("log")).to_have_count(1)
        assert len(page.outputs(1)) == 1
    second.save()
    until(lambda: state_in_file(first) in ("lost", "cancelled"), 20)
    text = first.saved().cells[1].outputs[0].data["text/plain"]
    assert text.count("word7\n") == 1
    assert (first.page_errors, second.page_errors) == ([], [])
