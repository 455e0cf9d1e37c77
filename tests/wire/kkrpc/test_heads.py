"""Who a message is for, whatever it carries."""

from __future__ import annotations

import pytest

from kkjupyter.wire.kkrpc.envelopes import Head, is_json, read_head

DEEP = b"[" * 20_000 + b"]" * 20_000  # from Python 3.12 on 5,000 are read


@pytest.mark.parametrize("value", [b"1", DEEP, b'"\\ud83d"', b'"\\uD83D"', b'{"t":"x"}'])
@pytest.mark.parametrize(
    ("message", "head"),
    [
        (b'{"t":"q","id":"1","a":%s}', Head("q", "", "1", "", "json")),
        (b' {"t":"sr","id":"1","sid":"s","v":%s} ', Head("sr", "", "1", "s", "json")),
        (b'{"id":"1","args":%s,"type":"request"}\n', Head("", "request", "1", "", "json")),
        (b'{"json":{"t":"r","id":"1","v":%s},"meta":{}}', Head("r", "", "1", "", "superjson")),
        (
            b'{"json":{"id":"1","args":%s,"type":"response"}}',
            Head("", "response", "1", "", "superjson"),
        ),
    ],
)
def test_a_head_is_read_over_whatever_the_message_carries(
    message: bytes, head: Head, value: bytes
) -> None:
    assert read_head(message % value) == head


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        b"[1]",
        b"{}",
        b'{"json":5}',
        b'{"t":5,"id":"1"}',
        b'{"json":{"id":"1"}}',
        b'{"t":"q","id":"1"',
        DEEP,
        b'{"t":"q","id":"1","v":' + DEEP,
        b'{"x":%s,"t":"q"}' % DEEP,
    ],
)
def test_what_has_no_head(data: bytes) -> None:
    assert read_head(data) is None


def test_fields_of_another_kind_are_left_empty() -> None:
    assert read_head(b'{"t":"q","id":[1],"sid":null}') == Head("q", "", "", "", "json")


def test_json_is_told_without_making_it() -> None:
    assert is_json(b'{"a":[1,"\\ud83d"]}')
    assert is_json(DEEP)
    assert not is_json(b"{")
    assert not is_json(b"a message")
