"""Streams at hand in JupyterLab: the Running panel, notices, the button's number."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect
from support.browser.jupyter_server import JupyterServer
from support.browser.lab import HOLD, Lab, Theme

OpenNotebook = Callable[..., Lab]

SETUP = f"""%load_ext kkjupyter
import asyncio, time, kkjupyter as kk
{HOLD}
def words(count, pause_s=0.05):
    for i in range(count):
        time.sleep(pause_s)
        yield f"word{{i}} "

def poem(lines=1):
    for i in range(lines):
        yield "so much depends "
    hold()
    yield "upon"

def broken():
    yield "a red"
    hold()
    raise ValueError("no wheelbarrow")"""
WORDS = "%rpc words(2000) --background"
POEM = "%rpc poem() --background"
BROKEN = "%rpc broken() --background"
LONG = "md:" + "\n\n".join(f"line {i}" for i in range(100))
GONE_WITHIN_S = 1.0


@pytest.fixture(scope="module")
def jupyter_server(start_jupyter: Callable[..., JupyterServer]) -> Iterator[JupyterServer]:
    """A server whose front ends show notices, unlike other tests'."""
    with start_jupyter(lab_extension=True) as server:
        quiet = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": False}
        settings = "/lab/api/settings/@jupyterlab/apputils-extension:notification"
        server.request("PUT", settings, {"raw": json.dumps(quiet)})
        yield server


def toolbar_button(lab: Lab) -> Locator:
    return lab.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .kkj-toolbar-button")


def rows(lab: Lab) -> Locator:
    return lab.page.locator(".jp-RunningSessions .kkj-running-stream")


def toasts(lab: Lab) -> Locator:
    return lab.page.locator(".jp-toastContainer .Toastify__toast")


def is_on_screen(lab: Lab, index: int) -> bool:
    seen: bool = lab.page.evaluate(
        """(index) => {
          const panel = window.jupyterapp.shell.currentWidget;
          const cell = panel.content.widgets[index];
          const box = cell.outputArea.node.getBoundingClientRect();
          const frame = panel.content.node.getBoundingClientRect();
          return box.height > 0 && box.bottom > frame.top && box.top < frame.bottom;
        }""",
        index,
    )
    return seen


def activate(lab: Lab, index: int) -> None:
    lab.page.evaluate(
        "(i) => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = i; }", index
    )


def scroll_to(lab: Lab, index: int) -> None:
    lab.page.evaluate(
        "(i) => window.jupyterapp.shell.currentWidget.content.scrollToItem(i, 'end')", index
    )


# ---- the Running panel


@pytest.mark.labs
@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.matrix)])
def test_the_running_panel_lists_what_runs(
    open_notebook: OpenNotebook, artifacts: Path, theme: Theme
) -> None:
    lab = open_notebook([SETUP, WORDS, POEM, LONG], theme=theme)
    for index in (0, 1, 2):
        lab.run(index)
    lab.command("running:show-panel")
    expect(rows(lab)).to_have_count(2)
    expect(rows(lab).nth(0)).to_contain_text("words()")
    expect(rows(lab).nth(0)).to_contain_text("/s")
    expect(rows(lab).nth(1)).to_contain_text("poem()")
    expect(rows(lab).nth(1)).to_contain_text("nothing for ")
    lab.screenshot(artifacts / f"labextension-running-{theme}.png")

    # A click goes to the cell.
    scroll_to(lab, 3)
    lab.wait_until(
        "() => document.querySelector('.jp-WindowedPanel-outer').scrollTop > 500",
    )
    rows(lab).nth(1).get_by_text("poem()").click()
    lab.wait_until("() => window.jupyterapp.shell.currentWidget.content.activeCellIndex === 2")
    expect(lab.output(2)).to_contain_text("so much depends")
    assert is_on_screen(lab, 2)

    # Its x cancels the one, the button of the section all.
    rows(lab).nth(0).hover()
    rows(lab).nth(0).locator(".jp-RunningSessions-itemShutdown").click()
    expect(rows(lab)).to_have_count(1)
    expect(lab.output(1)).to_contain_text("■ cancelled after")
    lab.page.get_by_role("button", name="Cancel All").first.click()
    dialog = lab.page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("cancel all streams of the notebooks that are open here?")
    dialog.get_by_role("button", name="Cancel All").click()
    expect(rows(lab)).to_have_count(0)
    lab.let_go()
    assert toasts(lab).count() == 0
    assert lab.page_errors == []


