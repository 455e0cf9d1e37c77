"""The view is a good neighbour: keys, selections and scrolling stay the user's own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from support.browser.jupyter_server import FrontEnd
from support.browser.lab import Lab

OpenNotebook = Callable[..., Lab]

SETUP = "%load_ext kkjupyter\nimport asyncio, kkjupyter as kk"
LINES = """async def lines():
    for i in range(2_000):
        await asyncio.sleep(0.02)
        yield f"line {i}\\n"

await kk.show(lines(), title="lines()")"""


@pytest.fixture
def streaming(open_notebook: OpenNotebook) -> Lab:
    lab = open_notebook([SETUP, LINES])
    lab.run(0)
    lab.start(1)
    expect(lab.output(1)).to_contain_text("line 5\n")
    return lab


@pytest.mark.labs
def test_keys_are_the_views_while_it_has_the_focus(streaming: Lab) -> None:
    lab = streaming
    button = lab.button(1, "Cancel lines()")
    for keys in ("b", "a", "dd", "x", "0", "m"):
        button.focus()
        for key in keys:
            lab.page.keyboard.press(key)
    lab.pause(0.5)
    assert lab.number_of_cells() == 2
    assert lab.is_running(1)
    kind = "() => window.jupyterapp.shell.currentWidget.content.widgets[1].model.type"
    assert lab.page.evaluate(kind) == "code"
    # Tab goes from the button to the text, and on.
    button.focus()
    lab.page.keyboard.press("Tab")
    expect(lab.output(1).get_by_role("log")).to_be_focused()
    lab.page.keyboard.press("Shift+Tab")
    expect(button).to_be_focused()
    # Space and Enter press the button.
    lab.page.keyboard.press("Space")
    expect(lab.output(1)).to_contain_text("■ cancelled after")
    lab.wait(1)
    # The focus stays where the user had it: on the button that took Cancel's place.
    expect(lab.button(1, "Copy")).to_be_focused()
    assert lab.number_of_cells() == 2


def test_a_selection_survives_what_is_appended_and_a_screen_reader_is_not_flooded(
    streaming: Lab,
) -> None:
    lab = streaming
    status = lab.output(1).get_by_role("status")
    expect(status).to_contain_text("lines()")
    log = lab.output(1).get_by_role("log")
    expect(log).to_have_attribute("aria-live", "off")
    expect(log).to_have_attribute("aria-label", "lines()")
    lab.page.evaluate(
        """() => {
          const walker = document.createTreeWalker(
            document.querySelector(".kkj-text"), NodeFilter.SHOW_TEXT);
          const first = walker.nextNode();
          document.getSelection().setBaseAndExtent(first, 0, first, "line 0\\nline 1".length);
        }"""
    )
    before = log.inner_text()
    lab.save()
    changes = lab.page.evaluate(
        """() => new Promise((resolve) => {
          let changes = 0;
          const observer = new MutationObserver((list) => { changes += list.length; });
          observer.observe(document.querySelector(".kkj [role=status]"),
            { childList: true, characterData: true, subtree: true });
          setTimeout(() => resolve(changes), 4000);
        })"""
    )
    assert changes <= 2
    assert len(log.inner_text()) > len(before) + 500
    assert lab.page.evaluate("() => document.getSelection().toString()") == "line 0\nline 1"


def test_it_follows_the_end_unless_the_user_went_away(streaming: Lab) -> None:
    lab = streaming
    log = lab.output(1).get_by_role("log")
    below = "(e) => e.scrollHeight - e.clientHeight - e.scrollTop"
    expect(log).to_contain_text("line 60\n")
    assert log.evaluate(below) < 8
    log.hover()
    lab.page.mouse.wheel(0, -200)
    jump = lab.output(1).get_by_role("button", name="Jump to the latest")
    expect(jump).to_be_visible()
    top = log.evaluate("(e) => e.scrollTop")
    lab.pause(1)
    assert log.evaluate("(e) => e.scrollTop") == top
    jump.click()
    lab.pause(1)
    assert log.evaluate(below) < 8
    expect(jump).to_have_count(0)


@pytest.mark.labs
@pytest.mark.parametrize("front_end", ["lab", pytest.param("notebook", marks=pytest.mark.matrix)])
def test_escape_gives_the_keys_back_to_the_notebook(
    open_notebook: OpenNotebook, front_end: FrontEnd
) -> None:
    lab = open_notebook([SETUP, LINES], front_end=front_end)
    lab.run(0)
    lab.start(1)
    expect(lab.output(1)).to_contain_text("line 5\n")
    lab.button(1, "Cancel lines()").focus()
    lab.page.keyboard.press("Enter")
    expect(lab.button(1, "Copy")).to_be_focused()
    lab.wait(1)
    lab.page.keyboard.press("Escape")
    lab.page.keyboard.press("b")
    lab.wait_until("() => window.jupyterapp.shell.currentWidget.content.widgets.length === 3")
    place = "() => window.jupyterapp.shell.currentWidget.content.activeCellIndex"
    assert lab.page.evaluate(place) == 2


def test_a_double_click_on_cancel_leaves_the_clipboard_alone(streaming: Lab) -> None:
    lab = streaming
    lab.page.evaluate("() => navigator.clipboard.writeText('mine')")
    box = lab.button(1, "Cancel lines()").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    lab.page.mouse.click(x, y)
    expect(lab.button(1, "Copy")).to_be_visible()
    lab.page.mouse.click(x, y)
    assert lab.page.evaluate("() => navigator.clipboard.readText()") == "mine"
    lab.button(1, "Copy").click()  # waits until it may be
    expect(lab.button(1, "Copy")).to_have_text("Copied")
