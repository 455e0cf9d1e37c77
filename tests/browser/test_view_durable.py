"""What is left of a view: after a reload, a save in mid-stream, a restart, the next day."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from support.browser.lab import HOLD, Lab

from kkjupyter.notebook.views.saved_form import MIME_TYPE

OpenNotebook = Callable[..., Lab]

SETUP = "%load_ext kkjupyter\nimport asyncio, threading, time, kkjupyter as kk" + HOLD
WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"

# The first 41 words come one by one, the others when the test lets them: however long a page loads.
BLOCKING = """def words():
    for i in range({count}):
        if i <= 40:
            time.sleep(0.02)
        if i == 41:
            hold()
        yield f"word{{i}} "

kk.show(words()).wait()"""

BACKGROUND = """def words():
    for i in range({count}):
        time.sleep(0.05)
        yield f"word{{i}} "

%rpc words() --background"""

# Stops half-way until a cell lets it go on, and is seen to go on.
HALTING = """go_on = threading.Event()

def words():
    for i in range(300):
        if i == 100:
            go_on.wait()
        time.sleep(0.02)
        yield f"word{i} "

%rpc words() --background"""

HELD = """from kkjupyter.notebook.output.ended import ended_outputs

for _ in range(100):
    if not ended_outputs.held_bytes:
        break
    await asyncio.sleep(0.1)
print(ended_outputs.held_bytes, "bytes held")"""

AWAITING = """async def words():
    for i in range({count}):
        if i <= 40:
            await asyncio.sleep(0.02)
        if i == 41:
            await asyncio.to_thread(hold)
        yield f"word{{i}} "

await kk.show(words())"""


def words(count: int) -> str:
    return "".join(f"word{i} " for i in range(count))


def assert_static_and_complete(lab: Lab, index: int, count: int) -> None:
    """The output is the static one, on screen, in the page's notebook, and in the file."""
    static = lab.output(index).locator(".kkj-static")
    expect(static).to_contain_text(f"✓ {count} items", timeout=30_000)
    expect(static).to_contain_text(words(count).strip())
    (data,) = [output["data"] for output in lab.outputs(index) if MIME_TYPE in output["data"]]
    assert WIDGET_VIEW not in data
    assert data["text/plain"] == words(count)
    lab.save()
    assert lab.saved().cells[index].outputs[0].data["text/plain"] == words(count)
    assert lab.page_errors == []


@pytest.mark.labs
@pytest.mark.parametrize("kernel", [pytest.param("7.3.0", marks=pytest.mark.matrix), "7.4.0"])
def test_reload_in_mid_stream(open_notebook: OpenNotebook, kernel: str) -> None:
    lab = open_notebook([SETUP, HALTING, "go_on.set()"], kernel=kernel)
    lab.run(0)
    lab.run(1)
    expect(lab.output(1)).to_contain_text("word30 ")
    lab.save()
    lab.reload()
    live = lab.output(1).get_by_role("log")
    expect(live).to_contain_text("word0 word1 word2 ")
    expect(live).to_contain_text("word99")
    shown = live.inner_text().strip()
    expect(lab.button(1, "Cancel")).to_be_visible()
    lab.run(2)
    expect(live).not_to_have_text(shown)  # it goes on
    expect(live).to_contain_text(shown)
    # The kernel's update of the display finds nothing in a page that was reloaded.
    assert_static_and_complete(lab, 1, 300)


@pytest.mark.parametrize("source", [BLOCKING, AWAITING], ids=["blocking", "awaiting"])
def test_reload_while_the_cell_runs(open_notebook: OpenNotebook, source: str) -> None:
    lab = open_notebook([SETUP, source.format(count=160)])
    lab.run(0)
    lab.start(1)
    expect(lab.output(1)).to_contain_text("word40 ")
    lab.save()
    lab.reload()
    expect(lab.output(1).get_by_role("log")).to_contain_text("word40 ")
    assert lab.output(1).locator(".kkj-static").count() == 0
    lab.let_go()
    assert_static_and_complete(lab, 1, 160)


