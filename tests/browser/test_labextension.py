"""The lab extension: cancelling without a view, and saved outputs drawn as they were live."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import Locator, expect
from support.browser.jupyter_server import FrontEnd, JupyterServer
from support.browser.lab import HOLD, Lab, Theme

from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.views import make_view
from kkjupyter.notebook.views.saved_form import MIME_TYPE

OpenNotebook = Callable[..., Lab]

SETUP = """%load_ext kkjupyter
import asyncio, time, kkjupyter as kk

def words(count, pause_s=0.05):
    for i in range(count):
        time.sleep(pause_s)
        yield f"word{i} "
"""
BLOCKING = "kk.show(words({count})).wait()"
BACKGROUND = "%rpc words({count}) --background"
COMMAND = "kkjupyter:cancel-streams"
SHORTCUT = "Control+Alt+."


def words(count: int) -> str:
    return "".join(f"word{i} " for i in range(count))


def toolbar_button(lab: Lab) -> Locator:
    return lab.page.locator(".jp-NotebookPanel-toolbar .kkj-toolbar-button")


def our_errors(lab: Lab) -> list[str]:
    """Without a kernel, ipywidgets' own extension throws, too."""
    return [error for error in lab.page_errors if "/extensions/kkjupyter/" in error]


def show_static(jupyter_server: JupyterServer, lab: Lab, *outputs: dict[str, Any]) -> None:
    """Open the notebook with an output in each of its cells; nobody has signed for them."""
    notebook = lab.saved()
    for cell, data in zip(notebook.cells, outputs, strict=True):
        cell.outputs = [nbformat.v4.new_output("display_data", data=data, metadata={})]
    jupyter_server.write(lab.name, notebook)
    lab.reopen(with_kernel=False)


# ---- cancel


@pytest.mark.labs
@pytest.mark.parametrize(
    ("kernel", "front_end"),
    [pytest.param("6.31.0", "lab", marks=pytest.mark.matrix), ("7.4.0", "notebook")],
)
def test_the_button_is_there_while_streams_run(
    open_notebook: OpenNotebook, kernel: str, front_end: FrontEnd
) -> None:
    lab = open_notebook([SETUP, BLOCKING.format(count=2_000)], kernel=kernel, front_end=front_end)
    button = toolbar_button(lab)
    lab.run(0)
    expect(button).to_be_hidden()
    lab.start(1)
    expect(button).to_be_visible()
    assert lab.is_running(1)
    lab.click(button)
    lab.wait(1, timeout_s=5)
    expect(lab.output(1)).to_contain_text("■ cancelled after")
    expect(button).to_be_hidden()
    assert lab.page_errors == []


@pytest.mark.labs
@pytest.mark.parametrize(
    ("kernel", "front_end"),
    [("7.4.0", "lab"), pytest.param("6.31.0", "notebook", marks=pytest.mark.matrix)],
)
def test_the_shortcut_while_a_cell_blocks(
    open_notebook: OpenNotebook, kernel: str, front_end: FrontEnd
) -> None:
    lab = open_notebook([SETUP, BLOCKING.format(count=2_000)], kernel=kernel, front_end=front_end)
    lab.run(0)
    lab.start(1)
    expect(lab.output(1)).to_contain_text("word5 ")
    lab.cell(0).locator(".cm-content").click()
    lab.page.keyboard.press(SHORTCUT)
    lab.wait(1, timeout_s=5)
    expect(lab.output(1)).to_contain_text("■ cancelled after")
    typed_into = (
        "() => window.jupyterapp.shell.currentWidget.content.widgets[0].model.sharedModel.source"
    )
    assert lab.page.evaluate(typed_into) == SETUP


@pytest.mark.labs
def test_the_command_in_the_palette(open_notebook: OpenNotebook) -> None:
    lab = open_notebook([SETUP, BACKGROUND.format(count=2_000)])
    lab.run(0)
    lab.run(1)
    expect(lab.output(1)).to_contain_text("word5 ")
    lab.command("apputils:activate-command-palette")
    lab.page.keyboard.type("cancel the streams")
    entry = lab.page.locator(f'.lm-CommandPalette-item[data-command="{COMMAND}"]')
    expect(entry).to_contain_text("Cancel the streams of this notebook")
    lab.page.keyboard.press("Enter")
    expect(lab.output(1)).to_contain_text("■ cancelled after")
    expect(toolbar_button(lab)).to_be_hidden()
    # Once more, with nothing to see on the page: it says so.
    lab.command(COMMAND)
    lab.command("apputils:display-notifications")
    expect(lab.page.get_by_text("No stream is running in this notebook.")).to_be_visible()
    lab.page.keyboard.press("Escape")
    # A stream that no view shows counts, too.
    lab.run(1)
    expect(lab.output(1)).to_contain_text("word5 ")
    lab.command("notebook:clear-all-cell-outputs")
    expect(lab.output(1)).not_to_contain_text("word5 ")
    lab.pause(1)
    button = toolbar_button(lab)
    expect(button).to_be_visible()
    lab.click(button)
    expect(button).to_be_hidden()


