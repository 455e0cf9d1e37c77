"""The progress view: what counts as progress, and what is said of it."""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from kkjupyter.notebook.run_status import RunState, Status
from kkjupyter.notebook.views import VIEWS, make_view
from kkjupyter.notebook.views.progress import Mark, ProgressView, describe_progress
from kkjupyter.notebook.views.saved_form import MIME_TYPE

DONE = Status(3, "f()", "done", "stream", 2, 1.0, 0.1)
# Both makers of the words are held to this file: progress.py here, marks.ts by vitest.
# To write it anew: python tests/unit/notebook/views/test_progress.py
CASES = Path(__file__).resolve().parents[4] / "labextension" / "test" / "cases" / "progress.json"

HALF = [Mark(0, 0, 10), Mark(2, 5, 10)]
WHOLE = [Mark(0, 0, 10), Mark(2, 10, 10)]
MARKS: list[tuple[str, list[Mark], RunState]] = [
    ("10 % · 1 of 10", [Mark(0, 1, 10)], "streaming"),
    ("50 % · 5 of 10 · 2.5/s · 2.0 s left", HALF, "streaming"),
    ("ended at 50 % · 5 of 10 · 2.5/s", HALF, "done"),
    ("cancelled at 50 % · 5 of 10 · 2.5/s", HALF, "cancelled"),
    ("failed at 50 % · 5 of 10 · 2.5/s", HALF, "failed"),
    ("100 % · 10 of 10 · 5/s", WHOLE, "streaming"),
    ("100 % · 10 of 10 · 5/s", WHOLE, "done"),
    ("cancelled at 100 % · 10 of 10 · 5/s", WHOLE, "cancelled"),
    ("25 % · 6.0 s left", [Mark(0, 0, 1), Mark(2, 0.25, 1)], "streaming"),
    ("failed at 25 %", [Mark(0, 0, 1), Mark(2, 0.25, 1)], "failed"),
    ("0 of 0", [Mark(0, 0, 0)], "streaming"),
    ("ended at 0 of 0", [Mark(0, 0, 0)], "done"),
    ("reading · 7 done · 3.5/s", [Mark(0, 0, None), Mark(2, 7, None, "reading")], "streaming"),
    ("reading · 7 done", [Mark(0, 7, None, "reading")], "done"),
    ("reading · cancelled at 7 done", [Mark(0, 7, None, "reading")], "cancelled"),
    (
        "50 % · 2,500,000 of 5,000,000 · 1,250,000/s · 2.0 s left",
        [Mark(0, 0, 5_000_000), Mark(2, 2_500_000, 5_000_000)],
        "streaming",
    ),
    (
        "33 % · 3.33333 of 10 · 0.333/s · 20.0 s left",
        [Mark(0, 0, 10), Mark(10, 10 / 3, 10)],
        "streaming",
    ),
    (
        "12 % · 12,345.7 of 100,000 · 12,300/s · 7.1 s left",
        [Mark(0, 0, 100_000), Mark(1, 12_345.678, 100_000)],
        "streaming",
    ),
    ("100 % · 20 of 10", [Mark(0, 20, 10), Mark(1, 20, 10)], "streaming"),
    # Only the last half minute counts.
    (
        "90 % · 90 of 100 · 1/s · 10.0 s left",
        [Mark(0, 0, 100), Mark(70, 70, 100), Mark(90, 90, 100)],
        "streaming",
    ),
]


def cases() -> list[dict[str, str]]:
    return [
        {
            "words": words,
            "state": state,
            "source": "".join(
                [f"{json.dumps([m.at_s, m.done, m.total, m.label])}\n" for m in marks]
            ),
        }
        for words, marks, state in MARKS
    ]


@pytest.mark.parametrize(("words", "marks", "state"), MARKS)
def test_in_words(words: str, marks: list[Mark], state: RunState) -> None:
    assert describe_progress(marks, state) == words


def test_the_front_end_is_held_to_the_same_words() -> None:
    assert json.loads(CASES.read_text()) == cases()


@dataclass
class Job:
    done: int
    total: int | None
    label: str = "copying"


