"""Several streams side by side in a real notebook."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect
from support.browser.lab import Lab

OpenNotebook = Callable[..., Lab]

SETUP = "%load_ext kkjupyter\nimport time, kkjupyter as kk\n%rpc connect demo as api"

COMPARE = """kk.compare({
    "toy": api.chat("Tell me about the Cat", max_tokens=60),
    "slow toy": api.chat("Tell me about the Queen", max_tokens=1000, pause_s=0.1),
})"""


@pytest.mark.parametrize(
    ("theme", "width_px"),
    [
        ("light", 1000),
        pytest.param("dark", 1000, marks=pytest.mark.matrix),
        pytest.param("light", 320, marks=pytest.mark.matrix),
    ],
)
def test_side_by_side(
    open_notebook: OpenNotebook, artifacts: Path, theme: str, width_px: int
) -> None:
    lab = open_notebook([SETUP, COMPARE, "sorted(_.items())"], theme=theme, width_px=width_px)
    lab.run(0)
    lab.start(1)
    columns = lab.output(1).locator(".kkj-column")
    expect(columns).to_have_count(2)
    expect(columns.nth(0)).to_contain_text("✓", timeout=20_000)
    expect(lab.output(1).locator(".kkj-figures")).to_contain_text("/s")
    expect(columns.nth(0).get_by_role("button", name="Copy")).to_be_visible(timeout=10_000)
    assert lab.is_running(1)
    lab.screenshot(artifacts / "pictures" / f"compare-live-{theme}-{width_px}.png", 1)
    if width_px > 500:
        tops = [columns.nth(n).bounding_box()["y"] for n in range(2)]  # type: ignore[index]
        assert tops[0] == tops[1]
    columns.nth(1).get_by_role("button", name="Cancel slow toy").click()
    lab.wait(1)
    static = lab.output(1).locator(".kkj-static")
    expect(static).to_have_count(2)
    expect(static.nth(0)).to_contain_text("✓")
    expect(static.nth(1)).to_contain_text("■ cancelled after")
    expect(lab.output(1).locator("table")).to_contain_text("first item")
    lab.screenshot(artifacts / "pictures" / f"compare-saved-{theme}-{width_px}.png", 1)
    lab.run(2)
    expect(lab.output(2)).to_contain_text("('toy', <Reply")
    assert lab.page_errors == []


def test_one_button_for_all_while_the_cell_blocks(open_notebook: OpenNotebook) -> None:
    cell = 'kk.compare({name: api.ticks() for name in ("A", "B", "C")}).wait()'
    lab = open_notebook([SETUP, cell])
    lab.run(0)
    lab.start(1)
    button = lab.output(1).get_by_role("button", name="Cancel all streams of this comparison")
    expect(lab.output(1).locator(".kkj-column").nth(2)).to_contain_text("items")
    button.click()
    lab.wait(1)
    expect(lab.output(1).locator(".kkj-static")).to_have_count(3)
    for n in range(3):
        expect(lab.output(1).locator(".kkj-static").nth(n)).to_contain_text("■ cancelled")
    lab.save()
    data = lab.saved().cells[1].outputs[0].data
    assert data["text/plain"].count("cancelled after") == 3
    assert "application/vnd.jupyter.widget-view+json" not in data


def test_a_comparison_outlives_a_reload(open_notebook: OpenNotebook) -> None:
    cell = (
        'compared = kk.compare({"A": api.chat("a", max_tokens=80), "B": api.chat("b")})\n'
        "import threading; threading.Thread(target=compared.wait).start(); time.sleep(1)"
    )
    lab = open_notebook([SETUP, cell, "for r in compared.replies.values(): print(r.status)"])
    lab.run(0)
    lab.run(1)
    lab.save()
    lab.reload()
    expect(lab.output(1).locator(".kkj-column")).to_have_count(2)
    expect(lab.output(1).locator(".kkj-static")).to_have_count(2, timeout=30_000)
    expect(lab.output(1).locator("table")).to_contain_text("first item")
    lab.save()
    assert "first item" in lab.saved().cells[1].outputs[0].data["text/plain"]
