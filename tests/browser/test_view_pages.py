"""One live view in every page of its kernel, and the same one to its end."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from support.browser.lab import HOLD, Lab

from kkjupyter.notebook.views.saved_form import MIME_TYPE

OpenNotebook = Callable[..., Lab]

SETUP = "%load_ext kkjupyter\nimport asyncio, time, kkjupyter as kk" + HOLD

BLOCKS = """def words():
    for i in range(100):
        time.sleep(0.02)
        yield f"word{i}\\n"
    hold()
    yield "end"

kk.show(words()).wait()"""

BACKGROUND = BLOCKS.replace("kk.show(words()).wait()", "%rpc words() --background")

CLOSE_FIRST = """() => {
  const panels = [...window.jupyterapp.shell.widgets("main")].filter((one) => one.context);
  panels[0].close();
}"""
CONSOLE_IS_READY = """() => {
  const panel = window.jupyterapp.shell.currentWidget;
  return panel?.console && panel.sessionContext.session?.kernel?.status === "idle";
}"""
IN_CONSOLE = """(source) => {
  window.jupyterapp.shell.currentWidget.console.inject(source);
}"""
STATUS = "() => window.jupyterapp.shell.currentWidget.context.sessionContext.session.kernel.status"
SELECTED = "() => getSelection().toString()"


@pytest.mark.labs
@pytest.mark.parametrize(
    "kernel",
    [
        "6.29.5",
        pytest.param("6.31.0", marks=pytest.mark.matrix),
        pytest.param("7.3.0", marks=pytest.mark.matrix),
        "7.4.0",
    ],
)
def test_a_page_that_is_loaded_while_the_cell_runs_shows_it(
    open_notebook: OpenNotebook, kernel: str
) -> None:
    """A widget is shown only when the cell has ended: the kernel's shell does not answer."""
    lab = open_notebook([SETUP, BLOCKS], kernel=kernel)
    lab.run(0)
    lab.start(1)
    expect(lab.output(1)).to_contain_text("word20")
    lab.save()
    lab.reload()
    live = lab.output(1).get_by_role("log")
    expect(live).to_contain_text("word99")
    expect(lab.output(1)).not_to_contain_text("Loading widget")
    # The answer to the page's question has not made the kernel look idle.
    lab.wait_until(f"() => ({STATUS})() === 'busy'")
    lab.let_go()
    expect(lab.output(1).locator(".kkj-static")).to_contain_text("✓ 101 items")
    lab.wait_until(f"() => ({STATUS})() === 'idle'")
    lab.save()
    data = lab.saved().cells[1].outputs[0].data
    assert data[MIME_TYPE]["state"] == "done"
    assert data["text/plain"].endswith("word99\nend")
    assert lab.page_errors == []


@pytest.mark.labs
def test_at_the_end_nothing_is_replaced(open_notebook: OpenNotebook) -> None:
    """Whoever reads further up stays there, and what is marked stays marked."""
    lab = open_notebook([SETUP, BLOCKS])
    lab.run(0)
    lab.start(1)
    live = lab.output(1).get_by_role("log")
    expect(live).to_contain_text("word99")
    pane = live.element_handle()
    assert pane is not None
    pane.hover()
    lab.page.mouse.wheel(0, -700)
    lab.wait_until(
        "() => { const pane = document.querySelector('.kkj-scroll');"
        " return pane.scrollHeight - pane.scrollTop - pane.clientHeight > 100; }"
    )
    pane.evaluate(
        """(pane) => {
          const range = document.createRange();
          range.selectNodeContents(pane.querySelector(".kkj-block").firstChild);
          getSelection().removeAllRanges();
          getSelection().addRange(range);
        }"""
    )
    marked = lab.page.evaluate(SELECTED)
    assert "word" in marked
    lab.let_go()
    lab.wait(1)
    expect(lab.output(1).locator(".kkj-static")).to_contain_text("✓ 101 items")
    assert pane.evaluate("(pane) => pane.isConnected")
    # A line break at the very end is not counted as marked before something follows it.
    assert lab.page.evaluate(SELECTED).rstrip("\n") == marked.rstrip("\n")
    # No widget was made for a page with the extension.
    assert [one.kind for one in lab.traffic.iopub() if one.kind == "comm_open"] == []
    assert lab.page_errors == []


