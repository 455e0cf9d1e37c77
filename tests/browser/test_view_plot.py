"""The plot view: lines that grow, and what of them stays."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect
from support.browser.lab import HOLD, Lab
from support.figures import keep_ms

OpenNotebook = Callable[..., Lab]

SETUP = "%load_ext kkjupyter\nimport math, time, kkjupyter as kk" + HOLD
POINTS = 1_000_000

SENSORS = """def sensors(count, pause_s=0.02):
    for i in range(count):
        yield {"minute": i, "kitchen": 21 + 2 * math.sin(i / 5), "garden": 12 + 3 * math.cos(i / 9)}
        time.sleep(pause_s)
    hold()

kk.show(sensors(120), view="plot").wait()"""

LEGEND = ".kkj-plot-legend"


@pytest.mark.parametrize(
    ("theme", "width_px"),
    [
        ("light", 1000),
        pytest.param("dark", 1000, marks=pytest.mark.matrix),
        pytest.param("light", 320, marks=pytest.mark.matrix),
    ],
)
def test_lines_grow_and_stay(
    open_notebook: OpenNotebook, artifacts: Path, theme: str, width_px: int
) -> None:
    lab = open_notebook([SETUP, SENSORS], theme=theme, width_px=width_px)
    lab.run(0)
    lab.start(1)
    lab.wait_until(
        "() => document.querySelector('.kkj-words')?.textContent.startsWith('120 items')"
    )
    legend = lab.output(1).locator(LEGEND)
    # The last values, until the pointer asks for others.
    expect(legend).to_have_text(re.compile(r"minute 119kitchen19\.\d+garden14\.\d+"))
    lab.pause(0.3)
    canvas = lab.output(1).locator(".u-over")
    box = canvas.bounding_box()
    assert box is not None
    lab.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(legend).to_have_text(re.compile(r"minute (59|60)kitchen"))
    lab.screenshot(artifacts / "pictures" / f"plot-live-{theme}-{width_px}.png", 1)
    lab.output(1).locator("select").select_option("100")
    kitchen = legend.get_by_role("button", name="kitchen")
    kitchen.click()
    expect(kitchen).to_have_attribute("aria-pressed", "false")
    lab.screenshot(artifacts / "pictures" / f"plot-range-{theme}-{width_px}.png", 1)
    lab.let_go()
    lab.wait(1)
    expect(lab.output(1).locator(".kkj-static")).to_contain_text("✓ 120 items")
    # What the reader has chosen stays.
    expect(kitchen).to_have_attribute("aria-pressed", "false")
    expect(lab.output(1).locator("select")).to_have_value("100")
    lab.screenshot(artifacts / "pictures" / f"plot-saved-{theme}-{width_px}.png", 1)
    lab.save()
    saved = lab.saved().cells[1].outputs[0].data
    assert {"image/png", "text/html", "text/plain"} <= set(saved)
    assert "kitchen: " in saved["text/plain"]
    assert lab.page_errors == []
    # So it is without a kernel, and without trust.
    lab.reopen(with_kernel=False)
    expect(lab.output(1).locator(".u-axis").first).to_be_visible()
    expect(lab.output(1).locator(LEGEND)).to_contain_text("minute 119")


def test_a_million_points(open_notebook: OpenNotebook, capsys: pytest.CaptureFixture[str]) -> None:
    lab = open_notebook(
        [
            SETUP,
            f"""def walk():
    for i in range(0, {POINTS}):
        yield math.sin(i / 40_000) * i
    hold()

kk.show(walk(), view="plot").wait()""",
        ]
    )
    lab.run(0)
    lab.traffic.clear()
    with lab.watch_stalls() as stalls:
        lab.start(1)
        lab.wait_for_words("1,000,000 items", timeout_s=50)
        lab.pause(0.5)
    with lab.watch_stalls() as ending:
        lab.let_go()
        lab.wait(1)
        lab.wait_until("() => document.querySelector('.kkj-static') !== null")
        lab.pause(0.5)
    expect(lab.output(1).locator(".kkj-static")).to_contain_text("✓ 1,000,000 items")
    lab.save()
    file_bytes = len((lab.server.root / f"{lab.name}.ipynb").read_bytes())
    keep_ms("1,000,000 points: longest stall", stalls[0].longest_ms / 1000)
    keep_ms("1,000,000 points: stall at the end", ending[0].longest_ms / 1000)
    with capsys.disabled():
        print(
            f"\n1,000,000 points: {len(lab.traffic.iopub()):,} IOPub messages, "
            f"{lab.traffic.iopub_bytes():,} bytes; longest stall {stalls[0].longest_ms:.0f} ms "
            f"while streaming, {ending[0].longest_ms:.0f} ms at the end; "
            f"notebook file {file_bytes:,} bytes"
        )
    assert lab.traffic.iopub_bytes() < 20_000_000
    assert file_bytes < 400_000
    assert stalls[0].longest_ms < 1_000
    assert ending[0].longest_ms < 1_000
    assert lab.page_errors == []
