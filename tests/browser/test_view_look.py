"""How the view looks: its four states, both themes, narrow and wide; nothing that jumps."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect
from support.browser.lab import Lab, Theme

OpenNotebook = Callable[..., Lab]

SETUP = "%load_ext kkjupyter\nimport asyncio, kkjupyter as kk"
STATES = """async def chat(fails=False):
    await asyncio.sleep(1.2)
    for i in range(40):
        await asyncio.sleep(0.03)
        yield f"word{i} "
        if fails and i == 1:
            raise ValueError("something went wrong")"""
DONE = "print('an ordinary output')\nawait kk.show(chat())"
CANCELLED = "await kk.show(chat())"
FAILED = "try:\n    await kk.show(chat(fails=True))\nexcept ValueError:\n    pass"

# Where the words of the state line, the button and the text are, and in what colours.
GEOMETRY = """(index) => {
  const area = window.jupyterapp.shell.currentWidget.content.widgets[index].outputArea.node;
  const box = (node) => {
    const range = document.createRange();
    range.selectNodeContents(node);
    const { left, top, right } = range.getBoundingClientRect();
    return { left, top, right };
  };
  const texts = [];
  const walker = document.createTreeWalker(area, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) if (walker.currentNode.data.trim()) texts.push(walker.currentNode);
  const find = (start) => texts.find((node) => node.data.startsWith(start));
  const words = area.querySelector(".kkj-words");
  return {
    printed: find("an ordinary") && box(find("an ordinary")),
    words: box(words),
    text: find("word0") && box(find("word0")),
    button: area.querySelector(".kkj-button")?.getBoundingClientRect().toJSON(),
    area: area.getBoundingClientRect().toJSON(),
  };
}"""

CONTRAST = """(index) => {
  const area = window.jupyterapp.shell.currentWidget.content.widgets[index].outputArea.node;
  const parse = (text) => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
    return { r, g, b, a };
  };
  const over = (top, under) => ({
    r: top.r * top.a + under.r * (1 - top.a),
    g: top.g * top.a + under.g * (1 - top.a),
    b: top.b * top.a + under.b * (1 - top.a), a: 1,
  });
  const background = (node) => {
    for (let n = node; n; n = n.parentElement) {
      const colour = parse(getComputedStyle(n).backgroundColor);
      if (colour.a === 1) return colour;
    }
    return { r: 255, g: 255, b: 255, a: 1 };
  };
  const luminance = ({ r, g, b }) => {
    const [x, y, z] = [r, g, b].map((v) => {
      const c = v / 255;
      return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const found = {};
  const names = [".kkj-words", ".kkj-button", ".kkj-text"];
  for (const name of names) {
    const node = area.querySelector(name);
    if (!node) continue;
    const under = background(node);
    const [a, b] = [over(parse(getComputedStyle(node).color), under), under].map(luminance);
    found[name] = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  }
  return found;
}"""


def geometry(lab: Lab, index: int) -> dict[str, Any]:
    found: dict[str, Any] = lab.page.evaluate(GEOMETRY, index)
    return found


@pytest.mark.parametrize(
    ("theme", "width_px"),
    [
        ("light", 1300),
        ("dark", 300),
        *(
            pytest.param(theme, width_px, marks=pytest.mark.matrix)
            for theme, width_px in (("light", 300), ("light", 2000), ("dark", 1300), ("dark", 2000))
        ),
    ],
)
def test_the_four_states(
    open_notebook: OpenNotebook, artifacts: Path, theme: Theme, width_px: int
) -> None:
    lab = open_notebook([SETUP, STATES, DONE, CANCELLED, FAILED], theme=theme, width_px=width_px)
    pictures = artifacts / f"view-{theme}-{width_px}"
    lab.run(0)
    lab.run(1)

    lab.start(2)
    expect(lab.output(2)).to_contain_text("◌")
    expect(lab.output(2)).to_contain_text("waiting")
    lab.pause(0.3)
    waiting = geometry(lab, 2)
    lab.screenshot(pictures / "waiting.png", 2)
    expect(lab.output(2)).to_contain_text("●")
    expect(lab.output(2)).to_contain_text("word5 ")
    streaming = geometry(lab, 2)
    contrasts = lab.page.evaluate(CONTRAST, 2)
    lab.screenshot(pictures / "streaming.png", 2)
    lab.wait(2)
    expect(lab.output(2)).to_contain_text("✓")
    expect(lab.button(2, "Copy")).to_be_visible()
    done = geometry(lab, 2)
    contrasts |= lab.page.evaluate(CONTRAST, 2)
    lab.screenshot(pictures / "done.png", 2)

    lab.start(3)
    expect(lab.output(3)).to_contain_text("word5 ")
    lab.button(3, "Cancel").click()
    expect(lab.output(3)).to_contain_text("■")
    expect(lab.button(3, "Copy")).to_be_visible()
    lab.screenshot(pictures / "cancelled.png", 3)
    lab.run(4)
    expect(lab.output(4)).to_contain_text("✕")
    expect(lab.output(4)).to_contain_text("ValueError after 2: something went wrong")
    lab.screenshot(pictures / "failed.png", 4)

    for state in (waiting, streaming, done):
        # Aligned with Lab's own output, and inside its area.
        assert state["words"]["right"] <= state["area"]["right"]
        assert state["button"]["right"] <= state["area"]["right"] + 1
        assert state["button"]["top"] == pytest.approx(waiting["button"]["top"], abs=1)
        assert state["words"]["top"] == pytest.approx(waiting["words"]["top"], abs=1)
    assert done["text"]["left"] == pytest.approx(done["printed"]["left"], abs=1)
    assert streaming["text"]["left"] == pytest.approx(streaming["printed"]["left"], abs=1)
    # Nothing jumps when the static output takes the live view's place, but for its air.
    assert done["text"]["top"] == pytest.approx(streaming["text"]["top"], abs=4)
    if width_px > 300:
        assert streaming["button"]["left"] == pytest.approx(waiting["button"]["left"], abs=6)
        assert done["button"]["left"] == pytest.approx(waiting["button"]["left"], abs=6)
    assert len(contrasts) == 3
    assert min(contrasts.values()) >= 4.5, contrasts
    assert lab.page_errors == []
