"""Values with a form of their own in a real JupyterLab: all of them, or the newest in place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect
from support.browser.jupyter_server import FrontEnd
from support.browser.lab import HOLD, Lab, Theme

OpenNotebook = Callable[..., Lab]

SETUP = (
    "%load_ext kkjupyter\nimport base64, kkjupyter as kk\n"
    "from IPython.display import HTML, Audio, Latex, Markdown, SVG"
    + HOLD
    + """
RED = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAABgAAAAYCAIAAABvFaqvAAAAJUlEQVR42mP4z8BAFGIgVd2o"
    "QaMGjRo0atCoQaMGjRo0atCoQVgRAK0hnlBRpZyWAAAAAElFTkSuQmCC"
)

class Square:
    def __repr__(self):
        return "<a red square>"

    def _repr_png_(self):
        return RED, {"width": 96, "height": 96}

TABLE = "<table><tr><th>town</th><th>°C</th></tr><tr><td>Rome</td><td>21</td></tr></table>"
CIRCLE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="60" height="60">'
    '<circle r="25" cx="30" cy="30" fill="teal"/></svg>'
)

def all_kinds():
    yield Square()
    yield HTML(TABLE + "<script>window.ran = true</script>")
    yield Markdown("**bold** and `code`")
    yield Latex(r"$e^{i\\pi} = -1$")
    yield SVG(CIRCLE)
    yield Audio(b"RIFF" + bytes(40), rate=8000)
    yield "just text"
    yield {"a": [1, 2], "b": {"c": None}}
    hold()

def counting(count, make=lambda at: at):
    for at in range(count):
        yield make(at)
    hold()
"""
)


def pane(lab: Lab, index: int) -> Locator:
    return lab.output(index).locator(".kkj-rich")


def ended(lab: Lab, index: int) -> None:
    lab.let_go()
    lab.wait(index)
    expect(lab.output(index)).to_contain_text("✓")


@pytest.mark.labs
@pytest.mark.parametrize(
    ("theme", "width_px"), [("light", 1300), pytest.param("dark", 400, marks=pytest.mark.matrix)]
)
def test_values_as_the_notebook_shows_them(
    open_notebook: OpenNotebook, artifacts: Path, theme: Theme, width_px: int
) -> None:
    lab = open_notebook(["kk.show(all_kinds()).wait()", SETUP], theme=theme, width_px=width_px)
    lab.run(1)
    lab.start(0)
    shown = pane(lab, 0)
    expect(shown.locator(".kkj-rich-value")).to_have_count(8)
    expect(shown.locator(".jp-RenderedHTMLCommon td").first).to_have_text("Rome")
    expect(shown.locator(".jp-RenderedMarkdown strong")).to_have_text("bold")
    expect(shown.locator(".jp-RenderedLatex mjx-container")).to_have_count(1)
    expect(shown.locator("audio")).to_have_count(1)
    expect(shown.locator(".kkj-rich-text").first).to_have_text("just text")
    square = shown.locator(".jp-RenderedImage img").first
    assert square.evaluate("(image) => image.width") == 96
    lab.screenshot(artifacts / f"rich-live-{theme}-{width_px}.png", 0)
    marked = square.element_handle()
    ended(lab, 0)
    assert marked is not None
    assert marked.evaluate("(image) => image.isConnected")
    lab.screenshot(artifacts / f"rich-ended-{theme}-{width_px}.png", 0)
    lab.save()
    data = lab.saved().cells[0].outputs[-1].data
    assert data["text/plain"].startswith("<a red square>\n")
    assert "<td>Rome</td>" in data["text/html"]
    lab.reopen(with_kernel=False)
    shown = pane(lab, 0)
    expect(shown.locator("td").first).to_have_text("Rome")
    expect(shown.locator("audio")).to_have_count(1)
    lab.screenshot(artifacts / f"rich-reopened-{theme}-{width_px}.png", 0)


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.matrix)])
def test_only_the_newest_value(open_notebook: OpenNotebook, artifacts: Path, theme: Theme) -> None:
    cells = [
        "kk.show(counting(3000), view='latest').wait()",
        "kk.show(counting(50, lambda at: {'step': at, 'loss': [1 / (at + 1)]}), 'latest').wait()",
        "kk.show(counting(40, lambda at: Square()), view='latest').wait()",
        SETUP,
    ]
    lab = open_notebook(cells, theme=theme)
    lab.run(3)
    last = ["2999", '{\n  "step": 49,\n  "loss": [\n    0.02\n  ]\n}']
    for index in (0, 1, 2):
        lab.start(index)
        values = pane(lab, index).locator(".kkj-rich-value:not(.kkj-rich-next)")
        expect(values).to_have_count(1)
        if index < 2:
            expect(values).to_have_text(last[index], use_inner_text=True)
        else:
            expect(values.locator("img")).to_have_count(1)
            expect(lab.output(index)).to_contain_text("40 items")
        lab.screenshot(artifacts / f"latest-{index}-{theme}.png", index)
        ended(lab, index)
        expect(values).to_have_count(1)
        lab.server.root.joinpath(f"{lab.name}.ipynb.go").unlink()
    lab.save()
    data = lab.saved().cells[0].outputs[-1].data
    assert data["text/plain"] == "2999\n"
    lab.reopen(with_kernel=False)
    expect(pane(lab, 0)).to_have_text("2999")
    expect(pane(lab, 2).locator("img")).to_have_count(1)
    lab.screenshot(artifacts / f"latest-reopened-{theme}.png")


@pytest.mark.parametrize("front_end", ["lab", pytest.param("notebook", marks=pytest.mark.matrix)])
def test_a_figure_that_is_drawn_over_and_over(
    open_notebook: OpenNotebook, artifacts: Path, front_end: FrontEnd
) -> None:
    pytest.importorskip("matplotlib")
    drawing = """import matplotlib.pyplot as plt, pandas

