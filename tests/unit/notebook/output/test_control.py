"""What the kernel answers on the control channel."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.runs import ViewedRun

from kkjupyter.notebook.output import control, page_messages
from kkjupyter.notebook.output.live_output import LiveOutput
from kkjupyter.notebook.output.page_views import page_views
from kkjupyter.notebook.output.pages import pages
from kkjupyter.notebook.run.registry import registry
from kkjupyter.notebook.run.run import Run
from kkjupyter.notebook.show.waiting import begin
from kkjupyter.notebook.views import make_view


class Kernel:
    """Notes what is sent."""

    def __init__(self) -> None:
        self.control_handlers: dict[str, Any] = {}
        self.session = self.kernel = self
        self.sent: list[dict[str, Any]] = []

    def send(self, channel: object, kind: str, content: Any, parent: Any, ident: Any) -> None:
        self.sent.append({"kind": kind, **content})


class Stream:
    """A run of a generator that goes on until the test ends it, and a view that a page shows."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.run: Run = begin(self._items(), "text")
        self.view = make_view("text")
        self.output = LiveOutput(view=self.view, run=self.run)
        self.run.start()

    def _items(self) -> Iterator[str]:
        self.gate.wait(20)
        yield "end"

    def ask(self, kind: str) -> dict[str, Any]:
        """What a page is answered that shows it."""
        return control.answer_view({"key": self.output.key, "kind": kind}, registry)

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
    reply = stream.ask("state")
    assert (reply["status"], reply["known"]) == ("ok", True)
    answer = reply["answer"]
    assert (answer["kind"], answer["end"], answer["state"]["state"]) == ("state", 0, "waiting")
    assert not stream.run.is_ending


def test_a_cancel_says_whether_it_cancelled_anything(stream: Stream) -> None:
    first = stream.ask("cancel")["answer"]
    assert (first["kind"], first["cancelled"]) == ("ack", True)
    stream.end()
    again = stream.ask("cancel")["answer"]
    assert (again["cancelled"], again["state"]["state"]) == (False, "cancelled")
    assert control.answer_cancel({"run_id": stream.run.number}, registry)["runs"] == []


def test_a_run_is_cancelled_by_its_number(stream: Stream) -> None:
    answer = control.answer_cancel({"run_id": stream.run.number}, registry)
    assert (answer["cancelled"], answer["runs"]) == (True, [stream.run.number])


def test_a_view_that_was_left_behind_tells_the_end_of_its_run(stream: Stream) -> None:
    """As one that failed: it was not told of the end, but the run has ended."""
    stream.end()
    assert stream.output.status.state == "waiting"
    assert stream.ask("state")["answer"]["state"]["state"] == "done"


def test_a_view_that_was_told_of_the_end_is_known_for_good(stream: Stream) -> None:
    stream.view.feed(["end"])
    stream.end()
    stream.output.end(stream.run.status(), {})
    registry._finished.pop(stream.run.number)  # as after twenty further streams
    answer = stream.ask("state")["answer"]
    assert (answer["state"]["state"], answer["end"]) == ("done", 3)


def test_the_number_of_another_process_is_not_this_ones(stream: Stream) -> None:
    """After a restart numbers begin anew: an old page must not cancel a new stream."""
    for kind in ("state", "cancel", "snapshot"):
        old = {"key": "of another kernel", "run_id": stream.run.number, "kind": kind}
        reply = control.answer_view(old, registry)
        assert (reply["known"], reply["answer"]) == (False, None)
    assert not stream.run.is_ending


def test_a_number_alone_is_enough_where_nothing_is_shown(stream: Stream) -> None:
    answer = control.answer_state({"run_id": stream.run.number}, registry)
    assert (answer["known"], answer["state"]["title"]) == (True, stream.run.title)
    assert control.answer_state({"run_id": 10**9}, registry)["known"] is False
    assert control.answer_cancel({"run_id": 10**9}, registry)["cancelled"] is False


def test_a_view_that_is_gone_is_forgotten() -> None:
    class View:
        answer = Any

    view: Any = View()
    page_views.add("gone soon", view)
    assert page_views.get("gone soon") is view
    del view
    assert page_views.get("gone soon") is None


def test_a_page_with_the_extension_announces_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "has_extension", False)
    assert control.answer_page({}, registry) == {"status": "ok"}
    assert pages.has_extension


@pytest.mark.parametrize("is_running", [True, False])
def test_while_a_cell_runs_the_kernel_stays_busy(
    is_running: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Around each of our messages it says busy, then idle."""
    told: list[Any] = []
    monkeypatch.setattr(
        page_messages, "send", lambda kind, content, parent: told.append((kind, content, parent))
    )
    header = {"msg_id": "of the cell"}
    kernel = Kernel()
    control.install(kernel, registry, lambda: header if is_running else None)

    async def ask() -> None:
        kernel.control_handlers["kkjupyter_state"](None, None, {"content": {"run_id": 1}})
        assert told == []  # the kernel's own "idle" comes first
        await asyncio.sleep(0)

    asyncio.run(ask())
    busy = [("status", {"execution_state": "busy"}, {"header": header})]
    assert told == (busy if is_running else [])


def test_a_cell_that_ends_meanwhile_leaves_the_kernel_idle(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[str] = []
    monkeypatch.setattr(
        page_messages, "send", lambda kind, content, _: told.append(content["execution_state"])
    )
    states = [{"msg_id": "of the cell"}, None]
    control._say_busy_again(lambda: states.pop(0))
    assert told == ["busy", "idle"]


@pytest.mark.parametrize("content", [{}, {"run_id": "3"}, {"run_id": None, "key": 3}])
def test_what_names_no_run_is_refused(content: dict[str, Any]) -> None:
    assert control.answer_view(content, registry)["status"] == "error"
    assert control.answer_state(content, registry)["status"] == "error"
    assert control.answer_cancel(content, registry)["status"] == "error"


def test_an_answer_comes_even_if_cancelling_fails(
    stream: Stream, caplog: pytest.LogCaptureFixture
) -> None:
    """Silence would be taken for a busy kernel."""

    def fails() -> bool:
        raise RuntimeError("no way")

    output = LiveOutput(view=stream.view, run=ViewedRun(stream.run.status(), fails))
    kernel = Kernel()
    control.install(kernel, registry, lambda: None)
    named = {"content": {"kind": "cancel", "key": output.key}}
    kernel.control_handlers["kkjupyter_view"](None, None, named)
    assert kernel.sent[0]["kind"] == "kkjupyter_view_reply"
    assert (kernel.sent[0]["status"], kernel.sent[0]["evalue"]) == ("error", "RuntimeError: no way")
    assert "kkjupyter_view failed" in caplog.text
    control.uninstall(kernel)
    assert kernel.control_handlers == {}
