"""Values in, text out; and how much of it is kept."""

from __future__ import annotations

import json
import threading
import time
from collections import namedtuple
from collections.abc import Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kkjupyter import undefined
from kkjupyter.errors import UsageError
from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.safe_text import PairJoiner, rewritten, whole
from kkjupyter.notebook.views import VIEWS, View, make_view
from kkjupyter.notebook.views.json import JsonView, line_of
from kkjupyter.notebook.views.text import TextView
from kkjupyter.notebook.views.transcript import Transcript, utf16_len
from kkjupyter.plaintext import printable

LABEXTENSION = Path(__file__).parents[4] / "labextension"
DONE = Status(1, "f()", "done", "stream", 1, 1.0, 0.1)

any_text = st.text(alphabet=st.characters())  # with lone surrogates
sound_text = st.text()


def through_utf16(text: str) -> str:
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


# ---- the registry


def test_a_view_by_name() -> None:
    for name, view in VIEWS.items():
        assert type(make_view(name)) is view
        assert view.name == name


def test_an_unknown_view() -> None:
    with pytest.raises(UsageError, match=r"did you mean 'text'.*auto, answer, text, .*json"):
        make_view("texxt")


# ---- text


def feed(view: View, *batches: list[Any]) -> str:
    return "".join([*[view.feed(batch) for batch in batches], view.finish()])


def test_strings_are_joined_as_they_are() -> None:
    view = TextView()
    assert feed(view, ["Hel", "lo"], [], [" world\n", ""]) == "Hello world\n"
    assert view.text == "Hello world\n"


def test_other_values_get_a_line_each() -> None:
    assert feed(TextView(), ["a", 1, {"b": None}, "c"], [2]) == 'a\n1\n{"b": null}\nc\n2\n'


def test_a_surrogate_pair_cut_in_two_is_joined() -> None:
    view = TextView()
    assert view.feed(["x\ud83d"]) == "x"
    assert view.feed(["\ude00y"]) == "😀y"
    assert view.feed(["\ud83d"]) == ""
    assert view.feed(["z\ude00"]) == "\ufffdz\ufffd"
    assert view.feed(["\ud83d"]) == ""
    assert view.finish() == "\ufffd"
    assert view.text == "x😀y\ufffdz\ufffd\ufffd"


@given(st.lists(any_text))
def test_however_it_is_cut_the_text_is_the_same(pieces: list[str]) -> None:
    joiner = PairJoiner()
    joined = "".join([*map(joiner.feed, pieces), joiner.flush()])
    assert joined == through_utf16("".join(pieces))
    joined.encode()


@given(any_text)
def test_control_characters_become_visible_and_keep_their_length(text: str) -> None:
    shown = printable(text)
    assert len(shown) == len(text)
    assert not any((c < " " and c not in "\t\n\r") or "\x7f" <= c < "\xa0" for c in shown)
    assert printable(shown) == shown
    whole(text).encode()


# ---- json

Point = namedtuple("Point", "x y")


class Broken:
    def __repr__(self) -> str:
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "line"),
    [
        (None, "null"),
        (True, "true"),
        (5, "5"),
        (2.0, "2"),
        (2.5, "2.5"),
        (float("nan"), "NaN"),
        (float("-inf"), "-Infinity"),
        (10**30, str(10**30)),
        ("a\nb", '"a\\nb"'),
        ("é😀", '"é😀"'),
        ("\ud83d", '"\\ud83d"'),
        ("a\u2028b", '"a\\u2028b"'),
        ({"a": [1, {"b": ()}]}, '{"a": [1, {"b": []}]}'),
        ({1: 2}, "{1: 2}"),
        ([], "[]"),
        (Point(1, 2), "[1, 2]"),
        (frozenset({1}), "frozenset(1)"),
        (undefined, "undefined"),
        ({"a": undefined}, '{"a": undefined}'),
        (datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), "2026-01-02T03:04:05+00:00"),
        (date(2026, 1, 2), "2026-01-02"),
        (b"ab", "<2 bytes: 61 62>"),
        (bytearray(40), f"<40 bytes: {'00 ' * 15}00 …>"),
        (Broken(), "<Broken: its repr raised RuntimeError>"),
    ],
)
def test_a_value_on_one_line(value: Any, line: str) -> None:
    assert line_of(value) == line


def test_cycles_depth_and_length_have_an_end() -> None:
    cycle: list[Any] = [1]
    cycle.append(cycle)
    assert line_of(cycle) == "[1, …]"
    deep: list[Any] = []
    for _ in range(10_000):
        deep = [deep]
    assert line_of(deep).count("[") == 32
    assert line_of("x" * 30_000).endswith(" … (10,002 more characters)")
    shared = [1]
    assert line_of([shared, shared]) == "[[1], [1]]"


@given(
    st.recursive(any_text | st.floats() | st.binary(), lambda s: st.lists(s) | st.sets(st.text()))
)
@pytest.mark.slow
def test_a_line_is_one_line_that_can_be_encoded(value: Any) -> None:
    line = line_of(value)
    line.encode()
    assert len(line.splitlines()) == 1


def test_the_json_view() -> None:
    assert feed(JsonView(), [{"a": 1}], ["b", 2]) == '{"a": 1}\n"b"\n2\n'