def waves(count):
    figure, axes = plt.subplots(figsize=(5, 2.5))
    for at in range(count):
        axes.clear()
        axes.plot([(at + x) % 7 for x in range(30)])
        axes.set_title(f"step {at}")
        yield figure
    plt.close(figure)
    hold()

def frames():
    yield pandas.DataFrame({"town": ["Rome", "Oslo"], "celsius": [21.5, 4.0]})
"""
    cells = [
        "reply = kk.show(waves(60), view='latest').wait()",
        "kk.show(waves(3)).wait()",
        "kk.show(frames()).wait()",
        SETUP,
        drawing,
    ]
    lab = open_notebook(cells, front_end=front_end)
    lab.run(3)
    lab.run(4)
    lab.start(0)
    expect(lab.output(0)).to_contain_text("60 items")
    image = pane(lab, 0).locator(".kkj-rich-value:not(.kkj-rich-next) img")
    expect(image).to_have_count(1)
    ended(lab, 0)
    lab.screenshot(artifacts / f"latest-figure-{front_end}.png", 0)
    lab.run(1)
    lab.run(2)
    pictures = pane(lab, 1).locator("img").evaluate_all("(all) => all.map((image) => image.src)")
    assert len(set(pictures)) == 3
    expect(pane(lab, 2).locator("td").first).to_have_text("Rome")
    lab.screenshot(artifacts / f"rich-figures-{front_end}.png", 1)
    lab.screenshot(artifacts / f"rich-frame-{front_end}.png", 2)
    lab.save()
    first, second, _ = (lab.saved().cells[index].outputs for index in range(3))
    assert [len(first), len(second)] == [1, 1]
    assert first[0].data["text/plain"] == "<Figure size 500x250 with 1 Axes>\n"
    assert first[0].data["image/png"]


def test_pictures_that_come_too_fast_are_skipped(
    open_notebook: OpenNotebook, capsys: pytest.CaptureFixture[str]
) -> None:
    pictures = """import os, struct, time, zlib

class Noise:
    def _repr_png_(self):
        def chunk(kind, data):
            checksum = struct.pack(">I", zlib.crc32(kind + data))
            return struct.pack(">I", len(data)) + kind + data + checksum

        rows = b"".join(b"\\0" + os.urandom(540) for _ in range(180))
        head = struct.pack(">IIBBBBB", 180, 180, 8, 2, 0, 0, 0)
        pixels = zlib.compress(rows, 1)
        made = [chunk(b"IHDR", head), chunk(b"IDAT", pixels), chunk(b"IEND", b"")]
        return b"\\x89PNG\\r\\n\\x1a\\n" + b"".join(made)

def pictures():
    until = time.monotonic() + 5
    while time.monotonic() < until:
        yield Noise()
        time.sleep(0.001)
    hold()
"""
    lab = open_notebook(["kk.show(pictures(), view='latest').wait()", SETUP, pictures])
    lab.run(1)
    lab.run(2)
    lab.traffic.clear()
    with lab.watch_stalls() as stalls:
        lab.start(0)
        image = pane(lab, 0).locator(".kkj-rich-value:not(.kkj-rich-next) img")
        expect(image).to_have_count(1)
        lab.pause(5.5)
        assert image.evaluate("(image) => image.naturalWidth") == 180
    sent = lab.traffic.iopub("kkjupyter_view")
    sent_bytes = sum(frame.size_bytes for frame in sent)
    with capsys.disabled():
        print(
            f"\npictures of 130 kB, up to 1,000 a second for 5 s: {len(sent)} messages, "
            f"{sent_bytes:,} bytes; longest stall {stalls[0].longest_ms:.0f} ms"
        )
    assert len(sent) <= 7 * 30
    assert pane(lab, 0).locator("img").count() <= 2
    ended(lab, 0)
    lab.save()
    assert len((lab.server.root / f"{lab.name}.ipynb").read_bytes()) < 600_000