def test_the_running_panel_knows_all_notebooks(
    jupyter_server: JupyterServer, open_notebook: OpenNotebook
) -> None:
    lab = open_notebook([SETUP, POEM])
    lab.run(0)
    lab.run(1)
    lab.command("docmanager:new-untitled", path="", type="notebook")
    lab.command("docmanager:open", path="Untitled.ipynb", kernel={"name": "ipykernel-7.4.0"})
    lab.wait_until("() => window.jupyterapp.shell.currentWidget.context.path === 'Untitled.ipynb'")
    lab.command("running:show-panel")
    rows(lab).get_by_text("poem()").click()
    lab.wait_until("() => window.jupyterapp.shell.currentWidget.context.path !== 'Untitled.ipynb'")
    assert is_on_screen(lab, 1)
    lab.let_go()
    expect(rows(lab)).to_have_count(0)
    jupyter_server.shut_down_kernel_of("Untitled")


# ---- the button


def test_the_button_says_how_many_and_which(open_notebook: OpenNotebook, artifacts: Path) -> None:
    lab = open_notebook([SETUP, POEM, WORDS])
    lab.run(0)
    lab.run(1)
    button = toolbar_button(lab)
    expect(button).to_have_text("Cancel stream")
    lab.run(2)
    expect(button).to_have_text("Cancel 2 streams")
    tooltip = button.locator("[title]").first.get_attribute("title")
    assert tooltip is not None
    assert tooltip.splitlines()[:2] == ["poem()", "words()"]
    lab.screenshot(artifacts / "labextension-button-1300.png")
    lab.set_width(400)
    lab.screenshot(artifacts / "labextension-button-400.png")
    lab.set_width(1300)
    lab.click(button)
    expect(button).to_be_hidden()
    lab.let_go()


# ---- notices


@pytest.mark.labs
@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.matrix)])
def test_a_stream_that_ends_out_of_sight_is_told(
    open_notebook: OpenNotebook, artifacts: Path, theme: Theme
) -> None:
    lab = open_notebook([SETUP, POEM, LONG], theme=theme)
    lab.run(0)
    lab.run(1)
    expect(toolbar_button(lab)).to_be_visible()
    scroll_to(lab, 2)
    lab.wait_until("() => document.querySelector('.jp-WindowedPanel-outer').scrollTop > 500")
    lab.let_go()
    expect(toasts(lab)).to_have_count(1)
    expect(toasts(lab)).to_contain_text("poem() finished: 2 items, ")
    lab.pause(0.7)  # it slides in
    lab.screenshot(artifacts / f"labextension-notice-{theme}.png")
    toasts(lab).get_by_role("button", name="Show", exact=True).click()
    lab.wait_until("() => window.jupyterapp.shell.currentWidget.content.activeCellIndex === 1")
    assert is_on_screen(lab, 1)
    expect(toasts(lab)).to_have_count(0)


def test_many_ends_are_one_notice_from_another_tab(open_notebook: OpenNotebook) -> None:
    lab = open_notebook([SETUP, POEM, POEM, BROKEN])
    for index in range(4):
        lab.run(index)
    expect(toolbar_button(lab)).to_have_text("Cancel 3 streams")
    lab.command("launcher:create")
    lab.wait_until("() => !window.jupyterapp.shell.currentWidget.context")
    lab.let_go()
    expect(toasts(lab)).to_have_count(1)
    expect(toasts(lab)).to_contain_text("3 streams ended: 2 finished, 1 failed")
    toasts(lab).get_by_role("button", name="Show", exact=True).click()
    lab.wait_until("() => window.jupyterapp.shell.currentWidget.content?.activeCellIndex === 3")
    assert is_on_screen(lab, 3)


def test_what_is_seen_or_waited_for_or_cancelled_here_is_not_told(
    open_notebook: OpenNotebook,
) -> None:
    lab = open_notebook([SETUP, POEM, "kk.show(poem()).wait()", WORDS, LONG])
    for index in (0, 1, 3):
        lab.run(index)
    lab.start(2)
    expect(toolbar_button(lab)).to_have_text("Cancel 3 streams")
    lab.let_go()
    lab.wait(2)
    expect(lab.output(1)).to_contain_text("✓ 2 items")
    expect(toolbar_button(lab)).to_have_text("Cancel stream")
    scroll_to(lab, 4)
    lab.wait_until("() => document.querySelector('.jp-WindowedPanel-outer').scrollTop > 500")
    lab.command("kkjupyter:cancel-streams")
    expect(toolbar_button(lab)).to_be_hidden()
    lab.pause(2)
    assert toasts(lab).all_inner_texts() == []


