"""The chunks of LLM clients, as recorded: what a view shows of them, and what a Reply has."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from support.llm_chunks import CHAT, STREAMS, Recorded, chat, chat_call

import kkjupyter as kk
from kkjupyter.errors import UsageError
from kkjupyter.notebook.chunks.registry import OWN_EXTRACTORS, ChunkReader
from kkjupyter.notebook.chunks.stream import ToolCall
from kkjupyter.notebook.retention import Limits
from kkjupyter.notebook.run.extractors import ChunkTexts
from kkjupyter.notebook.run.reply import Reply
from kkjupyter.notebook.views.text import TextView

# What is a dict in a client's objects, too.
DICTS = {"args", "arguments", "additional_kwargs", "response_metadata", "usage_metadata"}


def as_objects(value: Any) -> Any:
    if isinstance(value, dict):
        return SimpleNamespace(**{name: as_object(name, part) for name, part in value.items()})
    return [as_objects(part) for part in value] if isinstance(value, list) else value


def as_object(name: str, part: Any) -> Any:
    return part if name in DICTS else as_objects(part)


class Slotted:
    """An object that has no ``__dict__``: each attribute is asked for."""

    __slots__ = ("_values",)

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values

    def __getattr__(self, name: str) -> Any:
        values = object.__getattribute__(self, "_values")
        if name not in values:
            raise AttributeError(name)
        return values[name] if name in DICTS else as_asked(values[name])


def as_asked(value: Any) -> Any:
    if isinstance(value, dict):
        return Slotted(value)
    return [as_asked(part) for part in value] if isinstance(value, list) else value


def reply_of(items: list[Any], **options: Any) -> Reply:
    reply = Reply("f()", pick=ChunkTexts(), **options)
    reply.extend(items)
    return reply


def shown_of(items: list[Any], portion: int = 1000) -> str:
    """What a view for text shows, if so many items come at a time."""
    view, texts = TextView(), ChunkTexts()
    portions = [items[at : at + portion] for at in range(0, len(items), portion)]
    return "".join([view.feed(texts(some)) for some in portions]) + view.finish()


def is_among(wanted: dict[str, Any], given: dict[str, Any] | None) -> bool:
    return not wanted or (given is not None and wanted == {name: given[name] for name in wanted})


streams = pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS.keys())
forms = pytest.mark.parametrize("form", [lambda value: value, as_objects, as_asked])


@streams
@forms
def test_what_a_reply_has_of_a_stream(stream: Recorded, form: Any) -> None:
    items = [form(item) for item in stream.items]
    reply = reply_of(items)
    assert reply.text == stream.text
    assert reply.reasoning == stream.reasoning
    calls = [(call.id, call.name, call.parsed_arguments) for call in reply.tool_calls]
    assert calls == stream.calls
    if form is not as_asked:  # of an object that lists no attributes, no counts are known
        assert is_among(stream.usage, reply.usage), reply.usage
    assert reply.message["role"] == "assistant"
    assert reply.items == items


@streams
@forms
@pytest.mark.parametrize("portion", [1, 1000])
def test_what_is_shown_of_a_stream(stream: Recorded, form: Any, portion: int) -> None:
    shown = shown_of([form(item) for item in stream.items], portion)
    assert shown.rstrip("\n") == (stream.text if stream.shown is None else stream.shown)


# ---- ends, calls, counts


def test_a_message_can_be_sent_back() -> None:
    message = reply_of(CHAT).message
    assert message == {
        "role": "assistant",
        "content": "Hello",
        "tool_calls": [
            {
                "id": "call_1",
                "type": "function",
                "function": {"name": "weather", "arguments": '{"at": "Rome"}'},
            },
            {
                "id": "call_2",
                "type": "function",
                "function": {"name": "time", "arguments": "{}"},
            },
        ],
    }
    assert json.loads(json.dumps(message)) == message
    assert reply_of([chat_call(0, "a", "f", "{}")]).message["content"] is None


def test_a_stream_of_something_else_has_its_text_for_a_message() -> None:
    reply = reply_of(["Hel", "lo"])
    assert reply.message == {"role": "assistant", "content": "Hello"}
    assert (reply.reasoning, reply.tool_calls, reply.usage) == ("", [], None)
    reply = Reply("f()")
    reply.end("done", value="Hi")
    assert reply.message == {"role": "assistant", "content": "Hi"}


def test_what_is_in_the_chunks_is_had_whatever_shows_them(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for options in ({"view": "json"}, {"pick": lambda chunk: chunk["id"]}):
        reply = kk.show(iter(CHAT), **options).wait()
        assert "Hello" not in reply.text
        assert (reply.message["content"], reply.reasoning) == ("Hello", "I look\nfirst.")
        assert [call.name for call in reply.tool_calls] == ["weather", "time"]


@pytest.mark.parametrize(
    "keep", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))]
)
def test_a_kept_reply_has_it_too(keep: Any) -> None:
    reply = reply_of(CHAT)
    kept = keep(reply)
    assert (kept.text, kept.reasoning, kept.usage) == (reply.text, reply.reasoning, reply.usage)
    assert (kept.tool_calls, kept.message) == (reply.tool_calls, reply.message)
    assert pickle.loads(pickle.dumps(reply.tool_calls)) == reply.tool_calls


def test_it_grows_with_the_stream() -> None:
    reply = reply_of(CHAT[:7])
    assert reply.tool_calls == [ToolCall("call_1", "weather", "")]
    reply.extend(CHAT[7:8])
    (call,) = reply.tool_calls
    assert (call.arguments, call.parsed_arguments) == ('{"at": ', None)
    reply.extend(CHAT[8:9])
    assert reply.tool_calls[0].parsed_arguments == {"at": "Rome"}


def test_what_is_given_out_is_not_the_replys_own() -> None:
    reply = reply_of(CHAT)
    reply.tool_calls.clear()
    usage = reply.usage
    assert usage is not None
    usage.clear()
    assert (len(reply.tool_calls), reply.usage) == (2, CHAT[-1]["usage"])


def test_a_reply_that_left_items_out_has_what_is_kept() -> None:
    reply = reply_of([chat({"reasoning": str(n)}) for n in range(10)], limits=Limits(items=4))
    assert (reply.reasoning, reply.message["content"]) == ("0189", "")


@pytest.mark.parametrize(
    "deltas",
    [
        # All under one number, told apart by their ids, or by whole arguments.
        [(0, "a", "f", "{}"), (0, "b", "g", '{"x": 1}')],
        [(0, None, "f", "{}"), (0, None, "g", '{"x": 1}')],
        # The name and the id with each delta.
        [(0, "a", "f", "{"), (0, "a", "f", "}"), (1, "b", "g", '{"x"'), (1, "b", "g", ": 1}")],
        # One after the other begun, then by turns.
        [(0, "a", "f", ""), (1, "b", "g", '{"x"'), (0, None, None, "{}"), (1, None, None, ": 1}")],
    ],
)
def test_the_ways_of_servers_with_several_calls(deltas: Any) -> None:
    calls = reply_of([chat_call(*delta) for delta in deltas]).tool_calls
    named = [(call.name, call.parsed_arguments) for call in calls]
    assert named == [("f", {}), ("g", {"x": 1})]


def test_a_call_that_goes_on_after_another_is_named_again() -> None:
    deltas = [(0, "a", "f", '{"x":'), (1, "b", "g", "{}"), (0, None, None, " 1}")]
    assert shown_of([chat_call(*delta) for delta in deltas]) == (
        '```tool-call\nf {"x":\n```\n\n```tool-call\ng {}\n```\n\n```tool-call\nf …  1}\n```\n'
    )


def test_no_argument_ends_its_block() -> None:
    shown = shown_of([chat_call(0, "a", "f", "{}\n``"), chat_call(0, None, None, "`\n# Ha")])
    assert shown == "```tool-call\nf {}\n    ```\n    # Ha\n```\n"


def test_the_counts_of_several_responses_are_added() -> None:
    def end(tokens: int) -> dict[str, Any]:
        usage = {"input_tokens": tokens, "details": {"cached": 1, "kind": "x"}}
        return {"type": "response.completed", "response": {"usage": usage, "status": "completed"}}

    usage = reply_of([end(2), end(3)]).usage
    assert usage == {"input_tokens": 5, "details": {"cached": 2, "kind": "x"}}


def test_the_counts_of_one_response_that_grow_are_the_latest() -> None:
    chunks = [chat({"content": "a"}, usage={"total_tokens": n, "cost": None}) for n in (1, 2)]
    assert reply_of(chunks).usage == {"total_tokens": 2}


# ---- what only some clients tell


@pytest.mark.parametrize(
    ("items", "text"),
    [
        ([{"type": "text", "text": "Hel", "snapshot": "Hel"}] * 2, "HelHel"),
        ([{"type": "response.output_text.done", "text": "Hello"}], "Hello"),
        ([{"type": "content.delta", "delta": "Hel", "snapshot": "Hel"}] * 2, "HelHel"),
        ([{"type": "chunk", "chunk": chat({"content": "Hi"}), "snapshot": {}}], "Hi"),
        (
            [
                {"type": "chunk", "chunk": chat({"content": "Hi"}), "snapshot": {}},
                {"type": "content.delta", "delta": "Hi", "snapshot": "Hi"},
                {"type": "content.done", "content": "Hi", "parsed": None},
            ],
            "Hi",
        ),
    ],
)
def test_what_is_said_twice_counts_once_and_also_alone(items: list[Any], text: str) -> None:
    assert reply_of(items).text == text
    assert shown_of(items) == text


@pytest.mark.parametrize(
    ("item", "line"),
    [
        (
            {"type": "error", "error": {"type": "overloaded_error", "message": "Over\nloaded"}},
            r"[error] overloaded_error: Over\nloaded",
        ),
        (
            {"type": "error", "code": "x", "message": "No", "param": None, "sequence_number": 1},
            "[error] x: No",
        ),
        (
            {"type": "response.failed", "response": {"error": {"code": "x", "message": "No"}}},
            "[error] x: No",
        ),
        (chat(None, "error", error={"code": 502, "message": "Bad"}), "[error] 502: Bad"),
        ({"type": "response.refusal.delta", "delta": "I won't"}, "[refused] I won't"),
        (
            {"candidates": None, "prompt_feedback": {"block_reason": "SAFETY"}},
            "[refused] the prompt was blocked (SAFETY)",
        ),
        (chat({"content": [{"type": "image_url", "image_url": {"url": "data:"}}]}), "[image]"),
        (chat({"audio": {"data": "AAAA"}}), "[audio]"),
        (chat({"images": [{"type": "image_url"}]}), "[image]"),
        (
            {"candidates": [{"content": {"parts": [{"inline_data": {"mime_type": "image/png"}}]}}]},
            "[image/png]",
        ),
        ({"type": "message-end", "delta": {"error": "Oh", "finish_reason": "ERROR"}}, "[error] Oh"),
        (chat({"content": [{"type": "citation"}]}), "[citation]"),
    ],
)
def test_what_is_not_an_answer_is_marked(item: Any, line: str) -> None:
    assert shown_of([item]) == line
    assert shown_of([chat({"content": "So"}), item, item]).startswith(f"So\n\n{line}")


def test_audio_is_marked_once() -> None:
    assert shown_of([chat({"audio": {"data": "AAAA"}})] * 3) == "[audio]"


@pytest.mark.parametrize("reason", ["length", "max_tokens", "MAX_TOKENS", "content_filter"])
def test_an_answer_that_was_cut_off_is_told_of(
    reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    chunks = [chat({"content": "Hel"}), chat({}, reason), chat({})]
    reply = kk.show(iter(chunks), view="text").wait()
    assert capsys.readouterr().out.count(f"the answer was cut off ({reason})") == 1
    assert reply.text == "Hel"
    kk.show(iter(chunks)).wait()
    assert capsys.readouterr().out.startswith(f"Hel\n\n[stopped: {reason}]\n✓ ")


def test_an_answer_with_an_end_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    kk.show(iter([chat({"content": "Hel"}), chat({}, "stop")])).wait()
    assert "cut off" not in capsys.readouterr().out


def test_several_choices() -> None:
    def choice(index: int, text: str) -> dict[str, Any]:
        chunk = chat({"content": text, "reasoning": f"{index}?"})
        chunk["choices"][0]["index"] = index
        return chunk

    reply = reply_of([choice(1, "two"), choice(0, "one"), choice(1, "!")])
    assert (reply.text, reply.reasoning, reply.message["content"]) == ("one", "0?", "one")


ROWS: list[Any] = [
    {"type": "text", "text": "Hi"},
    {"type": "error", "message": "no"},
    {"type": "message_start"},
    {"type": "run_item_stream_event"},
    {"data": [1, 2]},
    {"data": {"a": 1}},
    {"done": 1, "total": 2},
    {"done": True, "response": "x"},
    {"token": "abc"},
    {"delta": 0.5, "raw": 1},
    {"event": "on_sale", "data": {}},
    {"candidates": ["Ann", "Bob"]},
    {"candidates": "Ann"},
    {"usage_metadata": 1, "content": ""},
    {"event_kind": None},
    {"object": "a box"},
    {"type": ["text"], "delta": {}},
    {("a", 1): 2, 3: 4},
]


@pytest.mark.parametrize("row", ROWS, ids=str)
def test_a_row_that_resembles_a_chunk_stays_as_it_is(row: Any) -> None:
    assert ChunkTexts()([row]) == [row]
    assert ChunkReader().parts(row) is None


@streams
def test_no_broken_chunk_raises(stream: Recorded) -> None:
    for item in stream.items:
        for odd in one_level(item):
            reader = ChunkReader()
            reader.parts(odd)
            assert reader.fault == "", odd
            assert isinstance(shown_of([odd]), str)
            assert isinstance(reply_of([odd]).message, dict)


def one_level(value: Any) -> Iterator[Any]:
    """``value`` once for each of its parts, at any depth, with something odd in its place."""
    odd_values = (None, 1, "x", [], {}, [None], {"type": 1}, object())
    if isinstance(value, dict):
        for name, part in value.items():
            yield {other: known for other, known in value.items() if other != name}
            yield from ({**value, name: odd} for odd in odd_values)
            yield from ({**value, name: one} for one in one_level(part))
    elif isinstance(value, list):
        for at, part in enumerate(value):
            yield from ([*value[:at], odd, *value[at + 1 :]] for odd in odd_values)
            yield from ([*value[:at], one, *value[at + 1 :]] for one in one_level(part))


# ---- the user's own


@pytest.fixture
def own() -> Iterator[None]:
    yield
    OWN_EXTRACTORS.clear()


def mine(told: Any) -> list[Any]:
    """What a Reply has of an item that an extractor of the user's reads so."""

    @kk.chunks
    def extractor(item: Any) -> Any:
        return told if item == {"mine": 1} else None

    reply = reply_of([{"mine": 1}])
    return [reply.text, reply.reasoning, reply.tool_calls, reply.usage]


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("told", "has"),
    [
        ("Hi", ["Hi", "", [], None]),
        ("", ["", "", [], None]),
        ([], ["", "", [], None]),
        ({"text": "Hi", "reasoning": "hm", "usage": {"n": 1}}, ["Hi", "hm", [], {"n": 1}]),
        ([{"text": "H"}, "i", {"text": None}], ["Hi", "", [], None]),
        ({"refusal": "No"}, ["No", "", [], None]),
        (
            {"tool_call": {"id": "a", "name": "f", "arguments": {"x": 1}}},
            ["", "", [ToolCall("a", "f", '{"x": 1}')], None],
        ),
        (
            [{"tool_call": {"name": "f"}}, {"tool_call": {"arguments": "{}"}}],
            ["", "", [ToolCall("", "f", "{}")], None],
        ),
    ],
)
def test_a_client_of_ones_own(told: Any, has: list[Any]) -> None:
    assert mine(told) == has


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize("item", ["data: Hi", ("messages", "Hi"), SimpleNamespace(x=1), CHAT[4]])
def test_it_may_read_any_item_before_the_others(item: Any) -> None:
    kk.chunks(lambda one: "mine" if one == item else None)
    assert reply_of([item]).text == "mine"


