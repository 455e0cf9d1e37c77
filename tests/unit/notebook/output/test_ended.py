"""What the kernel keeps of views that have ended: little, and for all of them together bounded."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Iterator
from typing import Any

import ipywidgets
import pytest
from support.runs import FakeFeed, ViewedRun
from support.waiting import until

import kkjupyter as kk
from kkjupyter.errors import UsageError
from kkjupyter.notebook.magic.commands import _run_of
from kkjupyter.notebook.output import columns, live_output
from kkjupyter.notebook.output.columns import ColumnsOutput
from kkjupyter.notebook.output.ended import EndedOutputs, size_of_bundle
from kkjupyter.notebook.output.live_output import LiveOutput
from kkjupyter.notebook.output.widget import OutputWidget
from kkjupyter.notebook.run.registry import RunRegistry, registry
from kkjupyter.notebook.run.run import Run
from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.views import make_view
from kkjupyter.notebook.views.saved_form import MIME_TYPE


def status(state: Any = "done") -> Status:
    return Status(3, "f()", state, "stream", 1, 0.5, 0.1)


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> EndedOutputs:
    ended = EndedOutputs(held_bytes=100_000, held_outputs=5)
    monkeypatch.setattr(live_output, "ended_outputs", ended)
    monkeypatch.setattr(columns, "ended_outputs", ended)
    return ended


@pytest.fixture(autouse=True)
def sent(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(OutputWidget, "send", lambda _, content: sent.append(content))
    return sent


def ended_output(text: str = "abc", **options: Any) -> LiveOutput:
    view = make_view("text", **options)
    live = LiveOutput(view=view, run=ViewedRun(status("streaming")))
    view.feed([text])
    live.end(status(), view.bundle(status()))
    return live


def ask(live: Any, **content: Any) -> None:
    message = {"data": {"method": "custom", "content": content}}
    live.widget._handle_msg({"content": message, "buffers": []})


def is_open(live: Any) -> bool:
    return live.widget.comm is not None


def test_it_holds_neither_its_view_nor_the_run(ended: EndedOutputs) -> None:
    run = ViewedRun(status("streaming"))
    view = make_view("json")
    live = LiveOutput(view=view, run=run)
    live.end(status(), view.bundle(status()))
    gone = [weakref.ref(view), weakref.ref(run)]
    del view, run
    gc.collect()
    assert [one() for one in gone] == [None, None]


def test_a_page_that_loads_gets_little_and_asks_for_what_it_shows(
    ended: EndedOutputs, sent: list[dict[str, Any]]
) -> None:
    text = "x" * 50_000
    live = ended_output(text)
    snapshot = live.widget.get_state()["snapshot"]
    assert (snapshot["text"], snapshot["end"], snapshot["withheld"]) == ("", 0, True)
    assert snapshot["status"]["state"] == "done"
    assert len(json.dumps(snapshot)) < 1_000
    sent.clear()
    ask(live, kind="need", offset=0)
    [message] = sent
    assert (message["kind"], message["offset"], message["text"]) == ("delta", 0, text)
    ask(live, kind="copy")
    assert sent[-1] == {"kind": "copy", "text": text}
    ask(live, kind="bundle")
    assert sent[-1]["bundle"]["text/plain"] == text


def test_a_page_that_missed_the_end_hears_of_it(
    ended: EndedOutputs, sent: list[dict[str, Any]]
) -> None:
    live = ended_output("abcdef")
    sent.clear()
    ask(live, kind="need", offset=2)
    assert sent[-1]["text"].endswith("cdef")
    assert sent[-1]["status"]["state"] == "done"
    live.forget()
    ask(live, kind="need", offset=2)
    assert sent[-1] == {"kind": "end", "end": 2, "status": status().to_json()}
    sent.clear()
    ask(live, kind="bundle")
    ask(live, kind="cancel")
    (answer,) = sent  # there is no output any more, and nothing to cancel
    assert (answer["kind"], answer["cancelled"]) == ("ack", False)


def test_once_it_is_saved_it_is_closed(ended: EndedOutputs) -> None:
    live = ended_output()
    layout = live.widget.layout
    assert ended.held_bytes
    ask(live, kind="saved")
    assert not is_open(live)
    assert layout.comm is None
    assert ended.held_bytes == 0
    ended.drop(live)  # by a second page


def test_what_is_longer_than_what_was_saved_can_still_be_copied(
    ended: EndedOutputs, sent: list[dict[str, Any]]
) -> None:
    live = ended_output("0123456789" * 100, saved_bytes=100)
    before = ended.held_bytes
    ask(live, kind="saved")
    assert is_open(live)
    assert 1_000 <= ended.held_bytes < before
    ask(live, kind="copy")
    assert len(sent[-1]["text"]) == 1_000


def test_the_oldest_are_forgotten_beyond_the_bytes_and_closed_beyond_the_number(
    ended: EndedOutputs, sent: list[dict[str, Any]]
) -> None:
    big = [ended_output("x" * 30_000) for _ in range(4)]
    assert ended.held_bytes <= 100_000
    sent.clear()
    for live in big:
        ask(live, kind="bundle")
    assert [message["kind"] for message in sent] == ["bundle"]  # 60 kB: text and bundle of one
    huge = ended_output("x" * 200_000)  # the newest is kept whatever its size
    sent.clear()
    ask(huge, kind="bundle")
    assert len(sent) == 1
    small = [ended_output() for _ in range(4)]
    assert [is_open(live) for live in [*big, huge, *small]] == [*[False] * 4, *[True] * 5]


def test_a_comparison_goes_with_its_columns(ended: EndedOutputs) -> None:
    views = {name: make_view("text") for name in "AB"}
    outputs = {
        name: LiveOutput(view=view, run=ViewedRun(status()), place="key")
        for name, view in views.items()
    }
    whole = ColumnsOutput(outputs, "key")
    for name, view in views.items():
        outputs[name].end(status(), view.bundle(status()))
    answers: list[Any] = []
    whole.widget.send = answers.append
    ask(whole, kind="bundle")
    assert answers == []
    bundles = {name: view.bundle(status()) for name, view in views.items()}
    bundle = whole.end(bundles, {name: status() for name in views})
    assert bundle[MIME_TYPE]["key"] == "key"
    answer = {"kind": "bundle", "bundle": bundle}
    assert answers == [answer]  # it was asked for too early
    ask(whole, kind="bundle")
    assert answers == [answer, answer]
    assert whole.held_bytes > 0
    ask(whole, kind="saved")
    assert not any(is_open(one) for one in [whole, *outputs.values()])
    assert ended.held_bytes == 0


def test_the_size_of_a_bundle() -> None:
    size = size_of_bundle({"a": "x" * 10_000, "b": {"c": ["y" * 5_000, {"d": b"z" * 1_000}]}})
    assert 16_000 < size < 17_000


# ---- replies


def replies(count: int) -> Iterator[Any]:
    for _ in range(count):
        yield kk.show(iter(["x" * 1_000])).wait()


def test_a_reply_lives_as_long_as_somebody_holds_it(capsys: pytest.CaptureFixture[str]) -> None:
    watched = [weakref.ref(reply) for reply in replies(5)]
    until(lambda: gc.collect() >= 0 and not any(one() for one in watched))
    held = kk.show(iter(["held"])).wait()
    [run] = [run for run in registry.all() if run.reply is held]
    number = run.number
    gone = weakref.ref(run)
    del run
    until(lambda: gc.collect() >= 0 and gone() is None)
    again = registry.get(number)
    assert again is not None
    assert (again.reply, again.title, again.is_over) == (held, "list_iterator", True)
    assert not again.cancel()
    assert again.wait(0)
    assert registry.get(number) is again
    del again, held
    until(lambda: gc.collect() >= 0 and registry.get(number) is None)
    assert registry.gone(number) == "list_iterator"
    with pytest.raises(UsageError, match="list_iterator has ended, and its Reply was not kept"):
        _run_of(str(number))
    with pytest.raises(UsageError, match="unknown stream 0"):
        _run_of("0")


def test_a_call_whose_reply_is_gone_says_so() -> None:
    class Api:
        def numbers(self) -> Iterator[int]:
            yield 1

    with kk.serve(Api()) as server:
        api = server.connect()
        call = api.numbers()
        assert kk.show(call).wait().items == [1]
        until(lambda: gc.collect() >= 0 and registry.get(call.id) is None)
        with pytest.raises(UsageError, match="Call the method again"):
            kk.show(call)
        kept = api.numbers()
        reply = kk.show(kept).wait()
        assert kk.show(kept).wait() is reply
        kk.close(api)


def test_the_registry_keeps_the_numbers_of_a_few() -> None:
    own = RunRegistry(finished_kept=2)
    for number in range(4):
        run = Run(number, "fake()", FakeFeed())
        own.add(run)
        assert own.unsettled() == [run]
        own.finished(run)
    del run
    gc.collect()
    assert own.all() == []
    assert [own.gone(number) for number in range(4)] == [None, None, "fake()", "fake()"]


def test_no_widget_of_ours_is_left_behind_by_many_streams(
    ended: EndedOutputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    handle = "IPython.display.DisplayHandle"
    monkeypatch.setattr("kkjupyter.notebook.output.screens.is_terminal", lambda: False)
    monkeypatch.setattr(f"{handle}.display", lambda *_, **__: None)
    monkeypatch.setattr(f"{handle}.update", lambda *_, **__: None)
    before = len(ipywidgets.widget._instances)
    for _ in replies(30):
        pass
    assert len(ipywidgets.widget._instances) - before <= 2 * 5  # with a layout each
