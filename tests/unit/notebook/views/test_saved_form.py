"""The static output: whole, once, safe, and never too large."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest

from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.views import VIEWS, View, make_view
from kkjupyter.notebook.views.saved_form import (
    MIME_TYPE,
    Body,
    describe,
    duration,
    static_bundle,
    text_body,
    with_html,
)
from kkjupyter.notebook.views.transcript import Excerpt, utf16_len

ROOT = Path(__file__).resolve().parents[4]
# The words of the state line and of the plain text are held to this file: those of saved_form.py
# here, and by vitest those of the page.
# To write it anew: python tests/unit/notebook/views/test_saved_form.py
CASES = ROOT / "labextension" / "test" / "cases" / "saved-form.json"


def status(**changes: Any) -> Status:
    given = {
        "run_id": 3,
        "title": "countdown(5)",
        "state": "done",
        "kind": "stream",
        "count": 412,
        "elapsed_s": 10.84,
        "first_item_s": 0.314,
    }
    return Status(**{**given, **changes})


GIVEN: dict[str, tuple[str, int, Status]] = {
    "done": ("some <b>text</b> & 'more'\r\n", 0, status()),
    "given open": ("1\n2\n", 0, status(count=2, was_open=True)),
    "no text": ("", 0, status(count=0, first_item_s=None)),
    "unary": ('{"a": 1}\n', 0, status(kind="unary", count=0, first_item_s=None)),
    "cancelled": ("a\nb", 0, status(state="cancelled", count=41, notes=("stopped <early>", "2"))),
    "cancelled at once": ("", 0, status(state="cancelled", count=0, first_item_s=None)),
    "a loop that was left": (
        "",
        0,
        status(state="cancelled", count=20, first_item_s=None, left=True),
    ),
    "failed": ("1\n2\n", 0, status(state="failed", count=2, error="ValueError: <went> wrong")),
    "failed at once": ("", 0, status(state="failed", count=0, error="ConnectionLost: gone")),
    "left out": ("head\n[… 5 characters left out …]\ntail", 5, status(count=1_234_567)),
    "tokens": ("Hi", 0, status(written=412, unit="tokens", model="<gpt>")),
    "characters": ("Hi", 0, status(state="cancelled", count=9, written=1)),
    "an answer that failed": ("Hi", 0, status(state="failed", count=9, written=2, error="E: no")),
}
HTML = {**GIVEN, "foldable": ("a line of text\n" * 200, 0, status())}


def bundle_of(
    text: str, left_out: int, given: Status, *, needs_html: bool = False
) -> dict[str, Any]:
    body = text_body(Excerpt(text, left_out, utf16_len(text) + left_out))
    body = with_html(body) if needs_html else body
    return static_bundle("text", "text", body, given, left_out=left_out)


def cases() -> list[dict[str, Any]]:
    found = []
    for name, (text, left_out, given) in GIVEN.items():
        bundle = bundle_of(text, left_out, given)
        found.append(
            {
                "name": name,
                "text": text,
                "left_out": left_out,
                "status": given.to_json(),
                "plain": bundle["text/plain"],
            }
        )
    return found


def test_the_line_says_that_the_connection_is_made_again() -> None:
    away = status(state="streaming", reconnecting_s=4.9)
    assert describe(away) == ("◌", ["reconnecting … 4 s", "412 items"])
    assert describe(status(state="waiting", count=0, reconnecting_s=0.2))[1] == [
        "reconnecting … 0 s"
    ]
    assert describe(status(state="cancelling", reconnecting_s=4.9))[0] == "■"


def test_the_shared_cases_are_what_is_made_here() -> None:
    assert json.loads(CASES.read_text(encoding="utf-8")) == cases()


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize("name", HTML)
def test_only_what_a_sanitiser_leaves(name: str) -> None:
    reader = Reader()
    reader.feed(bundle_of(*HTML[name], needs_html=True)["text/html"])
    assert {tag for tag, _ in reader.tags} <= {"div", "span", "pre", "details", "summary"}
    attributes = {key for _, attrs in reader.tags for key in attrs}
    assert attributes <= {"style", "class", "open", "data-kkj-run"}
    styles = "; ".join(attrs.get("style") or "" for _, attrs in reader.tags)
    colours = re.findall(r"color: ([^;]+)", styles)
    assert all(re.fullmatch(r"var\(--jp-[\w-]+, inherit\)", colour) for colour in colours)
    assert reader.text.endswith(HTML[name][0])


def test_the_bundle_of_a_text_has_it_once() -> None:
    bundle = bundle_of("abc", 0, status())
    assert set(bundle) == {MIME_TYPE, "text/plain"}
    assert bundle["text/plain"] == "abc"
    numbers = bundle[MIME_TYPE]
    assert (numbers["state"], numbers["count"], numbers["view"]) == ("done", 412, "text")
    assert json.loads(json.dumps(numbers)) == numbers


def test_html_is_there_where_plain_text_cannot_say_it() -> None:
    assert "0 items" in bundle_of("", 0, status(count=0))["text/html"]
    view = make_view("text")
    view.feed(["abc"])
    noted = view.bundle(status(notes=("ended by --take",)))
    assert "ended by --take" in noted["text/html"]
    assert "\nabc</pre>" in noted["text/html"]
    assert "text/html" not in view.bundle(status())
    view.save_one_of(2)  # columns stand side by side in HTML only
    assert "\nabc</pre>" in view.bundle(status())["text/html"]


SCROLLS = re.compile(r"max-height|overflow(-[xy])?: (auto|scroll|hidden)|reverse|nowrap|ellipsis")


@pytest.mark.parametrize("name", sorted({*VIEWS} - {"progress"}))
def test_nothing_of_the_html_must_be_scrolled_to(name: str) -> None:
    view = make_view(name)
    view.feed([{"n": n, "text": "word " * 99} for n in range(50)])
    view.finish()
    html = view.bundle(status(notes=("so that there is HTML",)))["text/html"]
    assert SCROLLS.findall(html) == []


@pytest.mark.parametrize("name", VIEWS)
def test_only_formulas_are_typeset(name: str) -> None:
    """What is not ignored by the typesetters has no dollar outside of formulas and code."""
    view = make_view(name)
    words = "$5 and $6, $x$ \\(y\\)"
    view.feed([words + "\n\n| a |\n|-|\n| $7 `$8` |\n\n    $9\n\n", {"a $9": 1.5, words: words}])
    view.finish()
    reader = Typeset()
    reader.feed(view.bundle(status(title=words, notes=(words,)))["text/html"])
    is_markdown = name in ("markdown", "answer")
    assert {*reader.typeset} == ({"$x$", "\\(y\\)"} if is_markdown else set())


class Typeset(HTMLParser):
    """The texts in which a typesetter finds marks of formulas."""

    def __init__(self) -> None:
        super().__init__()
        self._open: list[bool] = [False]
        self.typeset: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        classes = (dict(attrs).get("class") or "").split()
        is_ignored = self._open[-1] or tag in ("pre", "code") or "mathjax_ignore" in classes
        if tag not in ("img", "br", "hr"):
            self._open.append(is_ignored and "mathjax_process" not in classes)

    def handle_endtag(self, tag: str) -> None:
        self._open.pop()

    def handle_data(self, data: str) -> None:
        # A formula begins and ends in one text.
        if not self._open[-1] and len(re.findall(r"[$]|\\[()]", data)) > 1:
            self.typeset.append(data)


def test_words_of_the_peer_can_always_be_saved() -> None:
    given = status(state="failed", error="E: \ud800 \x1b[31m", title="\udc00", notes=("\ud800",))
    json.dumps(bundle_of("x", 0, given), ensure_ascii=False).encode()
    assert "[✕ E after 412: \ufffd ]" in bundle_of("x", 0, given)["text/plain"]


def test_an_end_that_was_no_success_stands_in_the_plain_text() -> None:
    assert bundle_of("a", 0, status())["text/plain"] == "a"
    cancelled = bundle_of("a", 0, status(state="cancelled", count=41))
    assert cancelled["text/plain"] == "a\n[■ cancelled after 41 items]"


@pytest.mark.parametrize(
    ("given", "glyph", "line"),
    [
        (status(state="waiting", count=0, elapsed_s=1.23), "◌", "waiting 1.2 s"),
        (status(state="streaming", count=0, elapsed_s=1.23), "◌", "waiting 1.2 s"),
        (status(state="streaming"), "●", "412 items · first 0.31 s · 10.8 s"),
        (status(state="cancelling", count=1), "■", "cancelling · 1 item"),
        (status(), "✓", "412 items · first 0.31 s · 10.8 s"),
        (status(kind="unary"), "✓", "10.8 s"),
        (status(state="cancelled", count=1), "■", "cancelled after 1 item"),
        (status(state="cancelled", count=0), "■", "cancelled"),
        (status(state="cancelled", count=20, left=True), "■", "stopped after 20 items"),
        (status(state="failed", count=2, error="ValueError: no"), "✕", "ValueError after 2: no"),
        (status(state="failed", count=0, error="odd one: no"), "✕", "failed: odd one: no"),
        (status(state="failed", count=0, error=""), "✕", "failed"),
    ],
)
def test_the_state_line(given: Status, glyph: str, line: str) -> None:
    shown, parts = describe(given)
    assert (shown, " · ".join(parts)) == (glyph, line)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.00 s"),
        (0.314, "0.31 s"),
        (0.996, "1.0 s"),
        (10.84, "10.8 s"),
        (59.96, "1 min 00 s"),
        (125.4, "2 min 05 s"),
        (3725, "1 h 02 min"),
    ],
)
def test_duration(seconds: float, text: str) -> None:
    assert duration(seconds) == text


# ---- what it takes in the file


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
    bundle = view.bundle(status())
    assert file_bytes(bundle) <= LIMIT
    assert len(view.saved().text.encode()) <= LIMIT + 1_000
    assert bundle["text/plain"]
    said = bundle["text/plain"] + bundle.get("text/html", "")
    assert "left out" in said or "has more" in said or choice in ("plot", "markdown")


def test_what_fits_is_complete() -> None:
    text = "".join([f"line {n}\n" for n in range(16_000)])
    view = make_view("text", saved_bytes=LIMIT)
    view.feed([text])
    bundle = view.bundle(status())
    assert bundle["text/plain"] == text
    assert file_bytes(bundle) > 0.8 * LIMIT


def test_a_text_with_notes_is_within_the_limit_too() -> None:
    view = make_view("text", saved_bytes=LIMIT)
    view.feed(['some "words" & <more>\n' * 16_000])
    bundle = view.bundle(status(notes=("a note",)))
    assert file_bytes(bundle) <= LIMIT
    assert "a note" in bundle["text/html"]


def test_a_comparison_shares_one_limit() -> None:
    for choice in ("text", "auto"):
        view = make_view(choice, saved_bytes=3 * LIMIT)
        view.save_one_of(3)
        view.feed(["some words\n" * 200_000])
        assert file_bytes(view.bundle(status())) <= LIMIT


if __name__ == "__main__":
    CASES.write_text(json.dumps(cases(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


LIMIT = 400_000