def test_what_another_page_cancels_is_told(
    jupyter_server: JupyterServer, open_notebook: OpenNotebook
) -> None:
    lab = open_notebook([SETUP, POEM, LONG])
    lab.run(0)
    lab.run(1)
    expect(toolbar_button(lab)).to_be_visible()
    scroll_to(lab, 2)
    lab.wait_until("() => document.querySelector('.jp-WindowedPanel-outer').scrollTop > 500")
    other = lab.page.context.new_page()
    other.goto(jupyter_server.link(lab.name))
    lab.page.bring_to_front()
    button = other.locator(".jp-NotebookPanel-toolbar .kkj-toolbar-button")
    expect(button).to_be_visible(timeout=60_000)
    lab.pause(5)  # what was run here last might have done it
    other.evaluate("() => window.jupyterapp.commands.execute('kkjupyter:cancel-streams')")
    expect(toasts(lab)).to_contain_text("poem() was cancelled after 1 item")
    other.close()
    lab.is_page_kept = False
    lab.let_go()


def test_notices_can_be_turned_off(
    jupyter_server: JupyterServer, open_notebook: OpenNotebook
) -> None:
    settings = "/lab/api/settings/kkjupyter:streams"
    jupyter_server.request("PUT", settings, {"raw": json.dumps({"notifyWhenStreamEnds": False})})
    try:
        lab = open_notebook([SETUP, POEM, LONG])
        lab.reload()
        lab.run(0)
        lab.run(1)
        expect(toolbar_button(lab)).to_be_visible()
        scroll_to(lab, 2)
        lab.let_go()
        expect(toolbar_button(lab)).to_be_hidden()
        lab.pause(2)
        assert toasts(lab).count() == 0
        lab.is_page_kept = False
    finally:
        jupyter_server.request("PUT", settings, {"raw": "{}"})


# ---- cells and kernels that go away


@pytest.mark.labs
@pytest.mark.parametrize(
    ("leave", "come_back"),
    [
        ("notebook:delete-cell", "notebook:undo-cell-action"),
        ("notebook:cut-cell", "notebook:paste-cell-above"),
    ],
)
def test_a_cell_that_comes_back_keeps_its_stream(
    open_notebook: OpenNotebook, leave: str, come_back: str
) -> None:
    lab = open_notebook([SETUP, POEM, "print('next')"])
    lab.run(0)
    lab.run(1)
    expect(lab.output(1)).to_contain_text("so much depends")
    activate(lab, 1)
    lab.command(leave)
    lab.wait_until("() => window.jupyterapp.shell.currentWidget.content.widgets.length === 2")
    activate(lab, 1)
    lab.command(come_back)
    lab.wait_until("() => window.jupyterapp.shell.currentWidget.content.widgets.length === 3")
    lab.run(2)
    expect(lab.output(2)).to_have_text("next\n")
    expect(toolbar_button(lab)).to_have_text("Cancel stream")
    # One that stays deleted is cancelled, as before.
    activate(lab, 1)
    lab.command("notebook:delete-cell")
    lab.run(1)
    expect(lab.output(1)).to_contain_text("cancelled poem(): its cell was deleted or cut")
    lab.let_go()


@pytest.mark.labs
def test_a_kernel_that_is_shut_down_elsewhere_is_gone_soon(
    jupyter_server: JupyterServer, open_notebook: OpenNotebook
) -> None:
    lab = open_notebook([SETUP, WORDS])
    lab.run(0)
    lab.run(1)
    lab.command("running:show-panel")
    expect(rows(lab)).to_have_count(1)
    kernel_id = jupyter_server.kernel_of(lab.name)
    jupyter_server.request("DELETE", f"/api/kernels/{kernel_id}")
    answered_s = time.time()
    expect(rows(lab)).to_have_count(0)
    expect(lab.output(1)).to_contain_text("✕ kernel stopped after")
    gone_s = time.time()
    assert gone_s - answered_s < GONE_WITHIN_S
    lab.is_page_kept = False
