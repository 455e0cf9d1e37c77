"""A page that misses messages, or gets them late, shows the truth in the end and hurts nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from support.browser.jupyter_server import JupyterServer
from support.browser.lab import Lab
from support.browser.page_link import PageLink
from support.kernels.kernel import wait_until

OpenNotebook = Callable[..., Lab]

# Streams go on until the test touches a file: the page may be told nothing of it.
SETUP = """%load_ext kkjupyter
import asyncio, os, pathlib, time, kkjupyter as kk
name = os.environ["JPY_SESSION_NAME"]
def may_end():
    return os.path.exists(name + ".go")
def note(text):
    pathlib.Path(name + ".ended").write_text(text)"""

BACKGROUND = """async def words():
    yield "One. "
    while not may_end():
        await asyncio.sleep(0.02)
    yield "Two."
shown = kk.show(words())
async def show():
    reply = await shown
    note(reply.status)
task = asyncio.ensure_future(show())
await asyncio.sleep(0.5)"""

LOOP = """def ticks():
    n = 0
    while True:
        yield n
        n += 1
        time.sleep(0.05)
for n in kk.show(ticks()):
    time.sleep(0.01)
print("went on")"""


def open_streaming(open_notebook: OpenNotebook, *cells: str) -> tuple[Lab, PageLink]:
    """A notebook with a stream in the background in cell 1, and the link to it."""
    lab = open_notebook([SETUP, BACKGROUND, *cells])
    link = PageLink(lab)
    lab.run(0)
    lab.run(1)
    expect(lab.output(1).get_by_role("log")).to_contain_text("One.")
    return lab, link


def end_unheard(lab: Lab, link: PageLink) -> None:
    """The stream ends, and the page is not told."""
    link.lose()
    lab.let_go()
    ended = lab.server.root / f"{lab.name}.ipynb.ended"
    wait_until(lambda: ended.exists() and ended.read_text() == "done", "the end of the stream")
    lab.pause(1)  # what is said after the end is lost, too
    assert link.find() > 0


def expect_the_end(lab: Lab) -> None:
    static = lab.output(1).locator(".kkj-static")
    expect(static).to_contain_text("✓ 2 items", timeout=30_000)
    expect(static).to_contain_text("One. Two.")
    # The kernel's own update was lost; what the page knows goes into the file.
    lab.save()
    (output,) = [one for one in lab.saved().cells[1].outputs if "data" in one]
    assert output.data["text/plain"] == "One. Two."
    assert lab.page_errors == []


def test_a_page_finds_out_that_a_stream_has_ended(open_notebook: OpenNotebook) -> None:
    lab, link = open_streaming(open_notebook)
    end_unheard(lab, link)
    assert "✓" not in lab.output(1).inner_text()
    expect_the_end(lab)


def test_cancel_of_what_is_over_shows_the_end(open_notebook: OpenNotebook) -> None:
    lab, link = open_streaming(open_notebook, "print('next')")
    end_unheard(lab, link)
    lab.click(lab.button(1, "Cancel"))
    expect_the_end(lab)
    lab.run(2)
    expect(lab.output(2)).to_have_text("next\n")


def test_a_restart_that_the_page_was_not_told_of(
    open_notebook: OpenNotebook, jupyter_server: JupyterServer
) -> None:
    lab, link = open_streaming(open_notebook)
    kernel = jupyter_server.kernel_of(lab.name)
    link.lose()
    jupyter_server.request("POST", f"/api/kernels/{kernel}/restart")
    lab.pause(2)
    link.find()
    lab.click(lab.button(1, "Cancel"))
    expect(lab.output(1)).to_contain_text("kernel restarted after 1 item", timeout=40_000)
    assert lab.page_errors == []


def test_over_a_slow_link_cancel_interrupts_nothing(open_notebook: OpenNotebook) -> None:
    """A round trip of 3 s is longer than an answer is waited for at the least."""
    lab = open_notebook([SETUP, LOOP, "print('next')", "1"])
    link = PageLink(lab)
    interrupts: list[str] = []
    lab.page.on(
        "request",
        lambda request: interrupts.append(request.url) if "/interrupt" in request.url else None,
    )
    link.slow(1.5)
    lab.run(0)
    lab.run(3)
    lab.start(1)
    button = lab.button(1, "Cancel")
    button.wait_for()
    lab.click(button)
    expect(lab.output(1)).to_contain_text("cancelling")
    lab.wait(1)
    expect(lab.output(1)).to_contain_text("cancelled after")
    expect(lab.output(1)).to_contain_text("went on")
    lab.run(2)
    expect(lab.output(2)).to_have_text("next\n")
    assert not [one for one in lab.outputs(1) if one["output_type"] == "error"]
    assert interrupts == []
    assert lab.page_errors == []


@pytest.mark.labs
def test_a_notebook_that_is_closed_and_opened_again_shows_what_runs(
    open_notebook: OpenNotebook,
) -> None:
    lab, _ = open_streaming(open_notebook)
    lab.save()
    lab.command("application:close")
    lab.page.wait_for_function("() => !window.jupyterapp.shell.currentWidget?.context")
    lab.command("docmanager:open", path=f"{lab.name}.ipynb")
    expect(lab.output(1).get_by_role("log")).to_contain_text("One.", timeout=60_000)
    expect(lab.output(1)).not_to_contain_text("kernel stopped")
    expect(lab.button(1, "Cancel")).to_be_visible()
    lab.let_go()
    expect_the_end(lab)
