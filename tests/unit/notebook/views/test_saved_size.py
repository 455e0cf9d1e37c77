"""What an output takes in the notebook file, and what is shown of it there."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import nbformat
import pytest

from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.safe_text import rewritten
from kkjupyter.notebook.views import View, make_view
from kkjupyter.notebook.views.markdown.html import TooSlow, html_of
from kkjupyter.notebook.views.plot import fonts
from kkjupyter.notebook.views.saved_form import Body
from kkjupyter.notebook.views.transcript import Excerpt

DONE = Status(1, "f()", "done", "stream", 1, 1.0, 0.1)
LIMIT = 400_000
LABEXTENSION = Path(__file__).parents[4] / "labextension"


class Stubborn(View):
    """Leaves the same, however little it is given."""

    name = "stubborn"

    def render(self, items: Any) -> str:
        return "".join(items)

    def body(self, excerpt: Excerpt) -> Body:
        picture = {"image/png": "A" * 1_000_000}
        return Body(html="h" * 2_000_000, plain="p\n" * 1_000_000, others=picture)


def file_bytes(bundle: dict[str, Any]) -> int:
    output = nbformat.v4.new_output("display_data", data=bundle)
    cell = nbformat.v4.new_code_cell("", outputs=[output])
    return len(nbformat.writes(nbformat.v4.new_notebook(cells=[cell])).encode())


STREAMS: list[tuple[Any, list[Any]]] = [
    ("text", [f"line {n} of the log\n" for n in range(40_000)]),
    ("text", [f'<b>{n}</b> & "more" ' for n in range(40_000)]),
    ("text", ["\n" * 300_000]),
    ("text", ["日本" * 100_000]),
    ("json", [{"id": n, "note": 'some "quoted" text <b>'} for n in range(15_000)]),
    ("json", [{"id": "x" * 9_000} for _ in range(150)]),
    ("table", [{"n": n, "v": n * 0.5, "s": f"text {n}"} for n in range(15_000)]),
    ("table", [{f"c{n % 150}": n} for n in range(1_000)]),
    ("markdown", ["```python\ndef f(): return 'x'  # y\n```\n\n"] * 700),
    ("plot", [{f"s{i}": n * i * 1.123456789 for i in range(12)} for n in range(4_000)]),
    (Stubborn, ["x" * 10]),
]


@pytest.mark.parametrize(("choice", "items"), STREAMS, ids=[str(n) for n in range(len(STREAMS))])
@pytest.mark.slow
def test_all_forms_together_are_within_the_limit(choice: Any, items: list[Any]) -> None:
    view = make_view(choice)
    view.saved_bytes = LIMIT
    view.feed(items)
    view.finish()
    bundle = view.bundle(DONE)
    assert file_bytes(bundle) <= LIMIT
    assert file_bytes(view.checkpoint(DONE)) <= LIMIT
    assert len(view.saved().text.encode()) <= LIMIT + 1_000
    assert bundle["text/plain"]
    assert (
        "left out" in bundle["text/html"]
        or "only the text" in bundle["text/html"]
        or (choice in ("plot", "markdown"))
    )


def test_what_fits_is_complete() -> None:
    text = "".join([f"line {n}\n" for n in range(9_000)])
    view = make_view("text", saved_bytes=LIMIT)
    view.feed([text])
    bundle = view.bundle(DONE)
    assert bundle["text/plain"] == text
    assert "left out" not in bundle["text/html"]


def test_a_comparison_shares_one_limit() -> None:
    for choice in ("text", "auto"):
        view = make_view(choice, saved_bytes=3 * LIMIT)
        view.save_one_of(3)
        view.feed(["some words\n" * 200_000])
        assert file_bytes(view.bundle(DONE)) <= LIMIT


REWRITING = json.loads((LABEXTENSION / "test" / "cases" / "carriage-returns.json").read_text())


class Lines(View):
    """One of the user's own, which has the text pane."""

    def render(self, items: Sequence[Any]) -> str:
        return "".join(items)


@pytest.mark.parametrize("choice", ["text", "auto", "own"])
@pytest.mark.parametrize(
    ("deltas", "shown"), [case[1:] for case in REWRITING], ids=[case[0] for case in REWRITING]
)
def test_lines_that_are_written_over(deltas: list[str], shown: str, choice: str) -> None:
    assert rewritten("".join(deltas)) == shown
    view = Lines() if choice == "own" else make_view(choice)
    view.feed(deltas)
    assert view.checkpoint(DONE)["text/plain"].startswith(shown)
    view.finish()
    bundle = view.bundle(DONE)
    assert bundle["text/plain"] == shown
    assert "\r" not in view.checkpoint(DONE)["text/plain"]
    assert "&#13;" not in bundle["text/html"]


def test_many_of_them_take_linear_time() -> None:
    begun_s = time.thread_time()
    rewritten("x" * 500_000 + "\ry" * 500_000)
    assert time.thread_time() - begun_s < 5


@pytest.mark.parametrize("token", ["\\[\n", "\\(", "![](a)", "\\begin{a}\n", "[", "![", "[a]("])
@pytest.mark.slow
def test_text_of_a_model_in_a_loop_is_saved_in_time(token: str) -> None:
    begun_s = time.thread_time()
    view = make_view("markdown")
    view.feed([token * (60_000 // len(token))])
    assert view.bundle(DONE)["text/html"]
    assert time.thread_time() - begun_s < 15


@pytest.mark.slow
def test_unclosed_brackets_stay_text() -> None:
    with pytest.raises(TooSlow):
        html_of("[" * 100_000)


def test_letters_of_pictures_are_letters_or_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def picture(name: str) -> str | None:
        view = make_view("plot")
        view.feed([{"t": n, name: n * n % 17} for n in range(9)])
        bundle = view.bundle(DONE)
        assert name in bundle["text/plain"]
        assert name in bundle["text/html"]
        return bundle.get("image/png")

    for one, other in (("шаг", "год"), ("Größe", "Grüße"), ("温度", "湿度"), ("🔥", "🎉")):
        drawn = picture(one)
        assert drawn is None or drawn != picture(other)
    monkeypatch.setattr(fonts, "_all", lambda: ())
    assert picture("Größe") is None
    assert picture("plain") is not None
