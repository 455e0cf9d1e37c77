"""Regenerate: what can be asked for once more, what takes its place, and what is kept for it."""

from __future__ import annotations

import asyncio
import functools
import gc
import io
import threading
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from support.waiting import until

import kkjupyter as kk
from kkjupyter.calls.call import Call
from kkjupyter.calls.origin import Origin
from kkjupyter.errors import UsageError
from kkjupyter.notebook.output import control, front_end, page_messages, screens
from kkjupyter.notebook.output.ended import ended_outputs
from kkjupyter.notebook.output.front_end import FrontEnd
from kkjupyter.notebook.output.page_views import page_views
from kkjupyter.notebook.output.pages import pages
from kkjupyter.notebook.output.widget import OutputWidget
from kkjupyter.notebook.run import anew
from kkjupyter.notebook.run.anew import request_of
from kkjupyter.notebook.run.registry import registry
from kkjupyter.notebook.run.reply import Reply
from kkjupyter.notebook.show import again
from kkjupyter.notebook.show.show import show as show_source
from kkjupyter.notebook.show.waiting import begin, play_on
from kkjupyter.notebook.views.saved_form import MIME_TYPE

_OVER = ("done", "cancelled", "failed")


class Page:
    """A page with the extension: the one output that it shows, and what the kernel tells it."""

    def __init__(self) -> None:
        self.displayed: list[dict[str, Any]] = []
        self.updates: list[dict[str, Any]] = []
        self.told: list[dict[str, Any]] = []
        self._others = set(registry.unsettled())  # another test's may never be

    @property
    def output(self) -> dict[str, Any]:
        """What it shows now."""
        return [*self.displayed, *self.updates][-1]

    @property
    def json(self) -> dict[str, Any]:
        json: dict[str, Any] = self.output[MIME_TYPE]
        return json

    def ask(self, kind: str, key: str | None = None) -> dict[str, Any]:
        return control.answer_view({"key": key or self.json["key"], "kind": kind}, registry)

    def until_over(self, answers: int = 1) -> dict[str, Any]:
        """Wait until so many answers are there and the newest is over; returns the output."""

        def is_over() -> bool:
            before = self.json.get("earlier", ())
            return self.json["state"] in _OVER and len(before) == answers - 1

        until(is_over)
        until(lambda: self._others.issuperset(registry.unsettled()))
        return self.output

    def regenerate(self) -> None:
        assert self.ask("again") == {"status": "ok", "known": True, "answer": {"kind": "asked"}}


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    page = Page()
    handle = "IPython.display.DisplayHandle"
    monkeypatch.setattr(f"{handle}.display", lambda _, given, **__: page.displayed.append(given))
    monkeypatch.setattr(f"{handle}.update", lambda _, given, **__: page.updates.append(given))
    monkeypatch.setattr(page_messages, "send", lambda _, content: page.told.append(content))
    monkeypatch.setattr(pages, "has_extension", True)
    for module in (again, screens, front_end):
        monkeypatch.setattr(module, "front_end", lambda: FrontEnd.PAGE)
    yield page
    for run in registry.running():
        run.cancel()


def shown(source: Any, view: Any = "text", **options: Any) -> Reply:
    """Show it as a cell does."""
    run = begin(source, view, **options)
    play_on(run, view)
    run.wait(20)
    return run.reply


def counted(*texts: str) -> Callable[[], Iterator[str]]:
    """A function that gives another text each time."""
    left = iter(texts)
    return lambda: iter([next(left)])


def test_the_new_answer_takes_the_place_of_the_old_one_which_stands_before_it(page: Page) -> None:
    reply = shown(counted("one", "two\n", "three"))
    first = page.until_over()
    assert first[MIME_TYPE]["again"] is True
    assert reply.latest is reply
    key = page.json["key"]
    page.regenerate()
    until(lambda: page.json["key"] != key)
    second = page.until_over(2)
    page.regenerate()
    third = page.until_over(3)
    assert len(page.displayed) == 1  # a cell that is over gets nothing new
    assert reply.text == "one"
    assert reply.latest.text == "three"
    json, plain = third[MIME_TYPE], third["text/plain"]
    given = [json, *json["earlier"]]
    assert [plain[slice(*one["at"])] for one in given] == ["three", "one", "two\n"]
    assert plain == ("three\n\n── earlier answer 1 of 2\none\n\n── earlier answer 2 of 2\ntwo\n")
    assert ["key" in one or "again" in one for one in json["earlier"]] == [False, False]
    html = third["text/html"]
    assert html.index("<details><summary") < html.index("one") < html.index("</details>")
    assert html.index("</details>") < html.index("three")
    assert "2 earlier answers" in html
    assert "Earlier answer" in second["text/html"]