@pytest.mark.parametrize(
    ("item", "mark"),
    [
        ({"done": 5, "total": 10}, [5, 10, ""]),
        ({"done": 5, "total": None, "message": "a"}, [5, None, "a"]),
        ({"done": 5, "total": 9, "text": "two\nlines "}, [5, 9, "two lines"]),
        ({"done": 5, "total": 9, "text": "x" * 1_000}, [5, 9, "x" * 200 + "…"]),
        (Job(1, 2), [1, 2, "copying"]),
        (0.5, [0.5, 1, ""]),
        (1, [1, 1, ""]),
        (2, None),
        (True, None),
        ("x", None),
        ({"total": 5}, None),
        ({"done": "5", "total": 5}, None),
        ({"done": float("nan"), "total": 5}, None),
    ],
)
def test_what_counts_as_progress(item: Any, mark: list[Any] | None) -> None:
    source = make_view("progress").feed([item])
    assert (json.loads(source)[1:] if source else None) == mark


def test_only_the_newest_of_a_batch_travels() -> None:
    view = make_view("progress")
    source = view.feed([{"done": n, "total": 9} for n in range(9)] + ["x"])
    assert json.loads(source)[1] == 8


def test_auto_takes_it_for_what_has_done_and_total() -> None:
    view = make_view()
    view.feed([Job(1, 2), Job(2, None)])
    assert view.pane == "progress"
    assert not ProgressView.suits({"done": 1})
    assert not ProgressView.suits(0.5)
    assert VIEWS["progress"].bears({"done": 1})


def test_what_is_saved() -> None:
    view = make_view("progress")
    view.feed([Job(0, 4, "<b>")])
    view.feed([Job(3, 4, "<b>")])
    bundle = view.bundle(DONE)
    html = bundle["text/html"]
    # The label stands above the bar, the figures below it.
    assert re.search(r"<div>&lt;b&gt;</div>.*width: 75.00%.*>ended at 75 % · 3 of 4", html)
    assert bundle["text/plain"].startswith("█" * 22 + "░" * 8 + " <b> · ended at 75 %")
    assert len(bundle[MIME_TYPE]["source"].splitlines()) == 2
    assert make_view("progress").bundle(DONE)["text/plain"] == ""


@pytest.mark.parametrize(
    ("done", "state", "colour"),
    [
        (4, "done", "success"),
        (3, "done", "warn"),
        (4, "cancelled", "ui-font-color3"),
        (3, "failed", "error"),
    ],
)
def test_the_colour_tells_how_it_ended(done: int, state: RunState, colour: str) -> None:
    view = make_view("progress")
    view.feed([Job(done, 4)])
    html = view.bundle(replace(DONE, state=state))["text/html"]
    [bar] = re.findall(r"width: [^;]+%; border-radius: 4px; background: var\(--jp-([\w-]+)", html)
    assert bar.startswith(colour)


def test_nothing_is_left_of_what_is_over() -> None:
    view = make_view("progress")
    for done in range(3):
        view.feed([Job(done, 4)])
        time.sleep(0.002)
    bundle = view.bundle(replace(DONE, state="cancelled"))
    assert "cancelled at 50 %" in bundle["text/html"]
    assert "/s" in bundle["text/html"]
    assert " left" not in bundle["text/html"] + bundle["text/plain"]


def test_in_a_terminal_a_line_for_each_tenth() -> None:
    view = make_view("progress", in_terminal=True)
    text = view.feed([{"done": n, "total": 1_000} for n in range(996)]) + view.finish()
    lines = text.splitlines()
    assert len(lines) == 11
    assert lines[0].startswith("░" * 30 + " 0 %")
    assert "99 % · 995 of 1,000" in lines[-1]
    without_total = make_view(in_terminal=True)
    assert without_total.feed([{"done": 1, "total": 2}]).count("\n") == 1
    assert make_view("progress", in_terminal=True).finish() == ""


if __name__ == "__main__":
    CASES.write_text(json.dumps(cases(), indent=1, ensure_ascii=False) + "\n")
