"""Nothing essential needs the lab extension; all other browser tests run without it, too."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from support.browser.jupyter_server import FrontEnd
from support.browser.lab import Lab

OpenNotebook = Callable[..., Lab]

SETUP = "%load_ext kkjupyter\nimport asyncio, kkjupyter as kk"
STREAM = """async def words():
    for i in range(2_000):
        yield f"word{i} "
        await asyncio.sleep(0.05)
await kk.show(words())"""


@pytest.mark.parametrize("front_end", ["lab", "notebook"])
def test_disabled(open_notebook: OpenNotebook, front_end: FrontEnd) -> None:
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
    # What is drawn then is the HTML of the notebook.
    static = lab.output(1).locator(".jp-RenderedHTML .kkj-static")
    expect(static).to_contain_text("■ cancelled after")
    assert lab.page_errors == []
    assert [error for error in lab.console_errors if "kkjupyter" in error] == []
