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

import kkjupyter as kk
from kkjupyter.notebook.picking import chunk_texts
from kkjupyter.notebook.views import VIEWS
from kkjupyter.notebook.views.jsonlines import JsonView
from kkjupyter.notebook.views.markdown import MarkdownView
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
    assert capsys.readouterr().out.startswith("Hello\n✓ 5 items")
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
