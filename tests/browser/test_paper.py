"""What is saved, exported as HTML and printed: all of it is on the paper, from its beginning."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbconvert import HTMLExporter
from playwright.sync_api import Page
from support.browser.lab import Pages

from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.views import make_view
from kkjupyter.notebook.views.comparison_table import columns_bundle

DONE = Status(3, "f()", "done", "stream", 2, 1.0, 0.1, notes=("ended by --take",))
# A sheet of Letter between its margins, in CSS pixels.
SHEET_PX = 720

WORDS = "".join([f"word{n} " for n in range(4_000)])
CODE = "x = " + " + ".join(map(str, range(200)))
ANSWER = "\n\n".join(
    [
        *[f"# Part {n}\n\nSome words, $E_{{{n}}} = mc^2$, and $5 or $6.\n" for n in range(30)],
        f"```python\n{CODE}\n```",
        "| a | b |\n|---|---|\n" + "".join([f"| row {n} | {n} |\n" for n in range(60)]),
        "x" * 300,
    ]
)
STREAMS: dict[str, tuple[str, list[Any], list[str]]] = {
    "text": ("text", [WORDS], ["word0 ", "word3999"]),
    "long line": ("text", ["y" * 5_000], ["y" * 5_000]),
    "markdown": ("markdown", [ANSWER], ["Part 0", "Part 29", CODE, "row 59", "x" * 300]),
    "json": ("json", [{"n": n, "s": "z" * 300} for n in range(60)], ['"n": 0', '"n": 59']),
    "table": (
        "table",
        [{"n": n, "where": f"room {n}", "value": n / 7} for n in range(1_000)],
        ["room 0", "room 500", "room 999", "1,000 rows × 3 columns"],
    ),
    "long cells": ("table", [{"a": "w" * 900, "b": "some words " * 90}], ["w" * 900]),
    "plot": ("plot", [{"t": n, "sine": n % 9} for n in range(50)], []),
    "progress": ("progress", [{"done": 3, "total": 4, "label": "files"}], ["ended at 75 %"]),
}

# The beginnings of all texts of the output that are not on the sheet, or hidden by something.
LOST = """(sheet_px) => {
  const lost = [];
  const output = document.querySelector(".jp-OutputArea-output");
  const walker = document.createTreeWalker(output, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode;
    // The unfolded form of a line of JSON; the line itself has all of it.
    if (!text.data.trim() || text.parentElement.closest("details:not([open]) > div")) continue;
    const range = document.createRange();
    range.selectNodeContents(text);
    const lines = [...range.getClientRects()];
    const boxes = [{ left: 0, right: sheet_px, top: -Infinity, bottom: Infinity }];
    for (let box = text.parentElement; box; box = box.parentElement) {
      const clips = getComputedStyle(box).overflow !== "visible" && box !== document.body;
      if (clips) boxes.push(box.getBoundingClientRect());
    }
    const isLost = (line) => boxes.some((box) =>
      line.left < box.left - 1 || line.right > box.right + 1 ||
      line.top < box.top - 1 || line.bottom > box.bottom + 1);
    if (!lines.length || lines.some(isLost)) lost.push(text.data.slice(0, 40));
  }
  return lost;
}"""


@pytest.fixture
def paper(pages: Pages) -> Iterator[Page]:
    window = pages.new_window()
    page = window.new_page()
    # What nbconvert's pages fetch from elsewhere: MathJax, require.js.
    page.route(re.compile("https?:"), lambda route: route.abort())
    page.set_viewport_size({"width": SHEET_PX, "height": 1_000})
    page.emulate_media(media="print")
    yield page
    window.close()


def exported(data: dict[str, Any]) -> str:
    output = nbformat.v4.new_output("display_data", data=data)
    cell = nbformat.v4.new_code_cell("api.f()", outputs=[output], execution_count=1)
    html, _ = HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))
    return str(html)


def bundle_of(view_name: str, items: list[Any], status: Status) -> dict[str, Any]:
    view = make_view(view_name)
    view.feed(items)
    view.finish()
    return view.bundle(status)


def assert_all_is_on(paper: Page, data: dict[str, Any], texts: list[str], picture: Path) -> None:
    paper.set_content(exported(data))
    assert paper.evaluate(LOST, SHEET_PX) == []
    shown = paper.locator(".jp-OutputArea-output").inner_text()
    for text in texts:
        assert text in shown
    paper.screenshot(path=picture, full_page=True)


@pytest.mark.parametrize(
    "has_notes",
    [
        pytest.param(True, id="with notes"),
        pytest.param(False, id="without", marks=pytest.mark.matrix),
    ],
)
@pytest.mark.parametrize("name", STREAMS)
def test_all_of_it_is_on_the_paper(
    paper: Page, artifacts: Path, name: str, has_notes: bool
) -> None:
    view, items, texts = STREAMS[name]
    status = DONE if has_notes else Status(3, "f()", "done", "stream", 2, 1.0, 0.1)
    data = bundle_of(view, items, status)
    picture = artifacts / f"paper-{name.replace(' ', '-')}{'-notes' if has_notes else ''}.png"
    assert_all_is_on(paper, data, texts, picture)
    assert ("ended by --take" in paper.content()) == has_notes


def test_all_of_a_comparison_is_on_the_paper(paper: Page, artifacts: Path) -> None:
    names = ("text", "markdown", "table")
    views = {name: make_view(STREAMS[name][0]) for name in names}
    for name, view in views.items():
        view.save_one_of(len(views))
        view.feed(STREAMS[name][1])
        view.finish()
    bundles = {name: view.bundle(DONE) for name, view in views.items()}
    data = columns_bundle(bundles, dict.fromkeys(names, DONE))
    texts = [text for name in names for text in STREAMS[name][2]]
    assert_all_is_on(paper, data, [*texts, "first item"], artifacts / "paper-comparison.png")
