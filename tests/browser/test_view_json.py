"""Values that unfold, and bars that fill."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect
from support.browser.lab import HOLD, Lab

OpenNotebook = Callable[..., Lab]

SETUP = "%load_ext kkjupyter\nimport time, kkjupyter as kk" + HOLD

ORDERS = """def orders():
    for n in range(3):
        lines = [{"what": "tea", "how many": n}, {"what": "milk", "how many": 1}]
        yield {"order": n, "lines": lines,
               "customer": {"name": "Alice", "address": {"street": "Hatter Lane", "number": 7}}}
    yield 42
    hold()

kk.show(orders(), view="json").wait()"""

COPYING = """def copying():
    for n in range(0, 301):
        yield {"done": n, "total": 400, "label": "copying"}
        time.sleep(0.005)
    hold()

kk.show(copying()).wait()"""


@pytest.mark.labs
@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.matrix)])
def test_values_unfold(open_notebook: OpenNotebook, artifacts: Path, theme: str) -> None:
    lab = open_notebook([SETUP, ORDERS], theme=theme, width_px=800)
    lab.run(0)
    lab.start(1)
    trees = lab.output(1).locator(".kkj-tree")
    expect(trees).to_have_count(3)
    trees.nth(1).locator("summary").click()
    entries = trees.nth(1).locator(".kkj-tree-entries").first
    expect(entries).to_contain_text('"order": 1')
    entries.locator("summary").last.press("Enter")
    expect(entries).to_contain_text('"name": "Alice"')
    lab.screenshot(artifacts / "pictures" / f"json-live-{theme}.png", 1)
    lab.let_go()
    lab.wait(1)
    expect(lab.output(1).locator(".kkj-static")).to_contain_text("✓ 4 items")
    expect(entries).to_contain_text('"name": "Alice"')  # what is open stays open
    lab.screenshot(artifacts / "pictures" / f"json-saved-{theme}.png", 1)
    assert lab.page_errors == []


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.matrix)])
def test_a_bar_fills(open_notebook: OpenNotebook, artifacts: Path, theme: str) -> None:
    lab = open_notebook([SETUP, COPYING], theme=theme, width_px=800)
    lab.run(0)
    lab.start(1)
    bar = lab.output(1).locator("[role=progressbar]")
    expect(lab.output(1)).to_contain_text("75 % · 300 of 400", timeout=15_000)
    expect(lab.output(1).locator(".kkj-progress-label")).to_have_text("copying")
    assert bar.get_attribute("aria-valuenow") == "75"
    lab.screenshot(artifacts / "pictures" / f"progress-live-{theme}.png", 1)
    lab.let_go()
    lab.wait(1)
    # It ended before it was complete.
    expect(lab.output(1).locator(".kkj-static")).to_contain_text("ended at 75 % · 300 of 400")
    lab.screenshot(artifacts / "pictures" / f"progress-saved-{theme}.png", 1)
    lab.save()
    assert "75 % · 300 of 400" in lab.saved().cells[1].outputs[0].data["text/plain"]
    assert lab.page_errors == []
