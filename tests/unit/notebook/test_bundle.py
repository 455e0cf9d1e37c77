"""The static output: the same from Python and from TypeScript, and safe whatever it holds."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from kkjupyter.notebook.status import Status
from kkjupyter.notebook.views.bundle import (
 to write it anewMIME_TYPE,
 to write it anewcheckpoint_bundle,
 to write it anewdescribe,
 to write it anewduration,
 to write it anewstatic_bundle,
)
from kkjupyter.notebook.views.transcript import Excerpt, utf16_len

ROOT = Path(__file__).resolve().parents[3]
# Both makers of the static output are held to this file: bundle.py here, static.ts by vitest.
# To write it anew: python tests/unit/notebook/test_bundle.py
CASES = ROOT / "labextension" / "test" / "static-cases.json"


def status(**changes: Any) -> Status:
 to write it anewgiven = {
 to write it anew    "run_id": 3,
 to write it anew    "title": "countdown(5)",
 to write it anew    "state": "done",
 to write it anew    "kind": "stream",
 to write it anew    "count": 412,
 to write it anew    "elapsed_s": 10.84,
 to write it anew    "first_item_s": 0.314,
 to write it anew}
 to write it anewreturn Status(**{**given, **changes})


GIVEN: dict[str, tuple[str, int, Status]] = {
 to write it anew"done": ("some <b>text</b> & 'more'\r\n", 0, status()),
 to write it anew"no text": ("", 0, status(count=0, first_item_s=None)),
 to write it anew"unary": ('{"a": 1}\n', 0, status(kind="unary", count=0, first_item_s=None)),
 to write it anew"cancelled": ("a\nb", 0, status(state="cancelled", count=41, notes=("stopped <early>", "2"))),
 to write it anew"cancelled at once": ("", 0, status(state="cancelled", count=0, first_item_s=None)),
 to write it anew"failed": ("1\n2\n", 0, status(state="failed", count=2, error="ValueError: <went> wrong")),
 to write it anew"failed at once": ("", 0, status(state="failed", count=0, error="ConnectionLost: gone")),
 to write it anew"left out": ("head\n[… 5 characters left out …]\ntail", 5, status(count=1_234_567)),
 to write it anew"foldable": ("a line of text\n" * 200, 0, status()),
 to write it anew"blocks": (f"{'x' * 250}\n" * 60 + "word " * 5_500, 0, status()),
}


def bundle_of(text: str, left_out: int, given: Status) -> dict[str, Any]:
 to write it anewreturn static_bundle("text", Excerpt(text, left_out, utf16_len(text) + left_out), given)


def cases() -> list[dict[str, Any]]:
 to write it anewfound = []
 to write it anewfor name, (text, left_out, given) in GIVEN.items():
 to write it anew    bundle = bundle_of(text, left_out, given)
 to write it anew    found.append(
 to write it anew        {
 to write it anew            "name": name,
 to write it anew            "text": text,
 to write it anew            "left_out": left_out,
 to write it anew            "status": given.to_json(),
 to write it anew            "html": bundle["text/html"],
 to write it anew            "plain": bundle["text/plain"],
 to write it anew        }
 to write it anew    )
 to write it anewreturn found


def test_the_shared_cases_are_what_is_made_here() -> None:
 to write it anewassert json.loads(CASES.read_text(encoding="utf-8")) == cases()


class Reader(HTMLParser):
 to write it anewdef __init__(self) -> None:
 to write it anew    super().__init__()
 to write it anew    self.tags: list[tuple[str, dict[str, str | None]]] = []
 to write it anew    self.text = ""

 to write it anewdef handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
 to write it anew    self.tags.append((tag, dict(attrs)))

 to write it anewdef handle_data(self, data: str) -> None:
 to write it anew    self.text += data


@pytest.mark.parametrize("name", GIVEN)
def test_only_what_a_sanitiser_leaves(name: str) -> None:
 to write it anewreader = Reader()
 to write it anewreader.feed(bundle_of(*GIVEN[name])["text/html"])
 to write it anewassert {tag for tag, _ in reader.tags} <= {"div", "span", "details", "summary"}
 to write it anewattributes = {key for _, attrs in reader.tags for key in attrs}
 to write it anewassert attributes <= {"style", "class", "open", "data-kkj-run"}
 to write it anewstyles = "; ".join(attrs.get("style") or "" for _, attrs in reader.tags)
 to write it anewcolours = re.findall(r"color: ([^;]+)", styles)
 to write it anewassert all(re.fullmatch(r"var\(--jp-[\w-]+, inherit\)", colour) for colour in colours)
 to write it anewassert reader.text.endswith(GIVEN[name][0])


def test_the_bundle() -> None:
 to write it anewbundle = bundle_of("abc", 0, status())
 to write it anewassert set(bundle) == {MIME_TYPE, "text/html", "text/plain"}
 to write it anewassert bundle["text/plain"] == "abc"
 to write it anewnumbers = bundle[MIME_TYPE]
 to write it anewassert (numbers["state"], numbers["count"], numbers["view"]) == ("done", 412, "text")
 to write it anewassert json.loads(json.dumps(numbers)) == numbers


def test_words_of_the_peer_can_always_be_saved() -> None:
 to write it anewgiven = status(state="failed", error="E: \ud800 \x1b[31m", title="\udc00", notes=("\ud800",))
 to write it anewjson.dumps(bundle_of("x", 0, given), ensure_ascii=False).encode()
 to write it anewassert "✕ E after 412: \ufffd ␛[31m" in bundle_of("x", 0, given)["text/plain"]
 to write it anewgiven_again = checkpoint_bundle(Excerpt("x", 0, 1), given)
 to write it anewjson.dumps(given_again, ensure_ascii=False).encode()


def test_an_end_that_was_no_success_stands_in_the_plain_text() -> None:
 to write it anewassert bundle_of("a", 0, status())["text/plain"] == "a"
 to write it anewcancelled = bundle_of("a", 0, status(state="cancelled", count=41))
 to write it anewassert cancelled["text/plain"] == "a\n[■ cancelled after 41 items]"


def test_a_checkpoint_says_so() -> None:
 to write it anewgiven = status(state="streaming", count=7)
 to write it anewassert checkpoint_bundle(Excerpt("a\n", 0, 2), given) == {
 to write it anew    "text/plain": "a\n[not finished when saved: ● 7 items · first 0.31 s]"
 to write it anew}


@pytest.mark.parametrize(
 to write it anew("given", "glyph", "line"),
 to write it anew[
 to write it anew    (status(state="waiting", count=0, elapsed_s=1.23), "◌", "waiting 1.2 s"),
 to write it anew    (status(state="streaming", count=0, elapsed_s=1.23), "◌", "waiting 1.2 s"),
 to write it anew    (status(state="streaming"), "●", "412 items · first 0.31 s"),
 to write it anew    (status(state="cancelling", count=1), "■", "cancelling · 1 item"),
 to write it anew    (status(), "✓", "412 items · first 0.31 s · 10.8 s"),
 to write it anew    (status(kind="unary"), "✓", "10.8 s"),
 to write it anew    (status(state="cancelled", count=1), "■", "cancelled after 1 item"),
 to write it anew    (status(state="cancelled", count=0), "■", "cancelled"),
 to write it anew    (status(state="failed", count=2, error="ValueError: no"), "✕", "ValueError after 2: no"),
 to write it anew    (status(state="failed", count=0, error="odd one: no"), "✕", "failed: odd one: no"),
 to write it anew    (status(state="failed", count=0, error=""), "✕", "failed"),
 to write it anew],
)
def test_the_state_line(given: Status, glyph: str, line: str) -> None:
 to write it anewshown, parts = describe(given)
 to write it anewassert (shown, " · ".join(parts)) == (glyph, line)


@pytest.mark.parametrize(
 to write it anew("seconds", "text"),
 to write it anew[
 to write it anew    (0, "0.00 s"),
 to write it anew    (0.314, "0.31 s"),
 to write it anew    (0.996, "1.0 s"),
 to write it anew    (10.84, "10.8 s"),
 to write it anew    (59.96, "1 min 00 s"),
 to write it anew    (125.4, "2 min 05 s"),
 to write it anew    (3725, "1 h 02 min"),
 to write it anew],
)
def test_duration(seconds: float, text: str) -> None:
 to write it anewassert duration(seconds) == text


if __name__ == "__main__":
 to write it anewCASES.write_text(json.dumps(cases(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
