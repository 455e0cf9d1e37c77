"""The pictures of the README, taken from the real thing: copy them from .artifacts/pictures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect
from support.lab import Lab

OpenNotebook = Callable[..., Lab]

SETUP = "%load_ext kkjupyter\n%rpc connect demo as api"


def test_a_chat_while_it_streams(open_notebook: OpenNotebook, artifacts: Path) -> None:
    lab = open_notebook([SETUP, '%rpc api.chat("Tell me about the Cat")'], width_px=900)
    lab.run(0)
    lab.start(1)
    expect(lab.output(1)).to_contain_text("/s")
    expect(lab.button(1, "Cancel")).to_be_visible()
    lab.pause(1.5)
    assert lab.is_running(1)
    lab.screenshot(artifacts / "pictures" / "live-view.png", 1)
    lab.wait(1)
    expect(lab.output(1)).to_contain_text("✓")