@pytest.mark.labs
def test_a_comparison_stays_itself(open_notebook: OpenNotebook) -> None:
    source = """def words(name):
    yield f"`{name}` begins "
    hold()
    yield "and ends"

kk.compare({name: words(name) for name in ("Ann", "Bob")}, view="markdown").wait()"""
    lab = open_notebook([SETUP, source])
    lab.run(0)
    lab.start(1)
    columns = lab.output(1).locator(".kkj-column")
    expect(columns).to_have_count(2)
    expect(columns.nth(1).locator("code")).to_have_text("Bob")
    column = columns.nth(1).element_handle()
    assert column is not None
    lab.let_go()
    lab.wait(1)
    expect(lab.output(1).locator(".kkj-static")).to_have_count(2)
    assert column.evaluate("(column) => column.isConnected")
    expect(columns.nth(1).get_by_role("button", name="Copy")).to_be_visible()
    lab.save()
    lab.reopen(with_kernel=False)
    columns = lab.output(1).locator(".kkj-column")  # of another page
    expect(columns).to_have_count(2)
    expect(columns.nth(1).locator("code")).to_have_text("Bob")
    expect(columns.nth(0)).to_contain_text("Ann begins and ends")
    expect(lab.output(1).locator(".kkj-figures")).to_contain_text("first item")


@pytest.mark.labs
def test_a_second_notebook_on_the_same_kernel(open_notebook: OpenNotebook) -> None:
    lab = open_notebook([SETUP, "1 + 1"])
    lab.run(0)
    kernel = lab.server.kernel_of(lab.name)
    lab.command("docmanager:new-untitled", path="", type="notebook")
    lab.command("docmanager:open", path="Untitled.ipynb", kernel={"id": kernel})
    lab.page.wait_for_function(
        "() => window.jupyterapp.shell.currentWidget?.context?.path === 'Untitled.ipynb'"
        " && window.jupyterapp.shell.currentWidget.context.sessionContext.session?.kernel"
    )
    lab.page.evaluate(
        "(source) => { window.jupyterapp.shell.currentWidget.content"
        ".widgets[0].model.sharedModel.setSource(source); }",
        BLOCKS,
    )
    lab.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-cell'); }")
    output = lab.page.locator(".jp-NotebookPanel:not(.lm-mod-hidden) .jp-Cell-outputArea").first
    expect(output.get_by_role("log")).to_contain_text("word99")
    expect(output).not_to_contain_text("Loading widget")
    lab.let_go()
    expect(output).to_contain_text("✓ 101 items")
    assert lab.page_errors == []


@pytest.mark.labs
def test_a_view_of_its_own_in_a_tab(open_notebook: OpenNotebook) -> None:
    """Lab's "Create New View for Cell Output"."""
    lab = open_notebook([SETUP, BLOCKS])
    lab.run(0)
    lab.start(1)
    expect(lab.output(1)).to_contain_text("word5")
    lab.command("notebook:create-output-view")
    clone = lab.page.locator(".jp-LinkedOutputView").get_by_role("log")
    expect(clone).to_contain_text("word99")
    lab.let_go()
    expect(clone).to_contain_text("end")
    assert lab.page_errors == []


def test_a_second_view_of_a_notebook_goes_on_without_the_first(
    open_notebook: OpenNotebook,
) -> None:
    """Lab's "New View for Notebook"."""
    lab = open_notebook([SETUP, BACKGROUND])
    lab.run(0)
    lab.run(1)
    expect(lab.output(1)).to_contain_text("word5")
    lab.save()  # else Lab asks about it
    lab.command("docmanager:clone")
    views = lab.page.locator(".jp-NotebookPanel .kkj")
    expect(views).to_have_count(2)
    lab.page.evaluate(CLOSE_FIRST)
    expect(views).to_have_count(1)
    lab.let_go()
    expect(views).to_contain_text("end")
    expect(lab.page.locator(".jp-NotebookPanel .kkj-static")).to_contain_text("✓ 101 items")
    assert lab.page_errors == []


@pytest.mark.labs
def test_a_console_shows_and_cancels(open_notebook: OpenNotebook) -> None:
    lab = open_notebook([SETUP])
    lab.run(0)
    lab.command("notebook:create-console")  # on the notebook's kernel
    lab.wait_until(CONSOLE_IS_READY)
    lab.page.evaluate(IN_CONSOLE, BLOCKS)
    console = lab.page.locator(".jp-CodeConsole")
    live = console.get_by_role("log")
    expect(live).to_contain_text("word99")
    pane = live.element_handle()
    assert pane is not None
    console.get_by_role("button", name="Cancel").click()
    expect(console.locator(".kkj-static")).to_contain_text("■ cancelled after 100 items")
    assert pane.evaluate("(pane) => pane.isConnected")
    lab.is_page_kept = False  # its console is left in it
    assert lab.page_errors == []