@pytest.mark.labs
@pytest.mark.parametrize("kernel", [pytest.param("6.31.0", marks=pytest.mark.matrix), "7.4.0"])
def test_reload_while_a_cell_blocks(open_notebook: OpenNotebook, kernel: str) -> None:
    """No view comes back before the cell has ended; the button does."""
    lab = open_notebook([SETUP, BLOCKING.format(count=2_000), "print('next')"], kernel=kernel)
    lab.run(0)
    lab.start(1)
    expect(lab.output(1)).to_contain_text("word5 ")
    lab.save()
    lab.page.goto(lab.server.link(lab.name))
    button = toolbar_button(lab)
    expect(button).to_be_visible(timeout=30_000)
    lab.click(button)
    expect(button).to_be_hidden()
    expect(lab.output(1)).to_contain_text("■ cancelled after")
    lab.run(2)
    expect(lab.output(2)).to_have_text("next\n")


def test_each_notebook_has_its_own(open_notebook: OpenNotebook) -> None:
    lab = open_notebook([SETUP, BACKGROUND.format(count=2_000)])
    lab.run(0)
    lab.run(1)
    expect(toolbar_button(lab)).to_be_visible()
    lab.command("docmanager:new-untitled", path="", type="notebook")
    lab.command("docmanager:open", path="Untitled.ipynb", kernel={"name": "ipykernel-7.4.0"})
    other = lab.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .kkj-toolbar-button")
    expect(lab.page.locator(".jp-NotebookPanel")).to_have_count(2)
    lab.pause(2.5)
    expect(other).to_be_hidden()
    lab.server.shut_down_kernel_of("Untitled")


@pytest.mark.labs
def test_a_restart_takes_the_button_away(open_notebook: OpenNotebook) -> None:
    lab = open_notebook([SETUP, BACKGROUND.format(count=2_000)])
    lab.run(0)
    lab.run(1)
    expect(toolbar_button(lab)).to_be_visible()
    lab.restart_kernel()
    expect(toolbar_button(lab)).to_be_hidden()


def test_the_shortcut_can_be_changed(
    jupyter_server: JupyterServer, open_notebook: OpenNotebook
) -> None:
    bindings = (
        "() => window.jupyterapp.commands.keyBindings"
        f".filter((binding) => binding.command === '{COMMAND}').map((binding) => binding.keys[0])"
    )
    lab = open_notebook(["1"])
    lab.wait_until(f"() => ({bindings})().length === 1")
    assert lab.page.evaluate(bindings) == ["Ctrl Alt ."]
    settings = "/lab/api/settings/@jupyterlab/shortcuts-extension:shortcuts"
    its = {"command": COMMAND, "selector": ".jp-NotebookPanel"}
    own = [{**its, "keys": ["Accel Alt ."], "disabled": True}, {**its, "keys": ["Ctrl Alt X"]}]
    jupyter_server.request("PUT", settings, {"raw": json.dumps({"shortcuts": own})})
    try:
        lab.reload()
        lab.wait_until(f"() => ({bindings})().length === 1")
        assert lab.page.evaluate(bindings) == ["Ctrl Alt X"]
    finally:
        jupyter_server.request("PUT", settings, {"raw": "{}"})


# ---- saved outputs

GEOMETRY = """(index) => {
  const area = window.jupyterapp.shell.currentWidget.content.widgets[index].outputArea.node;
  const box = (element) => {
    const { left, top, right, height } = element.getBoundingClientRect();
    return { left, top, right, height };
  };
  const text = area.querySelector(".kkj-block");
  const { fontFamily, fontSize, color } = getComputedStyle(text);
  return {
    line: box(area.querySelector(".kkj-line")),
    text: box(text),
    pane: box(area.querySelector(".kkj-text")),
    font: [fontFamily, fontSize, color],
  };
}"""


@pytest.mark.labs
@pytest.mark.parametrize(
    ("front_end", "theme", "width_px"),
    [
        ("lab", "light", 1300),
        pytest.param("notebook", "dark", 1300, marks=pytest.mark.matrix),
        pytest.param("lab", "dark", 300, marks=pytest.mark.matrix),
    ],
)
def test_nothing_moves_when_the_live_view_gives_way(
    open_notebook: OpenNotebook, artifacts: Path, front_end: FrontEnd, theme: Theme, width_px: int
) -> None:
    # One line, so that nothing differs but what draws it.
    source = """async def one():
    yield "word"
    await asyncio.to_thread(hold)
await kk.show(one())"""
    lab = open_notebook([SETUP + HOLD, source], front_end=front_end, theme=theme, width_px=width_px)
    lab.run(0)
    lab.start(1)
    expect(lab.output(1).locator(".kkj-block")).to_have_text("word")
    live = lab.page.evaluate(GEOMETRY, 1)
    lab.screenshot(artifacts / f"labextension-live-{front_end}-{theme}-{width_px}.png")
    lab.let_go()
    lab.wait(1)
    expect(lab.output(1).locator(".kkj-static .kkj-block")).to_have_text("word")
    saved = lab.page.evaluate(GEOMETRY, 1)
    lab.screenshot(artifacts / f"labextension-saved-{front_end}-{theme}-{width_px}.png")
    assert saved == live
    assert lab.page_errors == []


