"""How much of a text is seen, and where: while it grows, at its end, and on paper."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from support.browser.hand_fed import HandFed
from support.browser.jupyter_server import FrontEnd
from support.browser.lab import HOLD, Lab, Theme

OpenNotebook = Callable[..., Lab]

# Cells before and after, so that the notebook itself is scrolled.
CELLS = ["print('before\\n' * 40)", "print('an ordinary output')", "print('after\\n' * 200)"]

BELOW = "(e) => e.scrollHeight - e.clientHeight - e.scrollTop"
# Where on the screen the text `line 12` (and so on) of a view is.
LINE_TOP = """(root, text) => {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const at = walker.currentNode.data.indexOf(text + "\\n");
    if (at < 0) continue;
    const range = document.createRange();
    range.setStart(walker.currentNode, at);
    range.setEnd(walker.currentNode, at + text.length);
    return range.getBoundingClientRect().top;
  }
}"""


@pytest.fixture(params=["lab", pytest.param("notebook", marks=pytest.mark.matrix)])
def notebook(request: pytest.FixtureRequest, open_notebook: OpenNotebook) -> Lab:
    return opened(open_notebook, front_end=request.param)


def opened(open_notebook: OpenNotebook, **options: Any) -> Lab:
    lab = open_notebook(CELLS, **options)
    for index in range(len(CELLS)):
        lab.run(index)
    return lab


def fill(view: HandFed, lines: int, first: int = 0) -> None:
    view.write("".join(f"line {n}\n" for n in range(first, first + lines)))
    expect(view.box).to_contain_text(f"line {first + lines - 1}\n")


def to_the_middle(view: HandFed) -> None:
    """Scroll the notebook so that the view is in the middle of the window."""
    view.root.evaluate("(e) => e.scrollIntoView({ block: 'center' })")


def line_top(view: HandFed, line: int) -> float:
    return float(view.root.evaluate(LINE_TOP, f"line {line}"))


def wait_still(lab: Lab) -> None:
    """Until the page has drawn what it was told."""
    lab.page.evaluate("() => new Promise((go) => setTimeout(() => requestAnimationFrame(go), 50))")


def test_it_follows_the_end_until_the_reader_goes_away(notebook: Lab) -> None:
    lab = notebook
    view = HandFed(lab, 1)
    fill(view, 100)
    assert view.box.evaluate(BELOW) < 1
    # What a layout moves is not the reader's doing.
    view.box.evaluate("(e) => { e.scrollTop -= 300; }")
    wait_still(lab)
    fill(view, 10, 100)
    wait_still(lab)
    assert view.box.evaluate(BELOW) < 1

    view.box.hover()
    lab.page.mouse.wheel(0, -60)
    jump = view.root.get_by_role("button", name="Jump to the latest")
    expect(jump).to_be_visible()
    top = view.box.evaluate("(e) => e.scrollTop")
    fill(view, 10, 110)
    wait_still(lab)
    assert view.box.evaluate("(e) => e.scrollTop") == top
    jump.click()
    expect(jump).to_have_count(0)
    expect(view.box).to_be_focused()
    fill(view, 10, 120)
    wait_still(lab)
    assert view.box.evaluate(BELOW) < 1
    lab.page.keyboard.press("PageUp")
    expect(jump).to_be_visible()
    lab.page.keyboard.press("End")
    expect(jump).to_have_count(0)
    assert lab.page_errors == []


def test_the_end_leaves_what_is_read_where_it_is(notebook: Lab) -> None:
    lab = notebook
    view = HandFed(lab, 1)
    fill(view, 60)
    to_the_middle(view)
    wait_still(lab)
    before = line_top(view, 59)
    view.end()
    expect(view.root).to_contain_text("✓")
    wait_still(lab)
    assert view.box.evaluate("(e) => [e.scrollHeight - e.clientHeight, e.clientHeight]") == [
        0,
        60 * 17,
    ]
    assert line_top(view, 59) == pytest.approx(before, abs=1)
    assert lab.page_errors == []


def test_the_end_leaves_place_and_selection_to_who_has_scrolled_up(notebook: Lab) -> None:
    lab = notebook
    view = HandFed(lab, 1)
    fill(view, 100)
    to_the_middle(view)
    view.box.hover()
    lab.page.mouse.wheel(0, -600)
    view.root.evaluate(
        """(root) => {
          const text = root.querySelector(".kkj-block").firstChild;
          const at = text.data.indexOf("line 50");
          document.getSelection().setBaseAndExtent(text, at, text, at + 15);
        }"""
    )
    wait_still(lab)
    before = line_top(view, 50)
    view.end("cancelled")
    expect(view.root).to_contain_text("■")
    wait_still(lab)
    assert line_top(view, 50) == pytest.approx(before, abs=1)
    assert lab.page.evaluate("() => document.getSelection().toString()") == "line 50\nline 51"


def test_what_is_very_long_is_folded(notebook: Lab, artifacts: Path) -> None:
    lab = notebook
    view = HandFed(lab, 1)
    fill(view, 300)
    to_the_middle(view)
    wait_still(lab)
    before = line_top(view, 299)
    view.end()
    show = view.root.get_by_role("button", name="Show all of lines()")
    expect(show).to_have_attribute("aria-expanded", "false")
    wait_still(lab)
    assert line_top(view, 299) == pytest.approx(before, abs=1)
    lab.screenshot(artifacts / f"pane-folded-{lab.front_end}.png")
    show.click()
    wait_still(lab)
    assert view.box.evaluate("(e) => e.clientHeight") == 300 * 17
    assert line_top(view, 299) == pytest.approx(before, abs=1)
    view.root.get_by_role("button", name="Fold lines()").click()
    wait_still(lab)
    assert view.box.evaluate("(e) => e.clientHeight") == 408
    assert line_top(view, 299) == pytest.approx(before, abs=1)


def test_the_height_is_the_readers(open_notebook: OpenNotebook) -> None:
    lab = opened(open_notebook)
    view = HandFed(lab, 1)
    fill(view, 100)
    to_the_middle(view)
    handle = view.root.get_by_role("separator", name="Height of lines(), in lines")
    box = handle.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    lab.page.mouse.move(x, y)
    lab.page.mouse.down()
    lab.page.mouse.move(x, y - 100, steps=4)
    lab.page.mouse.move(x, y - 204, steps=4)
    lab.page.mouse.up()
    assert view.box.evaluate("(e) => e.clientHeight") == 204
    assert view.box.evaluate(BELOW) < 1
    assert lab.page.evaluate("() => document.getSelection().isCollapsed")
    handle.focus()
    lab.page.keyboard.press("ArrowDown")
    expect(handle).to_have_attribute("aria-valuenow", "13")
    handle.dblclick()
    expect(handle).to_have_attribute("aria-valuenow", "24")
    assert lab.number_of_cells() == len(CELLS)


def test_on_paper_all_of_it_is_seen(open_notebook: OpenNotebook) -> None:
    lab = opened(open_notebook)
    view = HandFed(lab, 1)
    fill(view, 300)
    view.end()
    expect(view.root.get_by_role("button", name="Show all")).to_be_visible()
    lab.page.emulate_media(media="print")
    assert view.box.evaluate("(e) => e.clientHeight") == 300 * 17
    assert view.box.evaluate("(e) => getComputedStyle(e).overflowY") == "visible"
    expect(view.root.get_by_role("button", name="Copy")).to_be_hidden()
    lab.page.emulate_media(media="screen")


@pytest.mark.parametrize(
    ("front_end", "view"),
    [
        ("lab", "text"),
        ("notebook", "markdown"),
        pytest.param("lab", "markdown", marks=pytest.mark.matrix),
        pytest.param("notebook", "text", marks=pytest.mark.matrix),
    ],
)
def test_a_stream_that_ends_leaves_the_page_where_it_is(
    open_notebook: OpenNotebook, front_end: FrontEnd, view: str
) -> None:
    stream = f"""%load_ext kkjupyter
