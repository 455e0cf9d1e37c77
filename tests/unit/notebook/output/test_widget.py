"""What the widget sends and answers, without a front end."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

import pytest
from support.runs import ViewedRun

from kkjupyter.notebook.output import page_messages
from kkjupyter.notebook.output.live_output import LiveOutput
from kkjupyter.notebook.output.pages import pages
from kkjupyter.notebook.output.widget import WIDGET_VIEW_MIME, LiveWidget, prefer_subshells
from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.views import View, make_view
from kkjupyter.notebook.views.saved_form import MIME_TYPE


def status(state: Any = "streaming", count: int = 1) -> Status:
    return Status(3, "countdown(5)", state, "stream", count, 0.5, 0.1)


class Rig:
    """An output and its widget, whose messages land in a list."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.cancels = 0
        self.sent: list[dict[str, Any]] = []
        self.output = LiveOutput(view=view, run=ViewedRun(status(), self._cancel))
        assert isinstance(self.output.widget, LiveWidget)
        self.widget = self.output.widget
        self.widget.send = self.sent.append

    def _cancel(self) -> bool:
        self.cancels += 1
        return self.cancels == 1

    def ask(self, **content: Any) -> dict[str, Any] | None:
        """What the page sends, the way ipywidgets hands it over."""
        self.sent.clear()
        message = {"data": {"method": "custom", "content": content}}
        self.widget._handle_msg({"content": message, "buffers": []})
        return self.sent[0] if self.sent else None

    def push(self, *items: Any) -> None:
        self.output.push(self.view.feed(items), status(count=len(items)))


@pytest.fixture
def rig() -> Rig:
    return Rig(make_view("text"))


def test_deltas_are_addressed_in_utf16_units(rig: Rig) -> None:
    rig.push("a😀")
    rig.push("é")
    rig.push()
    deltas = [(message["offset"], message["text"]) for message in rig.sent]
    assert deltas == [(0, "a😀"), (3, "é"), (4, "")]
    assert rig.sent[0]["status"] == status().to_json()


def test_what_the_page_lacks_is_sent_again(rig: Rig) -> None:
    rig.push("a😀bc")
    answer = rig.ask(kind="need", offset=3)
    assert answer is not None
    assert (answer["kind"], answer["offset"], answer["text"]) == ("delta", 3, "bc")


def test_what_is_not_retained_makes_the_page_start_anew() -> None:
    rig = Rig(make_view("text", retained_bytes=200_000, saved_bytes=1_000))
    rig.push("x" * 2_000_000)
    answer = rig.ask(kind="need", offset=0)
    assert answer is not None
    assert answer["kind"] == "reset"
    assert answer["end"] == 2_000_000
    assert answer["left_out"] > 1_900_000
    assert len(answer["text"]) < 1_100


def test_cancel_is_passed_on_and_the_answer_says_what_came_of_it(rig: Rig) -> None:
    first, second = rig.ask(kind="cancel"), rig.ask(kind="cancel")
    assert first is not None
    assert second is not None
    assert (first["kind"], first["cancelled"], second["cancelled"]) == ("ack", True, False)
    assert rig.cancels == 2
    rig.view.feed(["abc"])
    rig.output.end(status("done"), {})
    state = {"state": status("done").to_json(), "end": 3}
    assert rig.ask(kind="cancel") == {"kind": "ack", "cancelled": False, **state}
    assert rig.cancels == 2  # the run is over, and not held
    assert rig.ask(kind="state") == {"kind": "state", **state}


def test_copy_gives_everything_retained() -> None:
    rig = Rig(make_view("text", saved_bytes=10))
    rig.push("0123456789" * 10)
    assert rig.ask(kind="copy") == {"kind": "copy", "text": "0123456789" * 10}


def test_the_bundle_is_there_after_the_end(rig: Rig) -> None:
    rig.push("abc")
    assert rig.ask(kind="bundle") is None
    bundle = rig.output.end(status("done"), rig.view.bundle(status("done")))
    assert bundle[MIME_TYPE]["key"] == rig.output.key
    assert rig.sent == [
        {"kind": "bundle", "bundle": bundle},  # that was asked for too early
        {"kind": "end", "end": 3, "status": status("done").to_json()},
    ]
    assert rig.ask(kind="bundle") == {"kind": "bundle", "bundle": bundle}


