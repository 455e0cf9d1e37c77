"""Without the lab extension, as in front ends that have none: the widget shows what streams."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import expect
from support.browser.jupyter_server import FrontEnd, JupyterServer
from support.browser.lab import HOLD, Lab

from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.views import make_view
from kkjupyter.notebook.views.saved_form import MIME_TYPE

OpenNotebook = Callable[..., Lab]

SETUP = "%load_ext kkjupyter\nimport asyncio, time, kkjupyter as kk" + HOLD
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

STREAM = """async def words():
    for i in range(2_000):
        yield f"word{i} "
        await asyncio.sleep(0.05)
await kk.show(words())"""

LOOP = """def ticks():
    n = 0
    while True:
        yield n
        n += 1
        time.sleep(0.05)
for n in kk.show(ticks()):
    time.sleep(0.01)
print("went on")"""

BLOCKS = """def ticks():
    while True:
        yield "tick "
        time.sleep(0.05)
kk.show(ticks()).wait()"""

WITHOUT_CONTROL = """from kkjupyter.notebook.output.widget import LiveWidget
LiveWidget.control_road.default_value = False
"""

# JupyterLab makes its subshells on the same channel.
BREAK_CONTROL = """() => {
  const { kernel } = window.jupyterapp.shell.currentWidget.context.sessionContext.session;
  const send = kernel.sendControlMessage;
  kernel.sendControlMessage = function (message, ...options) {
    if (message.header.msg_type.startsWith("kkjupyter")) throw new Error("Kernel is dead");
    return send.call(this, message, ...options);
  };
}"""


@pytest.fixture(scope="module")
def jupyter_server(start_jupyter: Callable[..., JupyterServer]) -> Iterator[JupyterServer]:
    """A server whose front ends do not load the extension, unlike that of the other tests."""
    with start_jupyter(lab_extension=False) as server:
        yield server


@pytest.mark.labs
@pytest.mark.parametrize("front_end", ["lab", "notebook"])
def test_a_stream_is_shown_cancelled_and_saved(
    open_notebook: OpenNotebook, front_end: FrontEnd
) -> None:
    lab = open_notebook([SETUP, STREAM], front_end=front_end)
    lab.run(0)
    lab.start(1)
    expect(lab.output(1)).to_contain_text("word5 ")
    lab.pause(0.5)
    assert lab.page.locator(".kkj-toolbar-button").count() == 0
    commands = "() => window.jupyterapp.commands.listCommands().filter((c) => /kkjupyter/.test(c))"
    assert lab.page.evaluate(commands) == []
    lab.button(1, "Cancel").click()
    lab.wait(1)
    # What is drawn then is what any front end can draw.
    expect(lab.output(1)).to_contain_text("■ cancelled after")
    assert lab.page.locator(".kkj").count() == 0
    lab.save()
    data = lab.saved().cells[1].outputs[0].data
    assert WIDGET_VIEW not in data
    assert data["text/plain"].startswith("word0 word1 word2 ")
    assert "[■ cancelled after" in data["text/plain"]
    assert lab.page_errors == []
    assert [error for error in lab.console_errors if "kkjupyter" in error] == []


@pytest.mark.labs
def test_a_reload_in_mid_stream(open_notebook: OpenNotebook) -> None:
    source = """def words():
    for i in range(40):
        time.sleep(0.05)
        yield f"word{i} "
    hold()
    yield "end"

%rpc words() --background"""
    lab = open_notebook([SETUP, source])
    lab.run(0)
    lab.run(1)
    expect(lab.output(1)).to_contain_text("word20 ")
    lab.save()
    data = lab.saved().cells[1].outputs[0].data
    assert data[MIME_TYPE]["state"] == "streaming"
    assert data["text/plain"].startswith("word0 word1 word2 ")
    lab.reload()
    expect(lab.output(1).get_by_role("log")).to_contain_text("word39 ")
    lab.let_go()
    # The kernel's update of the display finds nothing in a page that was reloaded.
    expect(lab.output(1).get_by_role("log")).to_have_count(0)
    expect(lab.output(1)).to_contain_text("word39 end")
    lab.save()
    text = "".join(f"word{i} " for i in range(40)) + "end"
    assert lab.saved().cells[1].outputs[0].data["text/plain"] == text
    assert lab.page_errors == []


def test_values_with_a_form_of_their_own(open_notebook: OpenNotebook, artifacts: Path) -> None:
    source = """from IPython.display import HTML
class Picture:
    def _repr_svg_(self):
        return '<svg xmlns="http://www.w3.org/2000/svg" width="60" height="40"></svg>'