def test_what_streams_has_the_answer_before_it_too(page: Page) -> None:
    gate = threading.Event()

    def words() -> Iterator[str]:
        yield "word "
        if page.updates:
            gate.wait(20)

    shown(words)
    page.until_over()
    page.regenerate()
    until(lambda: page.json["state"] == "waiting" and page.json.get("earlier"))
    live = page.output
    assert live["text/plain"][slice(*live[MIME_TYPE]["earlier"][0]["at"])] == "word "
    assert "text/html" not in live
    gate.set()
    page.until_over(2)


def test_two_clicks_are_one_and_a_page_that_missed_it_is_told(page: Page) -> None:
    source = counted("one", "two", "three")
    shown(source)
    page.until_over()
    key = page.json["key"]
    page.regenerate()
    # The second one may find that it has begun, and then gets what there is.
    second = page.ask("again", key)["answer"]
    assert second["kind"] in ("asked", "again")
    page.until_over(2)
    [told] = [one for one in page.told if one["kind"] == "again"]
    assert (told["key"], told["bundle"][MIME_TYPE]["earlier"][0]["state"]) == (key, "done")
    # A page that still shows the first is answered in its name, with what stands there now.
    assert page.ask("askable", key)["answer"] == {"kind": "askable", "again": True}
    assert page.ask("again", key)["answer"]["bundle"] == page.output
    assert page.ask("bundle", key)["answer"] == {"kind": "unknown"}
    assert next(source()) == "three"


def test_one_that_failed_can_be_tried_again_and_says_how_it_fails(page: Page) -> None:
    errors: list[Exception] = [ValueError("first"), OSError("no connection")]

    def request() -> Iterator[str]:
        if errors:
            raise errors.pop(0)
        return iter(["well"])

    reply = shown(request)
    assert page.until_over()["text/plain"] == "[✕ ValueError: first]"
    page.regenerate()
    output = page.until_over(2)
    assert output[MIME_TYPE]["error"] == "OSError: no connection"
    assert output["text/plain"].endswith("── earlier answer\n[✕ ValueError: first]")
    page.regenerate()
    assert page.until_over(3)["text/plain"].startswith("well")
    assert (reply.status, reply.latest.text) == ("failed", "well")


def test_the_new_run_can_be_cancelled_and_asked_for_once_more(page: Page) -> None:
    gate = threading.Event()
    gate.set()

    def words() -> Iterator[str]:
        yield "word "
        gate.wait(20)

    shown(words)
    page.until_over()
    gate.clear()
    page.regenerate()
    until(lambda: any(run.reply.items for run in registry.running()))
    assert page.ask("cancel")["answer"]["cancelled"] is True
    assert page.until_over(2)[MIME_TYPE]["state"] == "cancelled"
    gate.set()
    page.regenerate()
    page.until_over(3)


def test_an_async_function_runs_where_it_ran_before(page: Page) -> None:
    loops: list[object] = []

    async def ticks() -> AsyncIterator[str]:
        loops.append(asyncio.get_running_loop())
        yield "tick"

    async def main() -> None:
        await show_source(ticks, "text")
        await asyncio.to_thread(page.until_over)
        # On the control channel's thread another loop runs.
        await asyncio.to_thread(lambda: asyncio.run(ask()))
        await asyncio.to_thread(page.until_over, 2)

    async def ask() -> None:
        page.regenerate()

    asyncio.run(main())
    assert len(loops) == 2
    assert loops[0] is loops[1]


def test_a_call_is_made_again_as_it_was(page: Page) -> None:
    class Endpoint:
        def chat(self, messages: list[str], **options: int) -> Iterator[str]:
            yield f"{messages} {options}"

    server = kk.serve(Endpoint())
    api = server.connect()
    messages = ["hi"]
    reply = shown(api.chat(messages, seed=1))
    messages.append("changed since")
    page.until_over()
    page.regenerate()
    page.until_over(2)
    assert reply.latest.text == reply.text == "['hi'] {'seed': 1}"
    # What has no connection any more says so, and what was there is still there.
    kk.close(api)
    page.regenerate()
    assert "is closed; connect again" in page.until_over(3)[MIME_TYPE]["error"]
    server.close()


def test_a_connection_is_not_kept_open_for_it() -> None:
    class Caller:
        def call(self, *_: Any, **__: Any) -> Any:
            return "a call"

    caller = Caller()
    ask = anew._CallAgain(Origin(caller, "call", ("chat",), ("hi",), {}, None, None))
    assert ask() == "a call"
    del caller
    with pytest.raises(UsageError, match="chat: the connection is gone; connect again"):
        ask()