def test_what_unfolds_in_the_json_view_can_be_encoded() -> None:
    view = JsonView()
    feed(view, [{"a": "half \ud800 a pair", "b": "é"}])
    saved = view.bundle(Status(3, "f()", "done", "stream", 1, 1.0, 0.1))["text/html"]
    assert saved.encode()
    assert saved.count("half \\ud800 a pair") == 2


@settings(deadline=None)  # a plot is drawn
@given(
    st.sampled_from(sorted(VIEWS)),
    st.lists(
        st.recursive(
            any_text | st.floats(),
            lambda s: st.lists(s) | st.dictionaries(any_text, s, min_size=1),
            max_leaves=5,
        ),
        max_size=3,
    ),
)
@pytest.mark.slow
def test_whatever_comes_what_is_saved_can_be_sent(name: str, items: list[Any]) -> None:
    view = make_view(name)
    source = feed(view, items)
    bundle = view.bundle(Status(1, "f()", "done", "stream", len(items), 1.0, None))
    json.dumps([source, bundle], ensure_ascii=False, allow_nan=False).encode()
    text = source + bundle["text/plain"]
    assert not any((c < " " and c not in "\t\n\r") or "\x7f" <= c < "\xa0" for c in text)


# ---- the transcript


@given(st.lists(sound_text), st.data())
def test_the_text_from_any_offset(pieces: list[str], data: st.DataObject) -> None:
    transcript = Transcript(1 << 20)
    text = "".join(pieces)
    for piece in pieces:
        transcript.append(piece)
    assert transcript.end == utf16_len(text)
    assert transcript.excerpt().text == text
    cut = data.draw(st.integers(0, len(text)))
    assert transcript.since(utf16_len(text[:cut])) == text[cut:]
    assert transcript.since(transcript.end + 5) == ""


@pytest.mark.parametrize("character", ["x", "é", "😀"])
def test_over_the_limit_head_and_newest_stay(character: str) -> None:
    transcript = Transcript(1_000_000)
    lines = [f"{i:06}{character * 93}\n" for i in range(60_000)]
    for line in lines:
        transcript.append(line)
    text = "".join(lines)
    excerpt = transcript.excerpt()
    head, gap, tail = excerpt.text.partition("\n[… ")
    left_out, _, tail = tail.partition(" characters left out …]\n")
    assert gap
    assert int(left_out.replace(",", "")) == excerpt.left_out
    assert text.startswith(head)
    assert head
    assert text.endswith(tail)
    assert len(tail) > len(head)
    assert 600_000 < len((head + tail).encode()) <= 1_000_000 + 70_000
    assert utf16_len(head + tail) + excerpt.left_out == utf16_len(text) == transcript.end
    assert transcript.since(transcript.end - 10 * utf16_len(lines[0])) == "".join(lines[-10:])
    assert transcript.since(0) is None
    assert transcript.since(utf16_len(head) + 5) is None


def test_a_shorter_excerpt_for_the_file() -> None:
    transcript = Transcript(1_000_000)
    text = "".join(f"line {i} é\n" for i in range(20_000))
    transcript.append(text)
    assert transcript.excerpt(1_000_000).text == text
    excerpt = transcript.excerpt(10_000)
    head, _, rest = excerpt.text.partition("\n[… ")
    tail = rest.partition("…]\n")[2]
    assert text.startswith(head)
    assert text.endswith(tail)
    assert 9_900 < len((head + tail).encode()) <= 10_000
    assert utf16_len(head + tail) + excerpt.left_out == utf16_len(text)
    assert transcript.excerpt().text == text


def test_a_huge_piece_is_bounded_too() -> None:
    transcript = Transcript(100_000)
    transcript.append("x" * 5_000_000)
    assert len(transcript.excerpt().text) < 200_000
    assert transcript.end == 5_000_000


def test_one_thread_appends_while_others_read() -> None:
    transcript = Transcript(1 << 20)
    stop = threading.Event()
    seen: list[bool] = []

    def read() -> None:
        while not stop.is_set():
            excerpt = transcript.excerpt()
            seen.append(len(excerpt.text) == excerpt.end)

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(20_000):
        transcript.append("0123456789")
    stop.set()
    reader.join()
    assert seen
    assert all(seen)


# ---- what a view saves


def streaming(count: int) -> Status:
    return Status(1, "x()", "streaming", "stream", count, 1.0, 0.1)


def test_retained_and_saved_have_limits_of_their_own() -> None:
    view = make_view("text", retained_bytes=1_000_000, saved_bytes=10_000)
    view.feed(["0123456789" * 5_000])
    assert view.text == "0123456789" * 5_000
    assert len(view.saved().text) < 10_100
    bundle = view.bundle(streaming(1))
    assert "characters left out" in bundle["text/plain"]
    assert len(bundle["text/plain"]) < 11_000


# ---- lines that are written over

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
    view.finish()
    bundle = view.bundle(DONE)
    assert bundle["text/plain"] == shown


def test_many_of_them_take_linear_time() -> None:
    begun_s = time.thread_time()
    rewritten("x" * 500_000 + "\ry" * 500_000)
    assert time.thread_time() - begun_s < 5
