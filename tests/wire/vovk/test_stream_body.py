"""Streamed bodies to values, however they are cut."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from kkjupyter.errors import (
    ConnectionLost,
    KKError,
    MessageTooBig,
    ProtocolError,
    RemoteError,
    RemoteThrow,
)
from kkjupyter.wire.events import Ended, Failed
from kkjupyter.wire.values.javascript import undefined
from kkjupyter.wire.vovk.encoding import encode_failure, encode_item
from kkjupyter.wire.vovk.schema.model import WireFormat
from kkjupyter.wire.vovk.stream_body import DIVIDER, BodyDecoder, BodyEvent, Items, read_reason

FORMATS: list[WireFormat] = ["jsonlines", "divider"]
ENDS = {"jsonlines": b"\n", "divider": DIVIDER}
LOST = ConnectionLost("http://h", "the connection ended in the middle of the answer")

both = pytest.mark.parametrize("wire_format", FORMATS)


def outcome(events: list[BodyEvent]) -> tuple[list[Any], Any]:
    """All values, and the error or None."""
    *items, last = events
    assert isinstance(last, Ended | Failed)
    values = [value for event in items for value in event.values]
    if isinstance(last, Ended):
        assert last == Ended("", undefined)
        return values, None
    assert last.id == ""
    return values, last.error


def read(
    wire_format: WireFormat, *pieces: bytes, cut: KKError | None = None, **options: Any
) -> tuple[list[Any], Any]:
    decoder = BodyDecoder(wire_format, **options)
    events = [event for piece in pieces for event in decoder.feed(piece)]
    events += decoder.cut(cut) if cut else decoder.end()
    assert decoder.is_over
    values, error = outcome(events)
    assert decoder.items_received == len(values)
    return values, error


def body(wire_format: WireFormat, *texts: str | bytes) -> bytes:
    end = ENDS[wire_format]
    return b"".join((t.encode() if isinstance(t, str) else t) + end for t in texts)


# ---- values


@both
def test_all_kinds_of_values(wire_format: WireFormat) -> None:
    values = [{"n": 0}, 0, "", False, None, [], {}, "str", 42, 1.5, [1, 2], "a\u2028b\u0085\n"]
    values += [[{"a": []}], 10**30, -0.0, {"isError": False, "v": 1}, {"isError": True, "v": 1}]
    texts = [json.dumps(value, ensure_ascii=False) for value in values]
    assert read(wire_format, body(wire_format, *texts)) == (values, None)
    assert read(wire_format, *(body(wire_format, text) for text in texts)) == (values, None)


@both
def test_values_come_as_soon_as_they_are_complete(wire_format: WireFormat) -> None:
    decoder = BodyDecoder(wire_format)
    whole = body(wire_format, '{"i":0}')
    assert decoder.feed(whole[:3]) == []
    assert decoder.feed(whole[3:]) == [Items([{"i": 0}], len(whole))]
    two = body(wire_format, "1", "2")
    assert decoder.feed(two + b"[3") == [Items([1, 2], len(two))]
    assert decoder.feed(b"]") == []
    assert not decoder.is_over
    assert decoder.end() == [Items([[3]], 3), Ended("", undefined)]


@both
def test_blanks_do_not_count(wire_format: WireFormat) -> None:
    data = body(wire_format, "", '{"i":0}\r', "  ", "\r", " 1\t", "")
    assert read(wire_format, data) == ([{"i": 0}, 1], None)
    assert read(wire_format) == read(wire_format, b" \r\n ") == ([], None)
    decoder = BodyDecoder(wire_format)
    assert decoder.feed(body(wire_format, "")) == []


@both
def test_undefined_is_a_value(wire_format: WireFormat) -> None:
    """The real servers send the word for it."""
    values, error = read(wire_format, body(wire_format, "1", "undefined"), b"undefined")
    assert (values, error) == ([1, undefined, undefined], None)


@both
def test_lone_surrogates(wire_format: WireFormat) -> None:
    data = body(wire_format, "1", '"\\ud83d"', '"\\ude00"')
    assert read(wire_format, data) == ([1, "\ud83d", "\ude00"], None)


def test_a_line_end_within_a_value_is_none_for_the_divider() -> None:
    assert read("divider", body("divider", '{"a":\n1}')) == ([{"a": 1}], None)
    values, error = read("jsonlines", body("jsonlines", "{}", '{"a":\n1}', "{}"))
    assert values == [{}]
    assert type(error) is ProtocolError


@pytest.mark.parametrize("line", ["1 2", '{"a":1}{"b":2}', "1,2", '"a\nb"', "NaN", "[1", "\x0b1"])
def test_one_line_one_value(line: str) -> None:
    values, error = read("jsonlines", body("jsonlines", "{}", line, "{}"))
    assert values == [{}]
    assert type(error) is ProtocolError


# ---- the divider


def test_a_divider_that_is_cut_anywhere() -> None:
    data = body("divider", '{"i":0}', '{"i":1}')
    for at in range(len(data)):
        for to in range(at, len(data)):
            pieces = (data[:at], data[at:to], data[to:])
            assert read("divider", *pieces) == ([{"i": 0}, {"i": 1}], None)


@pytest.mark.parametrize(
    "text",
    [
        "__##DIV123##__",
        "a__##DIV123##__b__##DIV123##__c",
        '\\"__##DIV123##__\\\\"',
        "__##DIV123##__##DIV123##__",
    ],
)
def test_a_divider_within_a_text(text: str) -> None:
    """The servers do not escape it, and split at it their client loses what follows."""
    values = ["before", text, {"key" + text: [text, text]}, "after"]
    data = body("divider", *(json.dumps(value) for value in values))
    assert read("divider", data) == (values, None)
    for at in range(len(data)):
        assert read("divider", data[:at], data[at:]) == (values, None)
    assert read("divider", *(data[i : i + 1] for i in range(len(data)))) == (values, None)
    assert read("divider", data[: -len(DIVIDER)]) == (values, None)


@pytest.mark.parametrize("tail", ["", "more"])
def test_a_text_with_a_divider_that_never_ends(tail: str) -> None:
    values, error = read("divider", body("divider", "1", '"a') + tail.encode())
    assert values == [1]
    assert str(error) == 'the stream ended within a value: "a'
    assert read("divider", body("divider", "1", '"a') + b'"b"', cut=LOST) == ([1], LOST)
    values, error = read("divider", body("divider", "1", '"a', 'b"x', "2"))
    assert (values, error.excerpt) == ([1], '"a__##DIV123##__b"x')


def test_overlapping_dividers() -> None:
    data = b"1__##DIV123##__##DIV123##__"
    for at in range(len(data)):
        values, error = read("divider", data[:at], data[at:])
        assert (values, error.excerpt) == ([1], "##DIV123##__")
    values, error = read("divider", data + DIVIDER)
    assert (values, error.excerpt) == ([1], "##DIV123##__")


# ---- errors of the stream


@both
@pytest.mark.parametrize(
    ("message", "value", "text"),
    [
        ({"reason": {"hello": "World"}}, {"hello": "World"}, '{"hello":"World"}'),
        ({"reason": 0}, 0, "0"),
        ({"reason": False}, False, "false"),
        ({"reason": None}, None, "null"),
        ({"reason": [1, "é"]}, [1, "é"], '[1,"é"]'),
        ({}, undefined, "undefined"),
    ],
)
def test_a_thrown_value_arrives_as_it_is(
    wire_format: WireFormat, message: dict[str, Any], value: Any, text: str
) -> None:
    data = body(wire_format, "1", json.dumps({"isError": True, **message}), "2")
    for pieces in ([data], [data[:9], data[9:]], [data[:-3]]):
        for cut in (None, LOST):
            values, error = read(wire_format, *pieces, cut=cut)
            assert values == [1]
            assert type(error) is RemoteThrow
            assert error.value == value
            assert type(error.value) is type(value)
            assert (error.message, str(error)) == (text, text)


@both
@pytest.mark.parametrize("text", ["boom", ""])
def test_a_reason_in_words_is_a_message(wire_format: WireFormat, text: str) -> None:
    line = json.dumps({"isError": True, "reason": text})
    values, error = read(wire_format, body(wire_format, line))
    assert values == []
    assert type(error) is RemoteError
    assert (error.message, error.status) == (text, None)


def test_an_error_as_the_last_line_without_its_end() -> None:
    for cut in (None, LOST):
        values, error = read("jsonlines", b'1\n{"isError":true,"reason":"x"}', cut=cut)
        assert (values, str(error)) == ([1], "x")


def test_an_error_beside_what_is_unusual() -> None:
    values, error = read("jsonlines", b'1\n\n{"isError":true,"reason":"x"}\n2\n')
    assert (values, str(error)) == ([1], "x")


def test_long_values_are_looked_into_one_by_one() -> None:
    long = {"text": "x" * 1000}
    lines = [json.dumps(long), json.dumps({"isError": True, "reason": "x" * 1000}), "1"]
    values, error = read("jsonlines", body("jsonlines", *lines))
    assert values == [long]
    assert error.message == "x" * 1000
    quoting = {"text": "x" * 1000, "isError": True}
    assert read("jsonlines", body("jsonlines", json.dumps(quoting))) == ([quoting], None)


def test_a_reason_that_is_nested_too_deeply_to_be_printed() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    error = read_reason({"isError": True, "reason": deep})
    assert isinstance(error, RemoteThrow)
    assert error.message == "a thrown list"
    while deep:  # or the garbage collector would have to recurse
        deep = deep.pop()
    error.value.clear()


# ---- faults


@both
def test_a_malformed_value(wire_format: WireFormat) -> None:
    values, error = read(wire_format, body(wire_format, '{"i":0}', "{oops", '{"i":1}'))
    assert values == [{"i": 0}]
    assert type(error) is ProtocolError
    assert error.excerpt == "{oops"
    values, error = read(wire_format, body(wire_format, "1", b'"\xff"'))
    assert (values, type(error)) == ([1], ProtocolError)
    values, error = read(wire_format, body(wire_format, "[" * 100_000))
    assert type(error) is ProtocolError


@both
def test_a_truncated_end(wire_format: WireFormat) -> None:
    values, error = read(wire_format, body(wire_format, '{"i":0}') + b'{"i":1')
    assert values == [{"i": 0}]
    assert str(error) == 'the stream ended within a value: {"i":1'


@both
@pytest.mark.parametrize(
    ("tail", "more"),
    [
        (b'{"i":1}', [{"i": 1}]),
        (b" [1]\r", [[1]]),
        (b'"a"', ["a"]),
        (b"1", []),  # perhaps the beginning of 12
        (b"tru", []),
        (b'{"i":1', []),
        (b'"a', []),
        (b"", []),
    ],
)
def test_a_connection_that_breaks_off(
    wire_format: WireFormat, tail: bytes, more: list[Any]
) -> None:
    values, error = read(wire_format, body(wire_format, "0") + tail, cut=LOST)
    assert values == [0, *more]
    assert error is LOST


@both
def test_after_the_end_nothing_more_comes(wire_format: WireFormat) -> None:
    decoder = BodyDecoder(wire_format)
    decoder.feed(body(wire_format, "{oops"))
    assert decoder.is_over
    assert decoder.feed(body(wire_format, "1")) == decoder.end() == decoder.cut(LOST) == []


@both
def test_a_value_that_is_too_big(wire_format: WireFormat) -> None:
    decoder = BodyDecoder(wire_format, limit_bytes=4)
    end = ENDS[wire_format]
    assert decoder.feed(b"12" + end + b"1234") == [Items([12], 2 + len(end))]
    values, error = outcome(decoder.feed(b"5"))
    assert values == []
    assert type(error) is MessageTooBig
    assert (error.size_bytes, error.limit_bytes) == (5, 4)
    assert decoder.is_over
    values, error = read(wire_format, b"1" + end + b"12345", limit_bytes=4)
    assert (values, type(error)) == ([1], MessageTooBig)
    values, error = read(wire_format, b"oops" + end + b"12345", limit_bytes=4)
    assert type(error) is ProtocolError


def test_a_text_with_dividers_that_is_too_big() -> None:
    data = body("divider", '"', *["a"] * 10)
    values, error = read(
        "divider", *(data[i : i + 5] for i in range(0, len(data), 5)), limit_bytes=50
    )
    assert (values, type(error)) == ([], MessageTooBig)


# ---- any body, cut anywhere

SCRAPS = st.sampled_from(
    [
        *(
            b"\n",
            DIVIDER,
            b"_",
            b"_##",
            b"##DIV123##__",
            b"\r",
            b" ",
            b'"',
            b"\\",
            b"\\u",
            b"\\ud83d",
        ),
        *(b"1", b"-", b"true", b"undefined", b"{", b"}", b"[", b"]", b",", b":", b'"isError"'),
        *(
            b'{"isError":true}',
            b'{"isError":true,"reason":',
            b'{"a":1}',
            "€😀\u2028".encode(),
            b"\xff",
        ),
    ]
)
BODIES = st.one_of(st.lists(SCRAPS, max_size=12).map(b"".join), st.binary(max_size=40))


def comparable(result: tuple[list[Any], Any]) -> tuple[str, str]:
    values, error = result
    return repr(values), f"{type(error)} {error} {getattr(error, 'excerpt', '')}"


@both
@settings(deadline=None)
@given(data=BODIES, cuts=st.lists(st.integers(0, 200), max_size=4), is_cut=st.booleans())
@example(data=b'{"a":1}\n{"a":\n1}\n', cuts=[9], is_cut=False)
@example(data=b'"' + DIVIDER + b'"' + DIVIDER, cuts=[1, 8, 20], is_cut=True)
def test_any_split_of_any_body_is_the_same(
    wire_format: WireFormat, data: bytes, cuts: list[int], is_cut: bool
) -> None:
    cut = LOST if is_cut else None
    whole = comparable(read(wire_format, data, cut=cut))
    places = [0, *sorted(place for place in cuts if place < len(data)), len(data)]
    pieces = [data[a:b] for a, b in pairwise(places)]
    assert comparable(read(wire_format, *pieces, cut=cut)) == whole
    assert (
        comparable(read(wire_format, *(data[i : i + 1] for i in range(len(data))), cut=cut))
        == whole
    )


TEXTS = st.text(st.characters(exclude_categories=()))
VALUES = st.recursive(
    st.one_of(
        *(st.none(), st.booleans(), st.integers(-(2**53) + 1, 2**53 - 1), TEXTS),
        st.sampled_from(["__##DIV123##__", "a__##DIV123##__##DIV123##__\\"]),
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(TEXTS, inner)),
    max_leaves=6,
)


@both
@settings(deadline=None)
@given(values=st.lists(VALUES), reason=st.one_of(st.just(undefined), VALUES), fails=st.booleans())
@pytest.mark.slow
def test_what_is_written_is_read(
    wire_format: WireFormat, values: list[Any], reason: Any, fails: bool
) -> None:
    data = b"".join(encode_item(value, wire_format) for value in values)
    assert data.count(ENDS[wire_format]) == len(values)
    if fails:
        data += encode_failure(reason, wire_format)
    got, error = read(wire_format, data)
    # Halves of a surrogate pair that stand side by side become one character.
    assert got == json.loads(json.dumps(values))
    assert (error is None) is not fails
    if isinstance(error, RemoteThrow):
        assert error.value is reason or error.value == json.loads(json.dumps(reason))
    elif error is not None:
        assert error.message == json.loads(json.dumps(reason))
