"""The markdown view's saved output: complete, static and safe."""

from __future__ import annotations

import json
import re
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest
from markdown_it import MarkdownIt
from nbconvert.exporters import HTMLExporter, LatexExporter

from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.views import make_view
from kkjupyter.notebook.views.markdown.emphasis import add_cjk_emphasis
from kkjupyter.notebook.views.markdown.html import TooSlow, html_of

LABEXTENSION = Path(__file__).parents[4] / "labextension"
EMPHASIS = json.loads((LABEXTENSION / "test" / "cases" / "emphasis.json").read_text())
CASES = json.loads((LABEXTENSION / "test" / "cases" / "markdown.json").read_text())["cases"]
CASES += EMPHASIS["cases"]


class Shown(HTMLParser):
    """Elements and links of what is shown; ``m`` for a formula."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.html = ""
        self.attributes: list[tuple[str, str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.attributes += [(tag, name, value) for name, value in attrs]
        address = [f" {name}={value}" for name, value in attrs if name in ("href", "src")]
        self.html += f"<{tag}{''.join(address)}>"

    def handle_endtag(self, tag: str) -> None:
        self.html += f"</{tag}>"

    def handle_data(self, data: str) -> None:
        for char, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
            data = data.replace(char, escaped)
        self.html += re.sub(r"\s+", " ", data)


def parsed(source: str) -> Shown:
    shown = Shown()
    shown.feed(html_of(source))
    shown.close()
    return shown


def structure(source: str) -> str:
    html = parsed(source).html
    # A formula is an element whose text begins and ends as one; a lone dollar is money.
    html = re.sub(r"<span>([$\\])</span>", r"\1", html)
    html = re.sub(r"<(span|div)>((?:\$|\\[(\[]|\\begin)[^<]*)</\1>", r"<m>\2</m>", html)
    html = re.sub(r"</?(?:span|div)>", "", html)
    outer = "(/?(?:ul|ol|li|table|thead|tbody|tr|th|td|blockquote|p|hr|pre))"
    html = re.sub(rf"<{outer}( [^>]*)?> +(?=<)", r"<\1>", html)
    return html.strip()


@pytest.mark.parametrize(
    ("source", "html"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_a_case(source: str, html: str) -> None:
    assert structure(source) == html


@pytest.mark.parametrize("source", EMPHASIS["western"])
def test_western_emphasis_is_that_of_commonmark(source: str) -> None:
    md = MarkdownIt("js-default")
    as_ever = md.renderInline(source)
    add_cjk_emphasis(md)
    assert md.renderInline(source) == as_ever


def test_code_is_coloured_by_inline_styles() -> None:
    html = html_of("```python\ndef f(): return 'x'  # y\n```")
    assert "--jp-mirror-editor-keyword-color, inherit" in html
    assert "class=" not in html
    assert parsed("```python\ndef f(): return 'x'\n```").html.count("<span>") >= 2
    assert "<span" not in html_of("```brainfuck\n+++\n```")


@pytest.mark.slow
def test_code_of_a_very_long_answer_stays_plain() -> None:
    source = "```python\nx = 'y'\n```\n\nwords\n\n" * 10_000
    assert len(html_of(source)) < 12 * len(source)
    assert "--jp-mirror-editor" not in html_of(source)


def bundle(text: str, **limits: Any) -> dict[str, Any]:
    view = make_view("markdown", **limits)
    view.feed([text])
    view.finish()
    status = Status(
        run_id=1,
        title="chat()",
        state="done",
        kind="stream",
        count=1,
        elapsed_s=1.0,
        first_item_s=0.5,
    )
    return view.bundle(status)


def test_the_bundle_has_the_source_and_the_answer() -> None:
    made = bundle("**a** $x$")
    assert made["text/plain"] == "**a** $x$"
    assert "<strong>a</strong>" in made["text/html"]
    assert made["application/vnd.kkjupyter.v1+json"]["pane"] == "markdown"
    assert "<details" not in made["text/html"]
    assert "<details open" in bundle("word " * 1000)["text/html"]


def test_what_is_left_out_is_said() -> None:
    made = bundle("word\n\n" * 10_000, saved_bytes=10_000)
    assert "characters left out" in made["text/html"]


def test_nothing_is_shown_of_nothing() -> None:
    assert bundle("")["text/html"].endswith("</span></span></div></div>")


def test_in_a_terminal_it_is_text() -> None:
    assert make_view("markdown", in_terminal=True).name == "text"


def test_elsewhere_it_is_whole() -> None:
    output = nbformat.v4.new_output("display_data", data=bundle("# Head\n\n$x_1$ and $5"))
    cell = nbformat.v4.new_code_cell("1", outputs=[output])
    notebook = nbformat.v4.new_notebook(cells=[cell])
    html, _ = HTMLExporter().from_notebook_node(notebook)
    assert "<h1>Head</h1>" in html
    formula = '<span class="mathjax_process tex2jax_process">$x_1$</span>'
    assert f"<p>{formula} and <span>$</span>5</p>" in html
    latex, _ = LatexExporter().from_notebook_node(notebook)
    # TeX of the remote side's would run: it stays text.
    assert r"\# Head" in latex
    assert r"\$x\_1\$ and \$5" in latex


def test_a_very_long_answer_is_saved_as_its_text() -> None:
    made = bundle("# heading\n" * 25_000)
    assert "text/html" not in made
    assert made["text/plain"].count("# heading") == 25_000


def test_what_stands_for_an_image_is_no_formula() -> None:
    html = html_of("![$x$ and \\(y](https://a.b/c.png)")
    assert "<span>$</span>x<span>$</span> and <span>\\</span>(y</a>" in html


def test_long_lines_of_code_are_whole_on_paper() -> None:
    html = html_of("```python\n" + "x = 1; " * 99 + "\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n")
    assert "white-space: pre-wrap" in html
    assert "overflow-x" not in html


@pytest.mark.parametrize("token", ["\\[\n", "\\(", "![](a)", "\\begin{a}\n", "[", "![", "[a]("])
@pytest.mark.slow
def test_text_of_a_model_in_a_loop_is_saved_in_time(token: str) -> None:
    begun_s = time.thread_time()
    assert bundle(token * (60_000 // len(token)))["text/plain"]
    assert time.thread_time() - begun_s < 15


@pytest.mark.slow
def test_unclosed_brackets_stay_text() -> None:
    with pytest.raises(TooSlow):
        html_of("[" * 100_000)
