"""The static output: the same from Python and from TypeScript, safe, and never too large."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import nbformat
import pytest

from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.views import View, make_view
from kkjupyter.notebook.views.saved_form import (
    MIME_TYPE,
    Body,
    describe,
    duration,
    static_bundle,
    text_body,
)
from kkjupyter.notebook.views.transcript import Excerpt, utf16_len

ROOT = Path(__file__).resolve().parents[4]
# Both makers of the static output are held to this file: saved_form.py here, and by vitest
# saved-form.ts.
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
    "foldable": ("a line of text\n" * 200, 0, status()),
    "blocks": (f"{'x' * 250}\n" * 60 + "word " * 5_500, 0, status()),
}


def bundle_of(text: str, left_out: int, given: Status) -> dict[str, Any]:
    body = text_body(Excerpt(text, left_out, utf16_len(text) + left_out))
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
                "html": bundle["text/html"],
                "plain": bundle["text/plain"],
            }
        )
    return found


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


@pytest.mark.parametrize("name", GIVEN)
def test_only_what_a_sanitiser_leaves(name: str) -> None:
    reader = Reader()
    reader.feed(bundle_of(*GIVEN[name])["text/html"])
    assert {tag for tag, _ in reader.tags} <= {"div", "span", "pre", "details", "summary"}
    attributes = {key for _, attrs in reader.tags for key in attrs}
    assert attributes <= {"style", "class", "open", "data-kkj-run"}
    styles = "; ".join(attrs.get("style") or "" for _, attrs in reader.tags)
    colours = re.findall(r"color: ([^;]+)", styles)
    assert all(re.fullmatch(r"var\(--jp-[\w-]+, inherit\)", colour) for colour in colours)
    assert reader.text.endswith(GIVEN[name][0])


def test_the_bundle() -> None:
    bundle = bundle_of("abc", 0, status())
    assert set(bundle) == {MIME_TYPE, "text/html", "text/plain"}
    assert bundle["text/plain"] == "abc"
    numbers = bundle[MIME_TYPE]
    assert (numbers["state"], numbers["count"], numbers["view"]) == ("done", 412, "text")
    assert json.loads(json.dumps(numbers)) == numbers


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
    assert (
        "left out" in bundle["text/html"]
        or "only the text" in bundle["text/html"]
        or (choice in ("plot", "markdown"))
    )


def test_what_fits_is_complete() -> None:
    text = "".join([f"line {n}\n" for n in range(9_000)])
    view = make_view("text", saved_bytes=LIMIT)
    view.feed([text])
    bundle = view.bundle(status())
    assert bundle["text/plain"] == text
    assert "left out" not in bundle["text/html"]


def test_a_comparison_shares_one_limit() -> None:
    for choice in ("text", "auto"):
        view = make_view(choice, saved_bytes=3 * LIMIT)
        view.save_one_of(3)
        view.feed(["some words\n" * 200_000])
        assert file_bytes(view.bundle(status())) <= LIMIT


if __name__ == "__main__":
    CASES.write_text(json.dumps(cases(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


LIMIT = 400_000
