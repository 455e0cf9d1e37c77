"""The diagram of a call's frames: live below the view, opened by a click, and what is saved."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect
from support.browser.lab import Lab

OpenNotebook = Callable[..., Lab]

SETUP = "%load_ext kkjupyter\n%rpc connect demo as api"
CALL = "%rpc api.ticks() --trace --take 40"


@pytest.mark.labs
@pytest.mark.parametrize(
    ("theme", "width_px"),
    [
        ("light", 1300),
        pytest.param("dark", 1300, marks=pytest.mark.matrix),
        pytest.param("light", 300, marks=pytest.mark.matrix),
    ],
)
def test_the_frames_are_drawn_while_they_come_and_stay(
    open_notebook: OpenNotebook, artifacts: Path, theme: str, width_px: int
) -> None:
    lab = open_notebook([SETUP, CALL, "%rpc trace last"], theme=theme, width_px=width_px)
    lab.run(0)
    lab.start(1)
    pane = lab.output(1).locator(".kkj-trace")
    expect(pane).to_contain_text("response (stream)")
    expect(pane).to_contain_text("chunk × ")
    expect(lab.output(1).get_by_role("button", name="Cancel")).to_have_count(1)
    request = pane.locator("summary", has_text="request")
    request.click()
    expect(pane.locator("pre").first).to_contain_text("ticks")
    before = pane.locator("tbody").inner_text()
    lab.wait_until(
        "(before) => document.querySelector('.kkj-trace tbody')?.innerText !== before", arg=before
    )
    expect(pane.locator("pre").first).to_be_visible()  # it stays open while the diagram grows
    lab.screenshot(artifacts / "pictures" / f"trace-live-{theme}-{width_px}.png", 1)
    lab.wait(1)
    expect(lab.output(1).locator(".kkj-static").first).to_contain_text("✓ 40 items")
    saved = lab.output(1).locator(".kkj-trace table")
    expect(saved).to_contain_text("cancel")
    expect(saved.locator("pre").first).to_be_visible()  # it is as the reader left it
    lab.screenshot(artifacts / "pictures" / f"trace-saved-{theme}-{width_px}.png", 1)
    lab.run(2)
    expect(lab.output(2).locator("table")).to_contain_text("request ticks")
    lab.screenshot(artifacts / "pictures" / f"trace-last-{theme}-{width_px}.png", 2)
    lab.save()
    for cell in (1, 2):
        data = lab.saved().cells[cell].outputs[-1].data
        assert {"text/html", "text/plain"} <= set(data)
        assert "image/png" not in data
        assert "─► " in data["text/plain"] or "►│" in data["text/plain"]
    assert lab.page_errors == []
    # So it is without a kernel, and without trust.
    lab.reopen(with_kernel=False)
    table = lab.output(1).locator(".kkj-trace table")
    expect(table).to_contain_text("response (stream)")
    table.locator("summary", has_text="request").click()
    expect(table.locator("pre").first).to_contain_text("ticks")