@pytest.mark.usefixtures("own")
def test_one_of_the_same_name_is_replaced() -> None:
    for text in ("a", "b"):
        assert mine(text)[0] == text
    assert len(OWN_EXTRACTORS) == 1


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(
    ("told", "note"),
    [
        (3, "it returned 3; return a text, a dict, a list of dicts, or None"),
        ({"txet": "Hi"}, "it returned the key 'txet'; did you mean 'text'? (keys: "),
    ],
)
def test_what_it_cannot_have_meant_is_told_of(
    told: Any, note: str, capsys: pytest.CaptureFixture[str]
) -> None:
    mine(told)
    reply = kk.show(iter([{"mine": 1}, {"mine": 1}]), view="text").wait()
    out = capsys.readouterr().out
    assert out.count(note) == 1
    assert "extractor could not read some items (UsageError: " in out
    assert (reply.status, reply.text) == ("done", '{"mine": 1}\n{"mine": 1}\n')


@pytest.mark.usefixtures("own")
def test_one_that_raises_does_not_end_the_stream(capsys: pytest.CaptureFixture[str]) -> None:
    @kk.chunks
    def careless(item: Any) -> str:
        raise KeyError("\x1b[31mtoken\n")

    reply = kk.show(iter([chat({"content": "Hi"})])).wait()
    out = capsys.readouterr().out
    assert (reply.status, reply.text) == ("done", "Hi")
    assert "careless could not read some items (KeyError: " in out
    assert "\x1b" not in out


@pytest.mark.parametrize("extractor", ["text", None, dict])
def test_what_is_not_a_function_is_refused(extractor: Any) -> None:
    with pytest.raises(UsageError, match=r"@kk\.chunks takes a function from an item"):
        kk.chunks(extractor)
    assert OWN_EXTRACTORS == {}
