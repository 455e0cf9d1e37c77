"""marimo: what is displayed, how messages leave our threads, and what ends a stream.

A stand-in has the few functions of marimo's that are used: widgets are displayed, and only its own
threads may send.
"""

from __future__ import annotations

import sys
import threading
import types
from collections.abc import Iterator
from typing import Any

import pytest
from support.endpoints import Endpoint
from support.waiting import until

import kkjupyter as kk
from kkjupyter.notebook.output.widget import ColumnsWidget, LiveWidget
from kkjupyter.notebook.shell import server_log


class Marimo(types.ModuleType):
    """Stands in for marimo, with a cell that runs in the thread of the test."""

    def __init__(self) -> None:
        super().__init__("marimo")
        self.appended: list[Any] = []
        self.is_invalid = False
        cell_thread = threading.current_thread()
        notebook = self

        class Thread(threading.Thread):
            @property
            def should_exit(self) -> bool:
                return notebook.is_invalid

        self.Thread = Thread
        self.current_thread = threading.current_thread
        self.output = types.SimpleNamespace(append=self.appended.append)
        self.running_in_notebook = lambda: threading.current_thread() is cell_thread
        self.vstack = list


@pytest.fixture
def marimo(monkeypatch: pytest.MonkeyPatch) -> Iterator[Marimo]:
    stand_in = Marimo()
    monkeypatch.setitem(sys.modules, "marimo", stand_in)
    yield stand_in
    sys.modules.pop("kkjupyter.notebook.output.marimo", None)
    server_log.uninstall()


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch, marimo: Marimo) -> list[tuple[str, bool]]:
    """What widgets have sent: its kind, and whether a thread of marimo's did."""
    kinds: list[tuple[str, bool]] = []

    def note(kind: str) -> None:
        kinds.append((kind, isinstance(threading.current_thread(), marimo.Thread)))

    monkeypatch.setattr(LiveWidget, "send", lambda self, content, **_: note(content["kind"]))
    monkeypatch.setattr(
        LiveWidget, "send_state", lambda self, key: note(key) if key == "snapshot" else None
    )
    return kinds


@pytest.fixture
def api() -> Iterator[Any]:
    with kk.serve(Endpoint(), token=False) as server, server.connect() as connected:
        yield connected


def test_the_last_line_is_a_widget_and_the_cell_goes_on(
    marimo: Marimo, sent: list[tuple[str, bool]]
) -> None:
    go_on = threading.Event()

    def numbers() -> Iterator[int]:
        yield 1
        assert go_on.wait(20)
        yield 2

    shown = kk.show(numbers())
    widget = shown._display_()  # type: ignore[attr-defined]
    assert isinstance(widget, LiveWidget)
    assert marimo.appended == []
    until(lambda: shown.reply.count == 1)
    go_on.set()
    until(lambda: ("snapshot", True) in sent)
    assert shown.reply.items == [1, 2]
    # The page has all the text when nobody answers it any more.
    assert widget.get_state("snapshot")["snapshot"]["text"] == "1\n2\n"
    assert all(is_marimos for _, is_marimos in sent)
    assert [kind for kind, _ in sent][-2:] == ["end", "snapshot"]


def test_what_waits_in_the_cell_appears_while_it_waits(
    marimo: Marimo, sent: list[tuple[str, bool]], capsys: pytest.CaptureFixture[str]
) -> None:
    reply = kk.show([1, 2]).wait()
    assert [*kk.show(iter([3, 4]))] == [3, 4]
    assert [isinstance(widget, LiveWidget) for widget in marimo.appended] == [True, True]
    assert capsys.readouterr().out == ""  # a loop prints its items itself
    assert isinstance(reply._display_(), LiveWidget)
    until(lambda: sent.count(("snapshot", True)) == 3)


def test_a_call_is_its_value_or_a_view(marimo: Marimo, api: Any) -> None:
    assert api.add(1, 2)._display_() == 3
    with pytest.raises(kk.RemoteError):
        api.add("x")._display_()
    assert isinstance(api.countdown(3)._display_(), LiveWidget)


def test_streams_side_by_side(marimo: Marimo) -> None:
    compared = kk.compare({"a": [1, 2], "b": [3]})
    assert isinstance(compared._display_(), ColumnsWidget)  # type: ignore[attr-defined]
    until(lambda: all(reply.status == "done" for reply in compared.replies.values()))


def test_a_cell_that_is_run_again_cancels_its_stream(
    marimo: Marimo, sent: list[tuple[str, bool]]
) -> None:
    is_closed = threading.Event()

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
                threading.Event().wait(0.01)
        finally:
            is_closed.set()

    shown = kk.show(endless())
    shown._display_()  # type: ignore[attr-defined]
    until(lambda: shown.reply.count > 3)
    marimo.is_invalid = True
    until(lambda: shown.reply.status == "cancelled")
    assert is_closed.wait(20)
