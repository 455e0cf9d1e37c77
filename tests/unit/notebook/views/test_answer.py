"""The answer view: chunks in, a source of records, and what is saved and printed of them."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.llm_chunks import ANTHROPIC, CHAT, STREAMS, Recorded, block, chat, chat_call

import kkjupyter as kk
from kkjupyter.notebook.chunks.completeness import JsonGauge
from kkjupyter.notebook.chunks.registry import OWN_EXTRACTORS
from kkjupyter.notebook.chunks.usage import output_tokens
from kkjupyter.notebook.run.extractors import ChunkTexts
from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.views import View, make_view
from kkjupyter.notebook.views.answer.plain import plain_of
from kkjupyter.notebook.views.answer.pretty import pretty
from kkjupyter.notebook.views.answer.recorder import Recorder
from kkjupyter.notebook.views.answer.records import Record, joined, line_of_record, records_in
from kkjupyter.notebook.views.answer.view import AnswerView
from kkjupyter.notebook.views.saved_form import MIME_TYPE
from kkjupyter.notebook.views.transcript import Transcript
from kkjupyter.plaintext import printable

CASES: dict[str, list[Any]] = json.loads(
    (Path(__file__).parents[4] / "labextension" / "test" / "cases" / "answer.json").read_text()
)
DONE = Status(1, "f()", "done", "stream", 1, 1.0, 0.1)


def shown(view: View, items: list[Any], portion: int = 1) -> str:
    """The source of these items, so many at a time."""
    pick = ChunkTexts(in_full=True)
    portions = [items[at : at + portion] for at in range(0, len(items), portion)]
    return "".join([view.feed(pick(some)) for some in portions]) + view.finish()


def saved(items: list[Any], portion: int = 1) -> dict[str, Any]:
    view = make_view()
    shown(view, items, portion)
    return view.bundle(DONE)


def printed(items: list[Any], portion: int = 1) -> str:
    return shown(make_view(in_terminal=True), items, portion)


def records_of(items: list[Any], portion: int = 1) -> list[Record]:
    return [*joined(records_in(shown(make_view(), items, portion)))]


class Reader(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def of(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.tags if name == tag]


# ---- the clients

streams = pytest.mark.parametrize("stream", STREAMS.values(), ids=STREAMS.keys())


def expected(stream: Recorded) -> str:
    calls = [f"tool: {name}({json.dumps(given)})\n" for _, name, given in stream.calls]
    thought = "> I look\n> first.\n\n" if stream.reasoning else ""
    return f"{thought}Hello" + (f"\n\n{''.join(calls)}" if calls else "")


@streams
@pytest.mark.parametrize("portion", [1, 1000])
def test_every_client_is_an_answer(stream: Recorded, portion: int) -> None:
    bundle = saved(stream.items, portion)
    data = bundle[MIME_TYPE]
    assert (data["view"], data["pane"]) == ("answer", "answer")
    assert bundle["text/plain"] == printed(stream.items, portion) == expected(stream)
    reader = Reader(bundle["text/html"])
    assert "Hello" in reader.text
    assert len(reader.of("details")) == bool(stream.reasoning)
    assert [*records_in(data["source"])] == records_of(stream.items, portion)


def test_the_source_of_an_answer() -> None:
    kinds = [(kind, text, extra) for kind, _, text, extra, _ in records_of(CHAT)]
    assert kinds == [
        ("think", "I look\nfirst.", 0.0),
        ("thought", "", None),
        ("text", "Hello", None),
        ("call", "weather", 0),
        ("args", '{"at": "Rome"}', 0),
        ("call", "time", 1),
        ("args", "{}", 1),
    ]


def test_auto_takes_only_chunks_for_an_answer() -> None:
    for items, name in (([CHAT[1]], "answer"), (["Hi"], "text"), ([{"a": 1}], "table")):
        assert saved(items)[MIME_TYPE]["view"] == name
    assert saved([None, *CHAT, None])["text/plain"].endswith("time({})\n")


def test_it_shows_what_is_no_chunk_too() -> None:
    view = make_view("answer")
    pieces = [view.feed([item]) for item in ("Hé".encode()[:2], "é".encode()[1:], None, " ", 3)]
    pieces += [view.finish()]
    assert [*joined(records_in("".join(pieces)))] == [
        Record("text", 0, "Hé "),
        Record("value", 0, "3"),
    ]


def test_the_model_and_what_it_has_written() -> None:
    for stream, model, tokens in ((CHAT, "gpt-x", 4), (ANTHROPIC, "claude-x", 4)):
        pick = ChunkTexts(in_full=True)
        pick(stream)
        written = pick.written()
        assert written == (tokens, "tokens", model)
    pick = ChunkTexts(in_full=True)
    assert pick.written() is None
    pick(ANTHROPIC[:9])  # the counts of the start are of nothing that has come
    assert pick.written() == (len("I look\nfirst.") + len("Hel"), "characters", "claude-x")


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (None, None),
        ({"prompt_tokens": 3}, None),
        ({"completion_tokens": 0}, 0),
        ({"candidatesTokenCount": 3, "thoughtsTokenCount": 4}, 7),
        ({"tokens": {"output_tokens": 5.0}}, 5),
        ({"output_tokens": "5"}, None),
    ],
)
def test_what_providers_count(usage: Any, tokens: int | None) -> None:
    assert output_tokens(usage) == tokens


def test_the_state_line_of_an_answer(capsys: pytest.CaptureFixture[str]) -> None:
    kk.show(iter(CHAT)).wait()
    assert "✓ 4 tokens · " in capsys.readouterr().out
    kk.show(iter(CHAT[:6])).wait()
    assert "✓ 18 characters · " in capsys.readouterr().out


# ---- thoughts, calls


def test_how_long_a_model_has_thought() -> None:
    now_s = iter([0.0, 2.0, 5.1, 6.0, 6.0, 7.25])
    recorder = Recorder(printable, lambda: next(now_s))
    pick = ChunkTexts(in_full=True)

    def come(*chunks: Any) -> list[tuple[Any, ...]]:
        return [(*record[:1], *record[2:4]) for record in recorder.records(pick(chunks))]

    assert come(chat({"reasoning": "a"})) == [("think", "a", 0.0)]
    assert come(chat({"reasoning": "b"})) == [("think", "b", 2.0)]
    assert come(chat({"content": "c"})) == [("thought", "", 5.1), ("text", "c", None)]
    assert come(chat({"reasoning": "d"}), chat({"content": "e"})) == [
        *[("think", "d", 0.0), ("thought", "", None), ("text", "e", None)]
    ]
    assert come(chat({"reasoning": "f"})) == [("think", "f", 0.0)]
    assert recorder.finish() == [Record("thought", 0, "", 1.2)]


def test_calls_that_come_at_the_same_time() -> None:
    deltas = [(0, "a", "f", '{"x":'), (1, "b", "g", "{"), (0, None, None, " 1}")]
    deltas += [(1, None, None, '"y": 2}')]
    items = [chat({"content": "So"}), *[chat_call(*delta) for delta in deltas]]
    lines = 'So\n\ntool: f({"x": 1})\ntool: g({"y": 2})\n'
    assert printed(items) == saved(items)["text/plain"] == lines
    assert printed([*items[:4]]) == 'So\n\ntool: f({"x": 1})\ntool: g({)\n'
    assert printed([*items[:3], chat({"content": "!"})]) == 'So\n\ntool: f({"x":)\ntool: g({)\n\n!'
    assert printed([chat_call(0, "a", "f", ""), chat_call(1, "b", "g", "{}")]) == (
        "tool: g({})\ntool: f()\n"
    )


def test_a_call_grows_on_its_line() -> None:
    view, pick = make_view("answer", in_terminal=True), ChunkTexts(in_full=True)
    deltas = [(0, "a", "f", ""), (0, None, None, '{"x":'), (0, None, None, "\n1}")]
    pieces = [view.feed(pick([chat_call(*delta)])) for delta in deltas]
    assert pieces == ["", 'tool: f({"x":', " 1})\n"]


def test_arguments_that_are_told_anew() -> None:
    def call(arguments: dict[str, Any]) -> dict[str, Any]:
        part = {"part_kind": "tool-call", "tool_name": "f", "args": arguments}
        return {"event_kind": "part_start", "index": 0, "part": part}

    items = [call({"x": 1}), call({"y": 2})]
    kinds = [record.kind for record in records_of(items)]
    assert kinds == ["call", "args", "anew"]
    assert saved(items)["text/plain"] == 'tool: f({"x": 1})\ntool: f({"y": 2})\n'
    text = Reader(saved(items)["text/html"]).text
    assert '{"y": 2}' in text
    assert '{"x": 1}' not in text


RESULTS: dict[str, list[Any]] = {
    "anthropic": [
        block(0, {"type": "server_tool_use", "id": "a", "name": "f", "input": {"x": 1}}),
        block(1, {"type": "web_search_tool_result", "tool_use_id": "a", "content": "21 °C"}),
    ],
    "openai agents": [
        chat_call(0, "a", "f", '{"x": 1}'),
        {
            "type": "run_item_stream_event",
            "name": "tool_output",
            "item": {
                "type": "tool_call_output_item",
                "raw_item": {"call_id": "a"},
                "output": "21 °C",
            },
        },
    ],
    "langchain-core": [
        chat_call(0, "a", "f", '{"x": 1}'),
        {"type": "tool", "tool_call_id": "a", "content": "21 °C", "response_metadata": {}},
    ],
    "langchain-core events": [
        chat_call(0, "a", "f", '{"x": 1}'),
        {
            "event": "on_tool_end",
            "run_id": "r",
            "data": {"output": {"tool_call_id": "a", "name": "f", "content": "21 °C"}},
        },
    ],
    "llama-index": [
        chat_call(0, "a", "f", '{"x": 1}'),
        {"tool_name": "f", "tool_id": "a", "tool_output": {"content": "21 °C"}},
    ],
    "pydantic-ai": [
        chat_call(0, "a", "f", '{"x": 1}'),
        {
            "event_kind": "function_tool_result",
            "result": {"tool_name": "f", "tool_call_id": "a", "content": "21 °C"},
        },
    ],
    "google-genai": [
        {
            "candidates": [
                {"content": {"parts": [{"function_call": {"name": "f", "args": {"x": 1}}}]}}
            ]
        },
        {
            "candidates": [
                {"content": {"parts": [{"function_response": {"name": "f", "response": "21 °C"}}]}}
            ]
        },
    ],
}


@pytest.mark.parametrize("items", RESULTS.values(), ids=RESULTS.keys())
def test_what_a_tool_has_returned(items: list[Any]) -> None:
    bundle = saved([*items, items[-1], chat({"content": "So"})])
    assert bundle["text/plain"] == 'tool: f({"x": 1})\nresult of f: 21 °C\n\nSo'
    assert Reader(bundle["text/html"]).text.count("21 °C") == 1


def test_a_result_without_a_call() -> None:
    (item,) = RESULTS["langchain-core"][1:]
    assert saved([{**item, "content": [{"type": "text", "text": "a\nb"}]}])["text/plain"] == (
        "[result of a tool]\n\nresult: a\n  b"
    )


# ---- what else there is


def test_alternatives_stand_below_each_other() -> None:
    def choice(index: int, **delta: str) -> dict[str, Any]:
        chunk = chat(delta)
        chunk["choices"][0]["index"] = index
        return chunk

    items = [choice(0, content="one"), choice(1, reasoning="hm"), choice(0, content="!")]
    items += [choice(1, content="two")]
    assert printed(items) == "one!\n\n── choice 2 ──\n\n> hm\n\ntwo"
    assert [*re.findall(r"choice \d", saved(items)["text/html"])] == ["choice 1", "choice 2"]


def test_only_so_many_alternatives() -> None:
    def choice(index: int) -> dict[str, Any]:
        chunk = chat({"content": "x"})
        chunk["choices"][0]["index"] = index
        return chunk

    assert len(records_of([choice(index) for index in range(1_000)])) == 128


PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
)
PICTURES: dict[str, Any] = {
    "openai": chat(
        {"content": [{"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}]}
    ),
    "openrouter": chat({"images": [{"image_url": {"url": f"data:image/png;base64,{PIXEL}"}}]}),
    "openai responses": {
        "type": "response.output_item.done",
        "item": {"type": "image_generation_call", "result": PIXEL},
    },
    "google-genai": {
        "candidates": [
            {
                "content": {
                    "parts": [
                        {
                            "inline_data": {
                                "mime_type": "image/png",
                                "data": base64.b64decode(PIXEL),
                            }
                        }
                    ]
                }
            }
        ]
    },
    "anthropic": chat(
        {
            "content": [
                {
                    "type": "image",
                    "source": {"type": "base64", "media_type": "image/png", "data": PIXEL},
                }
            ]
        }
    ),
    "langchain-core": chat(
        {"content": [{"type": "image", "base64": PIXEL, "mime_type": "image/png"}]}
    ),
    "pydantic-ai": {
        "event_kind": "part_start",
        "index": 0,
        "part": {
            "part_kind": "file",
            "content": {"media_type": "image/png", "data": base64.b64decode(PIXEL)},
        },
    },
}


@pytest.mark.parametrize("item", PICTURES.values(), ids=PICTURES.keys())
def test_a_picture_from_data(item: Any) -> None:
    bundle = saved([item])
    assert bundle["text/plain"] == "[image/png]\n"
    (image,) = Reader(bundle["text/html"]).of("img")
    assert image["src"] == f"data:image/png;base64,{PIXEL}"


@pytest.mark.parametrize(
    ("url", "plain"),
    [
        ("https://cats.org/c.png", "[image] https://cats.org/c.png\n"),
        ("data:image/svg+xml;base64,PHN2Zz4=", "[image/svg+xml]\n"),
        ("javascript:alert(1)", "[image]\n"),
        ("data:image/png;base64,no base64!", "[image/png]\n"),
    ],
)
def test_no_other_picture_is_drawn_or_fetched(url: str, plain: str) -> None:
    bundle = saved([chat({"images": [{"image_url": {"url": url}}]})])
    reader = Reader(bundle["text/html"])
    assert reader.of("img") == []
    assert bundle["text/plain"] == plain
    assert len(reader.of("a")) == url.startswith("https:")


@pytest.mark.parametrize("mime_type", ["audio/pcm16", "audio/L16;rate=24000"])
def test_samples_become_a_sound_that_a_browser_plays(mime_type: str) -> None:
    samples = bytes(range(200))
    parts = [samples[:99], samples[99:]]
    items: list[Any] = []
    for part in parts:
        data = {"mime_type": mime_type, "data": part}
        items.append({"candidates": [{"content": {"parts": [{"inline_data": data}]}}]})
    if mime_type == "audio/pcm16":
        items = [chat({"audio": {"data": base64.b64encode(part).decode()}}) for part in parts]
    *_, record = records_of(items)
    assert (record.kind, record.extra) == ("audio", "audio/wav")
    wave = base64.b64decode(record.text.removeprefix("data:audio/wav;base64,"))
    assert wave[:4] + wave[8:16] == b"RIFFWAVEfmt "
    assert int.from_bytes(wave[24:28], "little") == 24_000
    assert wave[44:] == samples
    assert int.from_bytes(wave[4:8], "little") == len(wave) - 8
    bundle = saved(items)
    assert len(Reader(bundle["text/html"]).of("audio")) == 1
    assert bundle["text/plain"].count("[audio") == 1


@pytest.fixture
def own() -> Iterator[None]:
    yield
    OWN_EXTRACTORS.clear()


@pytest.mark.usefixtures("own")
def test_what_a_client_of_ones_own_may_say() -> None:
    kk.chunks(lambda item: item.get("says") if isinstance(item, dict) else None)
    said: list[dict[str, Any]] = [
        {"model": "my-model", "tool_call": {"name": "f", "id": "a", "arguments": {"x": 1}}},
        {"tool_result": {"id": "a", "result": {"y": 2}}},
        {"tool_result": {"name": "g", "result": 3}},
        {"image": f"data:image/png;base64,{PIXEL}", "text": "So"},
        {"image": {"mime_type": "image/gif", "data": PIXEL}},
        {"image": "https://cats.org/c.png"},
        {"audio": "audio/wav"},
    ]
    bundle = saved([{"says": one} for one in said])
    assert bundle["text/plain"] == (
        'tool: f({"x": 1})\nresult of f: {"y": 2}\n\n[result of g]\n\nresult: 3\n\nSo\n\n'
        "[image/png]\n[image/gif]\n[image] https://cats.org/c.png\n[audio/wav]\n"
    )
    pick = ChunkTexts(in_full=True)
    pick([{"says": said[0]}])
    assert pick.written() == (len('f{"x": 1}'), "characters", "my-model")


def test_what_is_marked() -> None:
    items = [
        chat({"refusal": "I **won't**"}),
        {"type": "error", "error": {"type": "overloaded", "message": "Over\nloaded"}},
        chat({"content": [{"type": "citation"}]}),
        {"a": 1},
        chat({}, "length"),
        chat({}, "length"),
    ]
    bundle = saved(items)
    assert bundle["text/plain"] == (
        "[refused] I **won't**\n\n[error] overloaded: Over\\nloaded\n[citation]\n\n"
        '{"a": 1}\n\n[stopped: length]\n'
    )
    text = Reader(bundle["text/html"]).text
    for part in ("refused", "I won't", r"error: overloaded: Over\nloaded", "stopped: length"):
        assert part in text


# ---- hostile text


@settings(deadline=None, max_examples=60)
@given(st.text(alphabet=st.characters()), st.sampled_from(["content", "reasoning", "refusal"]))
@example("\ud800", "content")
def test_any_text_is_text(text: str, kind: str) -> None:
    hostile = f"\x1b[31m<img src=x onerror=alert(1)>\n{text}"
    items = [chat({kind: hostile}), chat_call(0, "a", hostile, hostile), {"type": "x"}]
    source = shown(make_view(), items)
    source.encode()
    assert printable(source) == source
    bundle = saved(items)
    reader = Reader(bundle["text/html"])
    assert not reader.of("img")
    assert not any("onerror" in attrs for _, attrs in reader.tags)
    assert "\x1b" not in printed(items)


def test_halves_of_a_character_in_two_chunks() -> None:
    high, low = "😀".encode("utf-16-le", "surrogatepass")[:2], "😀".encode("utf-16-le")[2:]
    halves = [half.decode("utf-16-le", "surrogatepass") for half in (high, low)]
    for key in ("content", "reasoning"):
        assert "😀" in saved([chat({key: half}) for half in halves])["text/plain"]
    assert saved([chat({"content": halves[0]}), chat({"reasoning": "x"})])["text/plain"] == (
        "\ufffd\n\n> x"
    )


@pytest.mark.parametrize(
    "deltas",
    [
        [(0, "a", "f", "a")] * 50_000,
        [(0, "a", "f", "{"), *[(0, "a", "f", "\\")] * 50_000],
        [(at % 2, None, "fg"[at % 2], "a") for at in range(50_000)],
    ],
)
def test_many_small_deltas_cost_no_more_each(deltas: list[Any]) -> None:
    def took_s(count: int) -> float:
        items = [chat_call(*delta) for delta in deltas[:count]]
        started_s = time.thread_time()
        saved(items, portion=1_000)
        return time.thread_time() - started_s

    few_s = took_s(5_000)
    assert took_s(50_000) < 30 * max(few_s, 0.05)


def test_a_name_has_an_end() -> None:
    items = [chat_call(0, None, f"n{at}", "") for at in range(1_000)]
    (call,) = records_of(items, 1_000)
    assert len(call.text) == 256


# ---- long answers


def test_lines_are_short_so_that_little_is_lost_where_one_is_cut() -> None:
    source = shown(
        make_view(), [chat({"content": "x" * 50_000}), chat_call(0, "a", "f", "y" * 9_000)]
    )
    assert max(map(len, source.split("\n"))) < 4_100
    texts = [record.text for record in joined(records_in(source))]
    assert texts == ["x" * 50_000, "f", "y" * 9_000]


def test_the_newest_part_says_which_call_it_is_of() -> None:
    items = [
        chat_call(0, "a", "write_file", '{"text": "'),
        *[chat_call(0, None, None, "abc ")] * 30_000,
    ]
    view = AnswerView(retained_bytes=100_000)
    shown(view, items)
    excerpt = view.transcript.excerpt()
    assert excerpt.left_out
    records = [*joined(records_in(excerpt.text))]
    gap = [record.kind for record in records].index("gap")
    assert Record("call", 0, "write_file", 0) in records[gap:]
    bundle = view.bundle(DONE)
    assert "characters left out …" in bundle["text/html"]
    assert re.search(r"\[… [\d,]+ characters left out …\]", bundle["text/plain"])


def test_what_is_saved_has_a_limit() -> None:
    view = AnswerView(saved_bytes=300_000)
    shown(view, [chat({"content": "word **bold** " * 5})] * 20_000, 1_000)
    bundle = view.bundle(DONE)
    assert len(json.dumps(bundle, ensure_ascii=False)) < 320_000


def test_it_is_saved_more_compactly_than_it_comes() -> None:
    items = [chat({"content": "word "}) for _ in range(10_000)]
    view = make_view()
    source = shown(view, items)
    body = view.bundle(DONE)
    assert len(body[MIME_TYPE]["source"]) < 52_000 < len(source)
    assert body[MIME_TYPE]["end"] == len(source)


# ---- the parts of it


def test_a_source_is_read_as_the_page_reads_it() -> None:
    for source, records in CASES["read"]:
        assert [list(record) for record in records_in(source)] == records


@pytest.mark.parametrize(("text", "shown_as"), CASES["pretty"])
def test_json_is_set_out_as_in_the_page(text: str, shown_as: str) -> None:
    assert pretty(text) == shown_as


@settings(deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=20,
    ),
    st.integers(1, 7),
)
def test_json_set_out_means_the_same_and_is_complete_at_its_end(value: Any, step: int) -> None:
    text = json.dumps([value])
    assert json.loads(pretty(text)) == [value]
    gauge = JsonGauge()
    for at in range(0, len(text), step):
        assert not gauge.is_complete
        gauge.feed(text[at : at + step])
    assert gauge.is_complete
    gauge.feed("  \n")
    assert gauge.is_complete
    gauge.feed("{")
    assert not gauge.is_complete


@given(st.lists(st.tuples(st.sampled_from(["text", "think", "args", "note"]), st.text(max_size=9))))
def test_records_survive_their_lines(given_: list[Any]) -> None:
    records = [
        Record(kind, 0, printable(text).encode(errors="replace").decode()) for kind, text in given_
    ]
    assert [*records_in("".join(map(line_of_record, records)))] == records
    assert isinstance(plain_of(records), str)


def test_a_later_view_reads_the_stream_from_its_beginning() -> None:
    def chunks() -> Iterator[Any]:
        yield from CHAT

    live = kk.show(chunks())
    reply = live.wait()
    first = plain_of(records_in(shown(make_view(), CHAT)))
    again = make_view("answer")
    again.feed(reply.shown_again(reply.items))
    again.finish()
    assert again.bundle(DONE)["text/plain"] == first


def test_a_gap_is_told_between_what_is_left() -> None:
    transcript = Transcript(100_000)
    for at in range(20_000):
        transcript.append(line_of_record(Record("text", 0, f"{at} ")))
    text = plain_of(records_in(transcript.excerpt().text))
    assert text.startswith("0 1 2 ")
    assert text.endswith("19998 19999 ")
    assert "characters left out …]" in text