@pytest.mark.labs
def test_a_reloaded_view_can_be_cancelled(open_notebook: OpenNotebook) -> None:
    lab = open_notebook([SETUP, BACKGROUND.format(count=2_000)])
    lab.run(0)
    lab.run(1)
    expect(lab.output(1)).to_contain_text("word20 ")
    lab.save()
    lab.reload()
    lab.button(1, "Cancel").click()
    expect(lab.output(1)).to_contain_text("■ cancelled after")
    expect(lab.output(1).locator(".kkj-static")).to_be_visible()


def test_a_save_in_mid_stream_holds_what_came(open_notebook: OpenNotebook) -> None:
    lab = open_notebook([SETUP, AWAITING.format(count=200)])
    lab.run(0)
    lab.start(1)
    expect(lab.output(1)).to_contain_text("word40 ")
    view = lab.output(1).locator(".kkj").element_handle()
    lab.save()
    data = lab.saved().cells[1].outputs[0].data
    assert data["text/plain"].startswith(words(40))
    assert "[not finished when saved: ● " in data["text/plain"]
    assert data[MIME_TYPE]["state"] == "streaming"
    # Saving did not draw the view anew: a selection in it would be gone.
    assert view is not None
    assert view.evaluate("(element) => element.isConnected")
    lab.let_go()
    lab.wait(1)
    lab.save()
    data = lab.saved().cells[1].outputs[0].data
    assert WIDGET_VIEW not in data
    assert data["text/plain"] == words(200)


def test_reload_after_the_end_without_a_save(open_notebook: OpenNotebook) -> None:
    """The file has the live view only; the kernel still has what takes its place."""
    lab = open_notebook([SETUP, HALTING, "go_on.set()", HELD])
    lab.run(0)
    lab.run(1)
    expect(lab.output(1)).to_contain_text("word30 ")
    lab.save()
    lab.run(2)
    expect(lab.output(1).locator(".kkj-static")).to_contain_text("word299", timeout=60_000)
    lab.reload()
    assert_static_and_complete(lab, 1, 300)
    # What is in the file need not be kept by the kernel any longer.
    lab.run(3)
    expect(lab.output(3)).to_contain_text("0 bytes held")


@pytest.mark.labs
def test_kernel_restarted_in_mid_stream(open_notebook: OpenNotebook) -> None:
    lab = open_notebook([SETUP, AWAITING.format(count=2_000)])
    lab.run(0)
    lab.start(1)
    expect(lab.output(1)).to_contain_text("word40 ")
    lab.restart_kernel()
    # The kernel ends the cell, whose last words may still reach the page. If not, that puts the
    # static output into the notebook itself: no kernel knows of it any more.
    end = re.compile("✕ kernel restarted after|■ cancelled after")
    expect(lab.output(1).locator(".kkj-static")).to_contain_text(end)
    expect(lab.output(1)).to_contain_text(words(40).strip())
    lab.save()
    data = lab.saved().cells[1].outputs[0].data
    assert WIDGET_VIEW not in data
    assert data["text/plain"].startswith(words(40))
    assert end.search(data["text/plain"])
    assert data[MIME_TYPE]["state"] in ("lost", "cancelled")
    assert lab.page_errors == []


def test_the_kernel_dies_in_mid_stream(open_notebook: OpenNotebook) -> None:
    dies = "import os, threading\nthreading.Timer(1.5, os.kill, (os.getpid(), 9)).start()\n"
    lab = open_notebook([SETUP, dies + AWAITING.format(count=2_000)])
    lab.run(0)
    lab.start(1)
    # The server looks after its kernels every few seconds, and starts a new one.
    expect(lab.output(1)).to_contain_text("kernel restarted after", timeout=30_000)
    expect(lab.output(1)).to_contain_text(words(20).strip())
    # The page itself puts the static output into the notebook: no kernel knows of it any more.
    expect(lab.output(1).locator(".kkj-static")).to_contain_text("✕ kernel restarted after")
    lab.save()
    data = lab.saved().cells[1].outputs[0].data
    assert "[✕ kernel restarted after" in data["text/plain"]
    assert data[MIME_TYPE]["state"] == "lost"