def test_a_value_is_shown_since_its_cell_is_over(page: Page) -> None:
    answers = iter([ValueError("no"), 42])

    def request() -> Any:
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    shown(request)
    page.until_over()
    page.regenerate()
    assert page.until_over(2)["text/plain"].startswith("42")


def test_what_shows_nothing_is_not_asked_for_again(page: Page) -> None:
    shown(lambda: 42)  # the cell's value, which stands below
    page.until_over()
    assert "again" not in page.json
    assert page.ask("askable")["answer"] == {"kind": "askable", "again": False}
    assert page.ask("again")["answer"] is None


def test_an_iterator_and_a_loop_are_not_asked_for_again(page: Page) -> None:
    shown(iter("abc"))
    page.until_over()
    assert "again" not in page.json
    assert list(show_source(counted("one"), "text")) == ["one"]
    page.until_over()
    assert "again" not in page.json


def test_what_can_be_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(anew, "_KEPT_BYTES", 10_000)

    class Endpoint:
        def upload(self, *parts: Any, **more: Any) -> Iterator[int]:
            yield 1

    server = kk.serve(Endpoint())
    api = server.connect()
    given: list[tuple[Any, bool]] = [
        (api.upload([1, {"a": 2}], b=3), True),
        (api.upload(lambda: 1), True),
        (api.upload(iter("abc")), False),
        (api.upload("x" * 10_000), False),
        (lambda: iter("abc"), True),
        (functools.partial(iter, "abc"), True),
        (functools.partial(iter, "x" * 10_000), False),
        (iter("abc"), False),
        ([1, 2], False),
        (api.upload, False),
    ]
    assert [request_of(source) is not None for source, _ in given] == [can for _, can in given]
    read = api.upload(1)
    assert read.result() == [1]
    assert request_of(read) is None  # nobody holds the arguments of a call that was read
    for source, _ in given:
        if isinstance(source, Call):
            assert source.result() == [1]
    kk.close(api)
    server.close()


def test_an_open_file_in_an_argument_has_been_read() -> None:
    assert anew._is_value({"body": {"name": "x", "tags": ["a"]}})
    assert not anew._is_value({"body": {"file": io.StringIO("text")}})


def test_it_is_kept_when_the_notebook_is_saved_and_no_longer_than_it_may_be(page: Page) -> None:
    class Large(list[Any]):
        """What a function holds."""

    held = Large(["text"])
    gone = weakref.ref(held)

    def request(held: Any = held) -> Iterator[str]:
        return iter(held)

    shown(request)
    page.until_over()
    key = page.json["key"]
    page.ask("saved")
    assert page.ask("bundle")["answer"] == {"kind": "unknown"}  # the file has it
    assert page.ask("askable")["answer"]["again"] is True
    page.regenerate()
    page.until_over(2)
    assert page.json["earlier"][0]["state"] == "done"
    del held, request
    output = page_views.get(page.json["key"])
    assert output is not None
    output.forget()  # type: ignore[attr-defined]
    assert page.ask("again")["answer"] is None
    assert page.ask("askable", key)["answer"]["again"] is False

    def is_gone() -> bool:
        gc.collect()
        return gone() is None

    until(is_gone)
    ended_outputs.drop(output)  # type: ignore[arg-type]
    assert page.ask("again")["known"] is False


def test_without_the_extension_nothing_is_kept_for_a_button(
    page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "has_extension", False)
    monkeypatch.setattr(OutputWidget, "send", lambda *_: None)
    shown(counted("one"))
    page.until_over()
    page.ask("saved")
    assert page.ask("askable")["known"] is False


def test_a_start_that_fails_leaves_the_button(
    page: Page, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    shown(counted("one", "two"))
    page.until_over()
    with monkeypatch.context() as patched:
        patched.setattr(again, "made_view", lambda choice: 1 / 0)
        page.regenerate()
        until(lambda: "could not be asked for again" in caplog.text)
    page.regenerate()
    page.until_over(2)


def test_a_reply_leads_to_the_newest_only(page: Page) -> None:
    reply = shown(counted("one", "two", "three"))
    page.until_over()
    page.regenerate()
    page.until_over(2)
    second = reply.latest
    gone = weakref.ref(reply.latest)
    page.regenerate()
    page.until_over(3)
    assert second.latest is reply.latest
    del second

    def is_gone() -> bool:
        gc.collect()
        return gone() is None

    until(is_gone)
    assert reply.latest.text == "three"
