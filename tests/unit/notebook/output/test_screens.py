"""Where views appear: what a terminal gets of remote text, and how often a cell is told."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from support.runs import FakeOutput
from support.waiting import until

from kkjupyter.notebook.output.places import place_here
from kkjupyter.notebook.output.screens import (
    CellScreen,
    HeldTerminalScreen,
    PageScreen,
    TerminalScreen,
)
from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.views import make_view
from kkjupyter.runtime.ticker import ticker


def status(state: Any = "streaming", count: int = 0, **more: Any) -> Status:
    return Status(1, "f()", state, "stream", count, 1.25, 0.1, **more)


@pytest.mark.parametrize(
    ("end", "line"),
    [
        (status("done", 2), "✓ 2 items · first 0.10 s · 1.2 s"),
        (status("cancelled", 1), "■ cancelled after 1 item"),
        (status("failed", 2, error="ValueError: x"), "✕ ValueError after 2: x"),
        (status("failed", 0, error="E: \x1b]0;title\x07x"), "✕ E: x"),
        (
            status("done", 2, notes=("ended by --take 2",)),
            "✓ 2 items · first 0.10 s · 1.2 s · ended by --take 2",
        ),
    ],
)
def test_a_terminal_shows_values_as_they_come_and_how_it_ended(
    capsys: pytest.CaptureFixture[str], end: Status, line: str
) -> None:
    screen = TerminalScreen(make_view())
    screen.feed([], status())
    screen.feed(["Hel", "\x1b[1mlo"], status())
    assert capsys.readouterr().out == "Hello"
    screen.end(end)
    assert capsys.readouterr().out == f"\n{line}\n"


def test_in_the_background_only_whole_lines_are_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    screen = TerminalScreen(make_view(), in_background=True)
    screen.feed(["Hel"], status())
    assert capsys.readouterr().out == ""
    screen.feed(["lo\nwor"], status())
    assert capsys.readouterr().out == "Hello\n"
    screen.end(status("done", 2))
    assert capsys.readouterr().out == "wor\n✓ f() · 2 items · first 0.10 s · 1.2 s\n"


def test_one_of_several_streams_is_printed_at_once_when_it_has_ended(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for end in ("end", "leave"):
        screen = HeldTerminalScreen("A", make_view())
        screen.feed(["Hel"], status())
        screen.feed(["lo"], status())
        assert capsys.readouterr().out == ""
        getattr(screen, end)(status("cancelled", 2))
        assert capsys.readouterr().out == "── A\nHello\n■ cancelled after 2 items\n"


def test_a_cell_is_told_at_most_thirty_times_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    updates: list[Any] = []
    monkeypatch.setattr(
        "IPython.display.DisplayHandle.display", lambda self, bundle, **_: updates.append(bundle)
    )
    monkeypatch.setattr(
        "IPython.display.DisplayHandle.update", lambda self, bundle, **_: updates.append(bundle)
    )
    widget = FakeOutput()
    screen = CellScreen(widget, make_view("text"), place_here())  # type: ignore[arg-type]
    started_s = time.monotonic()
    for n in range(200):
        ticker().post(lambda n=n: screen.feed([f"{n} "], status()))  # type: ignore[misc]
        time.sleep(0.002)
    time.sleep(0.1)
    elapsed_s = time.monotonic() - started_s
    before = len(widget.pushed)
    assert before <= elapsed_s * 30 + 2
    assert "".join(delta for _, delta in widget.pushed).split() == [str(n) for n in range(200)]
    screen.feed(["last"], status())
    screen.end(status("done"))
    time.sleep(0.1)
    assert "".join(delta for _, delta in widget.pushed).endswith("199 last")
    assert len(updates) == 2
    assert updates[1]["text/plain"].startswith("0 1 2")


def test_a_value_that_was_held_back_is_sent_although_none_comes() -> None:
    widget = FakeOutput()
    screen = PageScreen(widget, make_view("latest"), lambda bundle: None)  # type: ignore[arg-type]
    for n in range(20):
        ticker().post(lambda n=n: screen.feed([n], status(count=n)))  # type: ignore[misc]
    until(lambda: any('"19"' in delta for _, delta in widget.pushed))
    assert len(widget.pushed) < 10


def test_a_cell_is_not_told_twice_after_a_delay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("IPython.display.DisplayHandle.display", lambda self, bundle, **_: None)
    widget = FakeOutput()
    screen = CellScreen(widget, make_view("text"), place_here())  # type: ignore[arg-type]
    done = threading.Event()

    def feed(text: str) -> None:
        ticker().post(lambda: screen.feed([text], status()))

    feed("a")
    feed("b")  # has to wait for its turn,
    ticker().post(lambda: time.sleep(0.05))  # which comes late,
    feed("c")  # when this has taken it
    feed("d")
    ticker().post(done.set, 0.15)
    assert done.wait(10)
    assert [text for _, text in widget.pushed] == ["a", "bc", "d"]
    times_s = [time_s for time_s, _ in widget.pushed]
    assert times_s[2] - times_s[1] > 0.02