import asyncio, kkjupyter as kk
{HOLD}
async def lines():
    for i in range(45):
        yield f"line {{i}}\\n\\n"
        await asyncio.sleep(0.01)
    await asyncio.to_thread(hold)

await kk.show(lines(), view={view!r})"""
    lab = open_notebook([CELLS[0], stream, CELLS[2]], front_end=front_end)
    lab.run(0)
    lab.run(2)
    lab.start(1)
    root = lab.output(1).locator(".kkj")
    box = root.get_by_role("log")
    expect(box).to_contain_text("line 44")
    root.evaluate("(e) => e.scrollIntoView({ block: 'center' })")
    box.hover()
    lab.page.mouse.wheel(0, -500)
    root.evaluate(
        """(root) => {
          const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
          while (walker.nextNode() && !walker.currentNode.data.includes("line 25")) {}
          const text = walker.currentNode;
          const at = text.data.indexOf("line 25");
          document.getSelection().setBaseAndExtent(text, at, text, at + 7);
        }"""
    )
    wait_still(lab)
    top = "() => document.getSelection().getRangeAt(0).getBoundingClientRect().top"
    before = lab.page.evaluate(top)
    assert 0 < before < 1_000
    lab.let_go()
    lab.wait(1)
    expect(root).to_contain_text("✓")
    expect(lab.button(1, "Copy")).to_be_enabled()
    wait_still(lab)
    assert lab.page.evaluate("() => document.getSelection().toString()") == "line 25"
    assert lab.page.evaluate(top) == pytest.approx(before, abs=1)
    assert box.evaluate("(e) => e.scrollHeight - e.clientHeight") == 0
    assert lab.page_errors == []


@pytest.mark.parametrize(
    ("theme", "width_px"),
    [
        ("light", 1300),
        pytest.param("dark", 400, marks=pytest.mark.matrix),
        pytest.param("light", 400, marks=pytest.mark.matrix),
        pytest.param("dark", 1300, marks=pytest.mark.matrix),
    ],
)
def test_pictures_of_a_pane(
    open_notebook: OpenNotebook, artifacts: Path, theme: Theme, width_px: int
) -> None:
    lab = opened(open_notebook, theme=theme, width_px=width_px)
    pictures = artifacts / f"pane-{theme}-{width_px}"
    view = HandFed(lab, 1, title="client.chat.completions.create('Why are there tides?')")

    def take(name: str) -> None:
        wait_still(lab)
        path = pictures / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        view.root.screenshot(path=path)

    def icon_px(button: str) -> float:
        script = "(e) => parseFloat(getComputedStyle(e, '::before').width)"
        return float(view.root.get_by_role("button", name=button).evaluate(script))

    view.write("The moon draws the water, and what is ")
    expect(view.box).to_contain_text("what is ")
    take("caret")
    assert icon_px("Cancel") == 8
    fill(view, 60)
    view.write("and what is being written")
    take("following")
    view.box.hover()
    lab.page.mouse.wheel(0, -300)
    expect(view.root.get_by_role("button", name="Jump")).to_be_visible()
    take("scrolled")
    expect(view.root.get_by_text("nothing for")).to_be_visible()
    take("stalled")
    view.end(notes=["ended by --take 60"], elapsed_s=12.3)
    take("whole")
    assert icon_px("Copy") == 14
    view.end("failed", error="ConnectionLost: the connection to ws://127.0.0.1:8555 broke off")
    take("failed")
