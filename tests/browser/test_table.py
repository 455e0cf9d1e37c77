"""The table view in the browser: how it looks, what a user does with it, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from support.lab import Lab, Theme

OpenNotebook = Callable[..., Lab]

SETUP = "%load_ext kkjupyter\nimport asyncio, datetime, time, kkjupyter as kk"
ROWS = """async def readings(count=60, pause_s=0.05):
    for i in range(count):
        row = {
            "id": i,
            "place": ["kitchen", "garden", "cellar"][i % 3],
            "celsius": round(20 + 5 * (-1) ** i * i / 7, 2),
            "ok": i % 4 != 0,
            "at": datetime.datetime(2026, 1, 2, 3, 4, 5) + datetime.timedelta(minutes=i),
            "note": None if i % 5 else "a long remark " * 6,
        }
        if i > 20:
            row["late"] = {"x": i}
        yield row
        await asyncio.sleep(pause_s)
    await asyncio.sleep(5)"""
SHOWN = "await kk.show(readings())"


@pytest.mark.parametrize("width_px", [300, 1300])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_how_it_looks(
    open_notebook: OpenNotebook, artifacts: Path, theme: Theme, width_px: int
) -> None:
    lab = open_notebook([SETUP, ROWS, SHOWN], theme=theme, width_px=width_px)
    pictures = artifacts / f"table-{theme}-{width_px}"
    lab.run(0)
    lab.run(1)
    lab.start(2)
    lab.wait_until("() => document.querySelectorAll('.kkj-table-rows > *').length > 25")
    lab.screenshot(pictures / "streaming.png", 2)
    lab.page.locator(".kkj-table-columnhead button").nth(2).click()
    lab.pause(0.2)
    lab.screenshot(pictures / "sorted.png", 2)
    lab.page.locator(".kkj-table-columnhead button").nth(2).click()
    lab.page.locator(".kkj-table-columnhead button").nth(2).click()
    lab.wait_until(
        "() => document.querySelector('.kkj-table-caption')?.textContent.startsWith('60 ')"
    )
    lab.screenshot(pictures / "last.png", 2)
    lab.wait(2)
    lab.pause(0.3)
    lab.screenshot(pictures / "done.png", 2)
    assert lab.page_errors == []
