"""What the kernel answers on the control channel."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.runs import ViewedRun

from kkjupyter.notebook.output import control
from kkjupyter.notebook.output.page_views import page_views
from kkjupyter.notebook.output.widget import LiveWidget
from kkjupyter.notebook.run.registry import registry
from kkjupyter.notebook.run.run import Run
from kkjupyter.notebook.show.waiting import begin
from kkjupyter.notebook.views import make_view


class Stream:
    """A run of a generator that goes on until the test ends it, and a view that a page shows."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.run: Run = begin(self._items(), "text")
        self.view = make_view("text")
        self.widget = LiveWidget(view=self.view, run=self.run)
        self.run.start()

    def _items(self) -> Iterator[str]:
        self.gate.wait(20)
        yield "end"

    @property
    def named(self) -> dict[str, Any]:
        """How a page names it."""
        return {"run_id": self.run.number, "key": self.widget.key}

    def end(self) -> None:
        self.gate.set()
        assert self.run.wait(20)


@pytest.fixture
def stream() -> Iterator[Stream]:
    stream = Stream()
    yield stream
    stream.run.cancel()
    stream.end()


def test_what_runs_is_known_and_goes_on(stream: Stream) -> None:
    answer = control.answer_state(stream.named, registry)
    assert (answer["status"], answer["known"], answer["end"]) == ("ok", True, 0)
    assert answer["state"]["state"] == "waiting"
    assert not stream.run.is_ending


def test_a_cancel_says_whether_it_cancelled_anything(stream: Stream) -> None:
    first = control.answer_cancel(stream.named, registry)
    assert (first["cancelled"], first["runs"], first["known"]) == (True, [stream.run.number], True)
    stream.end()
    again = control.answer_cancel(stream.named, registry)
    assert (again["cancelled"], again["runs"]) == (False, [])
    assert (again["known"], again["state"]["state"]) == (True, "cancelled")


def test_a_view_that_was_left_behind_tells_the_end_of_its_run(stream: Stream) -> None:
    """As one that failed: it was not told of the end, but the run has ended."""
    stream.end()
    assert stream.widget.status.state == "waiting"
    assert control.answer_state(stream.named, registry)["state"]["state"] == "done"


def test_a_view_that_was_told_of_the_end_is_known_for_good(stream: Stream) -> None:
    stream.view.feed(["end"])
    stream.end()
    stream.widget.end(stream.run.status(), {})
    registry._finished.pop(stream.run.number)  # as after twenty further streams
    answer = control.answer_state(stream.named, registry)
    assert (answer["known"], answer["state"]["state"], answer["end"]) == (True, "done", 3)


def test_the_number_of_another_process_is_not_this_ones(stream: Stream) -> None:
    """After a restart numbers begin anew: an old page must not cancel a new stream."""
    old = {**stream.named, "key": "of another kernel"}
    for answer in (control.answer_state(old, registry), control.answer_cancel(old, registry)):
        assert (answer["known"], answer["state"], answer["end"]) == (False, None, None)
    assert (answer["cancelled"], answer["runs"]) == (False, [])
    assert not stream.run.is_ending


def test_a_number_alone_is_enough_where_nothing_is_shown(stream: Stream) -> None:
    answer = control.answer_state({"run_id": stream.run.number}, registry)
    assert (answer["known"], answer["state"]["title"]) == (True, stream.run.title)
    assert control.answer_state({"run_id": 10**9}, registry)["known"] is False
    assert control.answer_cancel({"run_id": 10**9}, registry)["cancelled"] is False


def test_a_view_that_is_gone_is_forgotten() -> None:
    class View:
        status = run_status = cancel = Any
        end_offset = 0

    view: Any = View()
    page_views.add("gone soon", view)
    assert page_views.get("gone soon") is view
    del view
    assert page_views.get("gone soon") is None


@pytest.mark.parametrize("content", [{}, {"run_id": "3"}, {"run_id": None, "key": "k"}])
def test_what_names_no_run_is_refused(content: dict[str, Any]) -> None:
    assert control.answer_state(content, registry)["status"] == "error"
    assert control.answer_cancel(content, registry)["status"] == "error"


def test_an_answer_comes_even_if_cancelling_fails(
    stream: Stream, caplog: pytest.LogCaptureFixture
) -> None:
    """Silence would be taken for a busy kernel."""

    class Kernel:
        """Notes what is sent."""

        def __init__(self) -> None:
            self.control_handlers: dict[str, Any] = {}
            self.session = self.kernel = self
            self.sent: list[dict[str, Any]] = []

        def send(self, channel: object, kind: str, content: Any, parent: Any, ident: Any) -> None:
            self.sent.append({"kind": kind, **content})

    def fails() -> bool:
        raise RuntimeError("no way")

    widget = LiveWidget(view=stream.view, run=ViewedRun(stream.run.status(), fails))
    kernel = Kernel()
    control.install(kernel, registry)
    named = {"content": {"run_id": stream.run.number, "key": widget.key}}
    kernel.control_handlers["kkjupyter_cancel"](None, None, named)
    assert kernel.sent[0]["kind"] == "kkjupyter_cancel_reply"
    assert (kernel.sent[0]["status"], kernel.sent[0]["evalue"]) == ("error", "RuntimeError: no way")
    assert "kkjupyter_cancel failed" in caplog.text
    control.uninstall(kernel)
    assert kernel.control_handlers == {}