def test_a_bundle_that_nobody_wants_is_not_sent(rig: Rig) -> None:
    rig.output.end(status("done"), rig.view.bundle(status("done")))
    assert [message["kind"] for message in rig.sent] == ["end"]


@pytest.mark.parametrize("content", [{}, {"kind": "what"}, {"kind": "need"}, {"kind": 5}])
def test_other_messages_are_not_answered(rig: Rig, content: dict[str, Any]) -> None:
    assert rig.ask(**content) is None
    assert rig.cancels == 0


def test_the_text_travels_only_when_the_state_is_asked_for(rig: Rig) -> None:
    rig.push("abc")
    state = rig.widget.get_state()
    assert state["snapshot"]["text"] == "abc"
    assert state["snapshot"]["end"] == 3
    assert state["key"] == rig.widget.model_id
    assert rig.widget.get_state("run_id") == {"run_id": 3}
    json.dumps(state["snapshot"])


def test_a_further_widget_starts_with_all_that_came(rig: Rig) -> None:
    rig.push("abc")
    second = LiveOutput(view=rig.view, run=ViewedRun(status()))
    assert isinstance(second.widget, LiveWidget)
    assert second.widget.get_state()["snapshot"]["text"] == "abc"
    assert second.display_bundle()[MIME_TYPE]["source"] == "abc"
    assert second.key != rig.output.key


def test_the_first_display_is_for_every_front_end(rig: Rig) -> None:
    bundle = rig.output.display_bundle()
    assert set(bundle) == {MIME_TYPE, WIDGET_VIEW_MIME, "text/plain"}
    assert bundle[WIDGET_VIEW_MIME]["model_id"] == bundle[MIME_TYPE]["key"] == rig.output.key
    assert bundle[MIME_TYPE]["state"] == "streaming"
    plain = "streaming from countdown(5); live in JupyterLab and Notebook"
    assert bundle["text/plain"] == plain


def test_a_front_end_loads_the_module_of_anywidget(rig: Rig) -> None:
    """VS Code and others fetch it under this name, in the version that is installed."""
    state = rig.widget.get_state()
    assert (state["_model_module"], state["_model_name"]) == ("anywidget", "AnyModel")
    assert (state["_view_module"], state["_view_name"]) == ("anywidget", "AnyView")
    major, minor, _ = version("anywidget").split(".", 2)
    assert state["_model_module_version"] == f"~{major}.{minor}.*"
    assert "export" in state["_esm"]


def test_a_page_with_the_extension_needs_no_widget(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[str, Any]] = []
    monkeypatch.setattr(page_messages, "send", lambda kind, content: told.append((kind, content)))
    monkeypatch.setattr(pages, "has_extension", True)
    view = make_view("text")
    output = LiveOutput(view=view, run=ViewedRun(status()))
    assert output.widget is None
    assert set(output.display_bundle()) == {MIME_TYPE, "text/plain"}
    output.push(view.feed(["abc"]), status())
    output.end(status("done"), view.bundle(status("done")))
    assert [(kind, content["kind"]) for kind, content in told] == [
        ("kkjupyter_view", "delta"),
        ("kkjupyter_view", "end"),
    ]
    assert {content["key"] for _, content in told} == {output.key}


def test_a_page_that_comes_later_is_told_as_well(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Any] = []
    monkeypatch.setattr(page_messages, "send", lambda kind, content: told.append(content["text"]))
    rig.push("a")
    monkeypatch.setattr(pages, "has_extension", True)
    rig.push("b")
    assert told == ["b"]
    assert [message["text"] for message in rig.sent] == ["a", "b"]
    answer = rig.output.answer({"kind": "snapshot"})
    assert answer is not None
    assert (answer["kind"], answer["text"], answer["end"]) == ("reset", "ab", 2)


def test_incoming_messages_go_to_a_subshell_where_the_kernel_would_not_send_them_there() -> None:
    class Comm:
        comm_id = "x"

        def _reply_subshell_for(self, data: object, default: object) -> object:
            return "main"

    comm = Comm()
    prefer_subshells(comm)
    assert comm._reply_subshell_for({}, "subshell-1") == "subshell-1"
    prefer_subshells(object())  # an older kernel: nothing to change
