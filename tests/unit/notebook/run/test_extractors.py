"""LLM clients' streams: shown as text, closed on Cancel, their chunks kept as they came."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from types import SimpleNamespace as Chunk
from typing import Any

import pytest
from openai.types import Completion
from openai.types.chat import ChatCompletionChunk

import kkjupyter as kk
from kkjupyter.errors import UsageError
from kkjupyter.notebook.run.extractors import chunk_texts
from kkjupyter.notebook.views import VIEWS
from kkjupyter.notebook.views.json import JsonView
from kkjupyter.notebook.views.markdown.view import MarkdownView
from kkjupyter.notebook.views.text import TextView


def chunk(content: str | None) -> Chunk:
    return Chunk(choices=[Chunk(delta=Chunk(content=content, role=None))], usage=None)


CHUNKS = [chunk(""), chunk("Hel"), chunk("lo"), chunk(None), Chunk(choices=[], usage=7)]


class Stream:
    """As ``openai.Stream``: its iterator is one thing, its ``close`` another."""

    def __init__(self, chunks: list[Chunk], pause_s: float = 0.0) -> None:
        self.closed_at_s = 0.0
        self._chunks = self._read(chunks, pause_s)

    def _read(self, chunks: list[Chunk], pause_s: float) -> Iterator[Chunk]:
        for one in chunks:
            time.sleep(pause_s)
            yield one

    def __iter__(self) -> Iterator[Chunk]:
        yield from self._chunks

    def __next__(self) -> Chunk:
        return next(self._chunks)

    def close(self) -> None:
        self.closed_at_s = time.monotonic()


class AsyncStream:
    """As ``openai.AsyncStream``: an iterator itself, and ``close`` is a coroutine function."""

    def __init__(self, chunks: list[Chunk], pause_s: float = 0.0) -> None:
        self.closed_at_s = 0.0
        self._chunks = self._read(chunks, pause_s)

    async def _read(self, chunks: list[Chunk], pause_s: float) -> AsyncIterator[Chunk]:
        for one in chunks:
            await asyncio.sleep(pause_s)
            yield one

    async def __aiter__(self) -> AsyncIterator[Chunk]:
        async for one in self._chunks:
            yield one

    async def __anext__(self) -> Chunk:
        return await anext(self._chunks)

    async def close(self) -> None:
        self.closed_at_s = time.monotonic()


@pytest.mark.parametrize("kind", [Stream, AsyncStream])
def test_a_chat_completion_is_shown_as_its_text(
    kind: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    reply = kk.show(kind(CHUNKS)).wait()
    assert reply.text == "Hello"
    assert capsys.readouterr().out.startswith("Hello\n✓ 5 characters")
    assert reply.items == CHUNKS
    assert reply.items[-1].usage == 7


@pytest.mark.parametrize("kind", [Stream, AsyncStream])
def test_cancel_closes_the_clients_stream(kind: Any) -> None:
    stream = kind([chunk("x")] * 1000, 0.02)
    shown = kk.show(stream)
    cancelled_at_s = []

    def cancel() -> None:
        cancelled_at_s.append(time.monotonic())
        shown.cancel()

    timer = threading.Timer(0.3, cancel)
    timer.start()
    assert shown.wait().status == "cancelled"
    timer.join()
    deadline_s = time.monotonic() + 5
    while not stream.closed_at_s and time.monotonic() < deadline_s:
        time.sleep(0.01)
    assert 0 <= stream.closed_at_s - cancelled_at_s[0] < 1


def test_pick_says_what_is_shown_of_each_item(capsys: pytest.CaptureFixture[str]) -> None:
    events = [Chunk(text="a"), Chunk(text=None), Chunk(text="b")]
    shown = kk.show(iter(events), pick=lambda event: event.text)
    assert list(shown) == events
    assert capsys.readouterr().out.startswith("ab\n")
    assert (shown.reply.text, shown.reply.items) == ("ab", events)


def test_a_pick_that_fails_ends_the_stream_with_its_error() -> None:
    def endless() -> Iterator[int]:
        while True:
            yield 1

    with pytest.raises(ZeroDivisionError):
        kk.show(endless(), pick=lambda item: 1 / (item - 1)).wait()


def test_what_is_no_chunk_stays_as_it_is() -> None:
    odd = [None, 1, {"choices": []}, Chunk(choices="x"), Chunk(choices=[1]), Chunk()]
    assert list(chunk_texts(odd)) == odd


def wire_chunk(content: Any, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"role": "assistant", "content": content}}
    return {"object": "chat.completion.chunk", "choices": [choice], **more}


def test_a_chunk_may_be_the_dict_that_it_is_on_the_wire() -> None:
    usage = {"object": "chat.completion.chunk", "choices": [], "usage": {"total_tokens": 7}}
    call = {"choices": [{"delta": {"tool_calls": []}}]}
    bare = {"choices": [{"delta": {"content": "lo"}}]}
    chunks = [wire_chunk(""), wire_chunk("Hel"), bare, wire_chunk(None), call, usage]
    assert "".join(chunk_texts(chunks)) == "Hello"


def test_a_dict_that_only_resembles_one_stays_as_it_is() -> None:
    odd = [{"choices": "ab"}, {"choices": [1]}, {"choices": [{"text": "x"}]}, {"delta": {}}, {}]
    odd += [{"choices": []}, {"choices": [{"delta": "x"}]}]
    assert list(chunk_texts(odd)) == odd


@pytest.mark.parametrize("view", ["auto", "text", "markdown"])
def test_remote_chunks_are_shown_as_their_text(
    view: str, capsys: pytest.CaptureFixture[str]
) -> None:
    chunks = [wire_chunk("Hel"), wire_chunk("lo")]
    reply = kk.show(iter(chunks), view=view).wait()
    assert (reply.text, reply.items) == ("Hello", chunks)
    assert capsys.readouterr().out.startswith("Hello\n")


@pytest.mark.parametrize("view", ["json", "table", "chunks", JsonView])
def test_other_views_get_the_chunks_themselves(
    view: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    @kk.view("chunks")
    def chunks(item: Any) -> str:
        return f"{item['object']}\n"

    try:
        kk.show(iter([wire_chunk("Hel")]), view=view).wait()
    finally:
        del VIEWS["chunks"]
    assert "chat.completion.chunk" in capsys.readouterr().out


@pytest.mark.parametrize("view", [TextView, partial(MarkdownView, saved_bytes=100)])
def test_a_text_view_is_known_however_it_is_given(
    view: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    kk.show(iter([wire_chunk("Hel"), wire_chunk("lo")]), view=view).wait()
    assert capsys.readouterr().out.startswith("Hello\n")


# ---- events that lack what is picked

EVENTS = [Chunk(type="start"), Chunk(text="Hel"), Chunk(text="lo"), Chunk(type="stop")]


@pytest.mark.parametrize(
    ("pick", "error"),
    [
        (
            lambda event: event.text,
            "AttributeError: 'types.SimpleNamespace' object has no attribute",
        ),
        (lambda event: vars(event)["text"], "KeyError: 'text'"),
        (lambda event: [*vars(event).items()][0 if "text" in vars(event) else 9][1], "IndexError"),
        (lambda event: getattr(event, "text", None) + "", "TypeError: unsupported operand"),
    ],
)
def test_an_event_that_lacks_it_shows_nothing_and_that_is_said_once(
    pick: Any, error: str, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = kk.show(iter(EVENTS), pick=pick)
    reply = shown.wait()
    out = capsys.readouterr().out
    assert (reply.status, reply.text, reply.items) == ("done", "Hello", EVENTS)
    assert out.startswith("Hello\n✓ 4 items")
    assert f"pick failed for some items, which are not shown ({error}" in out
    assert reply.text == "Hello"
    assert out.count("pick failed for some items") == len(shown._run.notes) == 1


def test_a_pick_that_finds_everything_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    kk.show(iter(EVENTS[1:3]), pick=lambda event: event.text).wait()
    assert "pick" not in capsys.readouterr().out


def test_the_note_is_one_short_line(capsys: pytest.CaptureFixture[str]) -> None:
    def pick(item: int) -> str:
        raise KeyError("\x1b[31m" + "line\n" * 1000)

    kk.show(iter([1]), pick=pick).wait()
    out = capsys.readouterr().out
    assert out.count("\n") == 1
    assert "\x1b" not in out
    assert len(out) < 400


@pytest.mark.parametrize("error", [ValueError, RuntimeError, ZeroDivisionError, OSError])
def test_any_other_error_of_pick_fails_the_stream(error: type[Exception]) -> None:
    def pick(item: int) -> int:
        if item == 2:
            raise error("pick")
        return item

    shown = kk.show(iter([1, 2, 3]), pick=pick)
    with pytest.raises(error, match="pick"):
        shown.wait()
    assert shown.reply.status == "failed"
    assert shown.reply.text.startswith("1\n")


def test_a_pick_that_finds_no_next_one_does_not_end_a_loop_quietly() -> None:
    for use in (lambda shown: shown.wait(), list):
        shown = kk.show(iter([[1], []]), pick=lambda item: next(iter(item)))
        with pytest.raises(RuntimeError, match="pick raised StopIteration"):
            use(shown)


@pytest.mark.parametrize("pick", ["text", 0, ["text"]])
def test_a_pick_that_is_no_function_is_refused_before_the_source_is_taken(pick: Any) -> None:
    source = iter([1])
    with pytest.raises(UsageError, match="pick must be a function of an item, not"):
        kk.show(source, pick=pick)
    assert next(source) == 1


# ---- what LLM clients stream, as dicts, as plain objects, as models


def as_objects(value: Any) -> Any:
    if isinstance(value, dict):
        return Chunk(**{key: as_objects(part) for key, part in value.items()})
    return [as_objects(part) for part in value] if isinstance(value, list) else value


def as_models(value: Any) -> Any:
    """As the real library makes them of what comes over the wire."""
    kind = ChatCompletionChunk if value.get("object") != "text_completion" else Completion
    return kind.construct(**value)


forms = pytest.mark.parametrize("form", [lambda value: value, as_objects, as_models])


def delta(content: Any = None, *, index: int = 0, **more: Any) -> dict[str, Any]:
    choice = {"index": index, "delta": {"content": content, **more}, "finish_reason": None}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "choices": [choice]}


def completion(text: str) -> dict[str, Any]:
    choice = {"index": 0, "text": text, "finish_reason": None, "logprobs": None}
    return {"id": "c", "object": "text_completion", "created": 1, "choices": [choice]}


def call(**function: Any) -> dict[str, Any]:
    return delta(tool_calls=[{"index": 0, "type": "function", "function": function}])


def bare(**fields: Any) -> dict[str, Any]:
    """As on the wire: what is not new is not there."""
    choice = {"index": 0, "delta": fields, "finish_reason": None}
    return {"id": "c", "object": "chat.completion.chunk", "created": 1, "choices": [choice]}


def bare_call(**function: Any) -> dict[str, Any]:
    return bare(tool_calls=[{"index": 0, "function": function}])


NOTHING = {"id": "c", "object": "chat.completion.chunk", "created": 1, "choices": None}
FILTERED = {"id": "", "object": "", "created": 0, "model": "", "choices": [], "filter": [{}]}
USAGE = {"id": "c", "object": "chat.completion.chunk", "choices": [], "usage": {"tokens": 3}}
THINKING = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
PART = {"type": "text", "text": "Answer"}
STREAMS: dict[str, tuple[list[dict[str, Any]], str, str]] = {
    "a first chunk without choices": ([FILTERED, delta(""), delta("Hi")], "Hi", "Hi"),
    "the usage at the end": ([delta("Hi"), delta(None), USAGE], "Hi", "Hi"),
    "content in parts": ([delta([PART]), delta([PART, PART])], "Answer" * 3, "Answer" * 3),
    "thoughts in parts": ([delta([THINKING]), delta([PART])], "> hm\n\nAnswer", "Answer"),
    "two choices": (
        [delta("Red "), delta("One ", index=1), delta("green"), delta("two", index=1)],
        "Red green",
        "Red green",
    ),
    "the second choice first": ([delta("two", index=1), delta("one")], "two", "one"),
    "the second choice alone": ([delta("two", index=1)], "two", "two"),
    "plain completions": ([completion("Hel"), completion("lo")], "Hello", "Hello"),
    "reasoning alone": (
        [delta(reasoning_content="think "), delta(reasoning_content="more")],
        "> think more",
        "",
    ),
    "reasoning by another name": ([delta(reasoning="think")], "> think", ""),
    "reasoning twice": ([delta(reasoning="a", reasoning_content="a")], "> a", ""),
    "reasoning in details": (
        [delta(reasoning_details=[{"type": "reasoning.text", "text": "think"}])],
        "> think",
        "",
    ),
    "reasoning, then an answer": (
        [delta("", reasoning="think"), delta("Hel", reasoning=None), delta("lo")],
        "> think\n\nHello",
        "Hello",
    ),
    "a refusal": ([delta(refusal="I "), delta(refusal="won't")], "[refused] I won't", "I won't"),
    "a tool call": (
        [call(name="weather", arguments=""), call(arguments='{"at": '), call(arguments='"Rome"}')],
        '```tool-call\nweather {"at": "Rome"}\n```',
        "",
    ),
    "what is on the wire": (
        [bare(role="assistant"), bare(content="Hel"), bare(content="lo"), bare()],
        "Hello",
        "Hello",
    ),
    "a tool call on the wire": (
        [bare_call(name="get", arguments=""), bare_call(arguments="{}"), bare()],
        "```tool-call\nget {}\n```",
        "",
    ),
    "audio on the wire": (
        [bare(audio={"transcript": "Hel"}), bare(audio={"transcript": "lo"})],
        "Hello",
        "Hello",
    ),
    "no list of choices": ([NOTHING, delta("Hi"), NOTHING], "Hi", "Hi"),
    "two tool calls after a word": (
        [delta("Well"), call(name="a", arguments="{}"), call(name="b", arguments="{}")],
        "Well\n\n```tool-call\na {}\n```\n\n```tool-call\nb {}\n```",
        "Well",
    ),
}


@forms
@pytest.mark.parametrize(("chunks", "shown", "text"), STREAMS.values(), ids=STREAMS.keys())
@pytest.mark.parametrize("view", ["text", "markdown"])
def test_what_is_shown_of_a_stream(
    view: str, form: Any, chunks: Any, shown: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    items = [form(chunk) for chunk in chunks]
    reply = kk.show(iter(items), view=view).wait()
    assert capsys.readouterr().out.partition("✓")[0].rstrip("\n") == shown
    assert (reply.text, reply.items) == (text, items)


def test_other_choices_are_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    chunks = [delta("one"), delta("two", index=1), delta("two", index=1)]
    kk.show(iter(chunks), view="text").wait()
    assert capsys.readouterr().out.count("several choices arrived; one of them is shown") == 1


class Odd:
    """Everything about it raises, or is not what it seems."""

    def __init__(self, **values: Any) -> None:
        object.__setattr__(self, "values", values)

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


class Everything:
    """It has whatever it is asked for."""

    def __getattr__(self, name: str) -> Any:
        return Everything()


class EveryList:
    def __getattr__(self, name: str) -> Any:
        return [Everything()]


@pytest.mark.parametrize("kind", [Odd, Everything, EveryList])
def test_what_is_odd_is_no_chunk_and_harms_nobody(kind: Any) -> None:
    for item in (kind(), {"choices": [kind()]}, {"choices": [{"delta": kind()}]}):
        shown = chunk_texts([item])
        assert len(shown) == 1
        assert shown[0] is item or isinstance(shown[0], str)
    odd = [
        delta(kind()),
        delta([kind()]),
        delta(None, tool_calls=[kind()]),
        delta(reasoning=kind()),
    ]
    assert all(isinstance(text, str) for text in chunk_texts(odd))


def test_a_stream_of_objects_whose_attributes_raise(capsys: pytest.CaptureFixture[str]) -> None:
    class Lazy:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(f"the session is closed: {name}")

        def __repr__(self) -> str:
            return "<Lazy>"

    reply = kk.show(iter([Lazy(), Lazy()]), view="json").wait()
    assert (reply.status, reply.count, reply.text) == ("done", 2, "<Lazy>\n<Lazy>\n")
    assert capsys.readouterr().out.startswith("<Lazy>\n<Lazy>\n✓ 2 items")
