"""What every view leaves in a notebook is complete in nbconvert's HTML and LaTeX, too."""

from __future__ import annotations

import base64
import html
import math
from typing import Any

import nbformat
import pytest
from IPython.display import HTML, Image
from nbconvert import HTMLExporter, LatexExporter

from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.views import VIEWS, make_view
from kkjupyter.notebook.views.comparison_table import columns_bundle
from kkjupyter.notebook.views.saved_form import MIME_TYPE

DONE = Status(3, "f()", "done", "stream", 2, 1.0, 0.1)

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8"
    "z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg=="
)
PICTURE = Image(data=base64.b64decode(PNG), format="png")

# view -> items, what an HTML page must show of them, what a PDF must
CASES: dict[str, tuple[list[Any], list[str], list[str]]] = {
    "text": (["one ", "<b>two</b> & 3"], ["&lt;b&gt;two&lt;/b&gt; &amp; 3"], ["one", "two", "3"]),
    "json": ([{"a": [1]}, 5], ["<details", "[1]"], ["[1]", "5"]),
    "markdown": (
        ["# Tides\n\n- moon\n- **sun**"],
        ["Tides</h1>", "sun</strong>"],
        ["Tides", "sun"],
    ),
    "answer": (["# Tides\n\n- **sun**"], ["Tides</h1>", "sun</strong>"], ["Tides", "sun"]),
    "table": (
        [{"place": f"place {n}", "celsius": n / 4} for n in range(300)],
        ["<table", "place 0", "place 150", "place 299", "74.75"],
        ["place 0", "place 150", "place 299"],
    ),
    "plot": (
        [{"t": n, "sine": math.sin(n / 9)} for n in range(200)],
        ["data:image/png;base64,", "sine"],
        ["includegraphics"],
    ),
    "progress": ([{"done": 3, "total": 4}], ["width: 75.00%", "3 of 4"], ["3 of 4"]),
    "rich": ([HTML("<b>bold</b>"), PICTURE, "5 > 4"], ["<b>bold</b>", PNG, "5 &gt; 4"], ["5"]),
    "latest": ([1, PICTURE], [PNG], ["includegraphics"]),
}


def bundle_of(name: str) -> dict[str, Any]:
    view = make_view(name)
    view.feed(CASES[name][0])
    view.finish()
    return view.bundle(DONE)


def notebook_of(data: dict[str, Any]) -> nbformat.NotebookNode:
    notebook = nbformat.v4.new_notebook()
    cell = nbformat.v4.new_code_cell("api.f()", execution_count=1)
    cell.outputs = [nbformat.v4.new_output("display_data", data=data)]
    notebook.cells = [cell]
    nbformat.validate(notebook)
    return notebook


def as_html(data: dict[str, Any]) -> str:
    page, _ = HTMLExporter().from_notebook_node(notebook_of(data))
    return str(page)


def as_latex(data: dict[str, Any]) -> str:
    source, _ = LatexExporter().from_notebook_node(notebook_of(data))
    # The class of nbconvert marks code colours and escapes; the words are what counts here.
    return str(source).replace("{}", "").replace("\\PYZus", "_")


def test_each_view_is_held_to_this() -> None:
    assert set(CASES) == set(VIEWS)


@pytest.mark.parametrize("name", CASES)
def test_html(name: str) -> None:
    page = as_html(bundle_of(name))
    # A text that ended well is only that.
    assert ("✓ " in html.unescape(page).replace("</span>", "")) == (name != "text")
    for part in CASES[name][1]:
        assert part in page


@pytest.mark.parametrize("name", CASES)
def test_latex(name: str) -> None:
    source = as_latex(bundle_of(name))
    for part in CASES[name][2]:
        assert part in source


def test_a_comparison() -> None:
    both = columns_bundle({name: bundle_of(name) for name in ("text", "table")}, {"text": DONE,
                          "table": DONE})  # fmt: skip
    assert MIME_TYPE in both
    page = as_html(both)
    assert "place 150" in page
    assert "first item" in page
    source = as_latex(both)
    assert "place 150" in source
    assert "first item" in source