@pytest.mark.labs
def test_reopened_without_a_kernel(open_notebook: OpenNotebook) -> None:
    lab = open_notebook([SETUP, "kk.show(words(20, 0.01))", "await kk.show(iter([1, {'a': [2]}]))"])
    lab.run(0)
    lab.run(1)
    lab.run(2)
    lab.save()
    assert MIME_TYPE in lab.saved().cells[1].outputs[0].data
    lab.reopen(with_kernel=False)
    expect(lab.output(1)).to_contain_text("✓ 20 items · first")
    expect(lab.output(1)).not_to_contain_text("model not found")
    assert lab.output(1).get_by_role("log").inner_text().strip() == words(20).strip()
    lab.button(1, "Copy the text of").click()
    assert lab.page.evaluate("() => navigator.clipboard.readText()") == words(20)
    # Values of the json view can still be opened.
    lab.output(2).locator("summary").click()
    expect(lab.output(2).locator(".kkj-tree-entries")).to_have_text('"a": [2]')
    assert our_errors(lab) == []


@pytest.mark.labs
def test_a_saved_plot_is_drawn_again(open_notebook: OpenNotebook, artifacts: Path) -> None:
    """Its part comes from the extension: for the live view, and where there is no kernel."""
    lab = open_notebook([SETUP, "kk.show(iter([n * n % 97 for n in range(300)]), view='plot')"])
    fetched: list[str] = []
    lab.page.on("request", lambda request: fetched.append(request.url))
    lab.run(0)
    lab.run(1)
    expect(lab.output(1).locator(".kkj-static canvas")).to_be_visible()
    assert [url for url in fetched if "/extensions/kkjupyter/parts/plot.js?v=plot-" in url]
    lab.screenshot(artifacts / "labextension-plot-live.png")
    lab.save()
    lab.reopen(with_kernel=False)
    canvas = lab.output(1).locator(".kkj-static canvas")
    expect(canvas).to_be_visible()
    lab.screenshot(artifacts / "labextension-plot-reopened.png")
    # It is no picture: the values under the pointer are told.
    box = canvas.bounding_box()
    assert box is not None
    before = lab.output(1).inner_text()
    lab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(lab.output(1)).not_to_have_text(before)
    assert our_errors(lab) == []


def test_what_nobody_has_signed_for_is_drawn_and_not_run(
    jupyter_server: JupyterServer, open_notebook: OpenNotebook
) -> None:
    view = make_view("text")
    text = "".join(f"line {i} <b>\n" for i in range(3_000))
    view.feed([text])
    long_text = view.bundle(Status(3, "lines()", "cancelled", "stream", 3_000, 9.5, 0.1))
    unknown_view = {
        MIME_TYPE: {"view": "mine", "pane": "mine", "state": "done", "count": 1, "elapsed_s": 1},
        "text/html": "<p>by a view of <b>mine</b></p><script>window.kkHacked = 1</script>",
        "text/plain": "by a view of mine",
    }
    hostile = "<img src=x onerror='window.kkHacked = 1'>"
    view = make_view("text")
    view.feed([hostile])
    status = Status(3, hostile, "failed", "stream", 1, 1.0, 0.1, hostile, (hostile,))
    lab = open_notebook(["1", "2", "3"])
    show_static(jupyter_server, lab, unknown_view, view.bundle(status), long_text)

    # What the extension cannot draw is shown as HTML.
    expect(lab.output(0).locator("b")).to_have_text("mine")
    # Hostile text stays text.
    expect(lab.output(1).get_by_role("log")).to_have_text(hostile)
    assert lab.output(1).locator("img").count() == 0
    # Long text begins at its top and unfolds.
    log = lab.output(2).get_by_role("log")
    expect(lab.output(2)).to_contain_text("■ cancelled after 3,000 items")
    assert log.text_content() == text
    lab.button(2, "Show all").click()
    assert log.evaluate("(e) => e.scrollTop") == 0
    assert log.evaluate("(e) => e.scrollHeight - e.clientHeight") == 0
    assert lab.page.evaluate("() => window.kkHacked") is None
    assert our_errors(lab) == []
