"""What a Vovk server of ours sends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from kkjupyter.errors import EncodeError, RemoteError, RemoteThrow
from kkjupyter.wire.values.javascript import undefined
from kkjupyter.wire.vovk.encoding import (
    REPLY_HEADERS,
    encode_error,
    encode_failure,
    encode_item,
    encode_reply,
    missing_route,
    stream_headers,
    thrown_reason,
)


def test_items_in_both_formats() -> None:
    value = {"message": "é\u2028\n"}
    assert encode_item(value, "jsonlines") == '{"message":"é\u2028\\n"}\n'.encode()
    assert encode_item(value, "divider") == '{"message":"é\u2028\\n"}__##DIV123##__'.encode()
    assert encode_item(undefined, "jsonlines") == b"null\n"
    assert encode_item({"a": undefined, "b": b"\x01"}, "jsonlines") == b'{"b":[1]}\n'


def test_a_divider_in_a_text_is_hidden() -> None:
    text = "a____##DIV123##__##DIV123##__"
    sent = encode_item({text: text}, "divider")
    assert sent.find(b"__##DIV123##__") == len(sent) - 14
    assert json.loads(sent.removesuffix(b"__##DIV123##__")) == {text: text}
    assert json.loads(encode_item(text, "jsonlines")) == text


@pytest.mark.parametrize(
    "value",
    [{"isError": True}, {"isError": False, "reason": 1}, {"isError": True, "reason": 1, "a": 2}],
)
def test_an_item_that_clients_would_take_for_an_error(value: Any) -> None:
    with pytest.raises(EncodeError, match="cannot encode item: clients would read an object"):
        encode_item(value, "jsonlines")


@pytest.mark.parametrize("value", [{"isError": True, "a": 1}, {"reason": 1}, [{"isError": True}]])
def test_an_item_that_looks_like_an_error_from_afar(value: Any) -> None:
    assert json.loads(encode_item(value, "jsonlines")) == value


def test_what_cannot_be_sent_is_told() -> None:
    for encode, path in (
        (lambda: encode_item({"a": {1}}, "jsonlines"), "item.a"),
        (lambda: encode_failure({"a": {1}}, "divider"), "reason.a"),
        (lambda: encode_reply([{1}]), "result.0"),
        (lambda: encode_error(500, "m", {1}), "cause"),
    ):
        with pytest.raises(EncodeError) as caught:
            encode()
        assert caught.value.path == path


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ValueError("boom"), "boom"),
        (ValueError(), "ValueError"),
        (RemoteError("boom", name="TypeError"), "boom"),
        (RemoteThrow({"hello": "World"}, "m"), {"hello": "World"}),
        (RemoteThrow(undefined, "undefined"), undefined),
    ],
)
def test_what_the_wire_carries_of_an_exception(error: BaseException, reason: Any) -> None:
    assert thrown_reason(error) == reason


def test_failures() -> None:
    assert encode_failure("boom", "jsonlines") == b'{"isError":true,"reason":"boom"}\n'
    assert encode_failure(None, "jsonlines") == b'{"isError":true,"reason":null}\n'
    assert encode_failure(undefined, "divider") == b'{"isError":true}__##DIV123##__'


def test_replies() -> None:
    assert REPLY_HEADERS == {"content-type": "application/json"}
    assert encode_reply({"a": [1, "é"]}) == '{"a":[1,"é"]}'.encode()
    assert encode_reply(None) == encode_reply(undefined) == b"null"


def test_error_replies() -> None:
    with_cause = encode_error(403, "no", {"why": "x"})
    assert with_cause == b'{"cause":{"why":"x"},"statusCode":403,"message":"no","isError":true}'
    without = b'{"statusCode":403,"message":"no","isError":true}'
    assert encode_error(403, "no") == without
    assert encode_error(403, "no", {"why": "x"}, wire_format="divider") == without
    assert encode_error(403, "no", None).startswith(b'{"cause":null,')


def test_the_words_for_what_is_not_there() -> None:
    assert missing_route("a/b", "GET", wire_format="divider") == "Route is not found"
    assert missing_route("a/b", "GET", wire_format="jsonlines") == (
        "Route 'a/b' is not found for GET method at the root segment"
    )
    assert missing_route("a", "PUT", "admin", wire_format="jsonlines") == (
        "Route 'a' is not found for PUT method at segment 'admin'"
    )


def test_the_head_of_a_stream() -> None:
    lines = {"content-type": "application/jsonl; charset=utf-8"}
    assert stream_headers("jsonlines", "Application/JSONL, application/json") == lines
    for accept in ("", "*/*", "application/json"):
        assert stream_headers("jsonlines", accept) == {"content-type": "text/plain; charset=utf-8"}
    assert stream_headers("divider", "application/jsonl") == {
        "content-type": "text/event-stream",
        "content-encoding": "none",
        "cache-control": "no-cache, no-transform",
    }


def test_an_error_whose_text_fails_has_a_reason() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no words")

    assert thrown_reason(Mute()) == "(its text cannot be read: RuntimeError)"