def values():
    yield Picture()
    yield HTML("<h2>Towns</h2><p>Rome</p><script>parent.ran = true</script>")
    hold()

kk.show(values()).wait()"""
    lab = open_notebook([SETUP, source])
    lab.run(0)
    lab.start(1)
    shown = lab.output(1).locator(".kkj-rich")
    expect(shown.locator("img")).to_have_count(1)
    expect(shown.frame_locator("iframe").locator("p")).to_have_text("Rome")
    lab.wait_until("() => document.querySelector('.kkj-rich iframe').clientHeight > 50")
    assert shown.locator("img").evaluate("(image) => image.naturalWidth") == 60
    lab.screenshot(artifacts / "rich-without-extension.png", 1)
    assert lab.page.evaluate("() => window.ran") is None
    lab.let_go()
    lab.wait(1)
    # What is saved is the user's own HTML, as at the end of any cell.
    expect(lab.output(1).locator("p").last).to_have_text("Rome")


@pytest.mark.labs
def test_side_by_side(open_notebook: OpenNotebook) -> None:
    source = """def words(name):
    yield f"{name} begins "
    hold()
    yield "and ends"

kk.compare({name: words(name) for name in ("Ann", "Bob")}).wait()"""
    lab = open_notebook([SETUP, source])
    lab.run(0)
    lab.start(1)
    columns = lab.output(1).locator(".kkj-column")
    expect(columns).to_have_count(2)
    expect(columns.nth(1)).to_contain_text("Bob begins")
    lab.let_go()
    lab.wait(1)
    expect(lab.output(1).locator("table")).to_contain_text("first item")
    expect(lab.output(1)).to_contain_text("Ann begins and ends")
    assert lab.page_errors == []


@pytest.mark.labs
@pytest.mark.parametrize("kernel", [pytest.param("7.3.0", marks=pytest.mark.matrix), "7.4.0"])
def test_with_the_control_channel_closed_the_widget_is_heard(
    open_notebook: OpenNotebook, kernel: str
) -> None:
    """By its own message, on a subshell."""
    lab = open_notebook([SETUP + WITHOUT_CONTROL, BLOCKS], kernel=kernel)
    lab.run(0)
    lab.start(1)
    expect(lab.output(1)).to_contain_text("tick tick")
    lab.click(lab.button(1, "Cancel"))
    lab.wait(1, timeout_s=10)
    expect(lab.output(1)).to_contain_text("cancelled after")
    assert not [one for one in lab.outputs(1) if one["output_type"] == "error"]


@pytest.mark.parametrize("kernel", [pytest.param("7.3.0", marks=pytest.mark.matrix), "7.4.0"])
def test_where_the_control_channel_throws_the_widget_is_heard(
    open_notebook: OpenNotebook, kernel: str
) -> None:
    lab = open_notebook([SETUP, LOOP], kernel=kernel)
    lab.run(0)
    lab.page.evaluate(BREAK_CONTROL)
    lab.start(1)
    button = lab.button(1, "Cancel")
    button.wait_for()
    lab.click(button)
    lab.wait(1)
    expect(lab.output(1)).to_contain_text("cancelled after")
    expect(lab.output(1)).to_contain_text("went on")
    assert not [one for one in lab.outputs(1) if one["output_type"] == "error"]
    assert lab.page_errors == []


def test_the_static_output_in_an_untrusted_notebook(
    jupyter_server: JupyterServer, open_notebook: OpenNotebook
) -> None:
    view = make_view("markdown")
    view.feed(["# Title\n\n**bold** <script>window.kkHacked = 1</script>\n\n| a |\n|---|\n| 1 |\n"])
    given = Status(3, "answer()", "cancelled", "stream", 3_000, 9.5, 0.1)
    lab = open_notebook(["1"])
    notebook = lab.saved()
    notebook.cells[0].outputs = [
        nbformat.v4.new_output("display_data", data=view.bundle(given), metadata={})
    ]
    jupyter_server.write(lab.name, notebook)  # written by no one the server has signed for
    lab.reopen(with_kernel=False)
    output = lab.output(0).locator(".jp-RenderedHTML")
    expect(output).not_to_have_class(re.compile("jp-mod-trusted"))
    expect(output).to_contain_text("■ cancelled after 3,000 items")
    expect(output.locator("strong")).to_have_text("bold")
    expect(output.locator("td")).to_have_text("1")
    expect(output).to_contain_text("<script>window.kkHacked = 1</script>")
    assert lab.page.evaluate("() => window.kkHacked") is None
