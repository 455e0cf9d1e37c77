"""JSON text: what msgspec does, and the strings it refuses."""

from __future__ import annotations

import inspect
import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kkjupyter.errors import EncodeError, ProtocolError
from kkjupyter.wire.message_cost import MAX_DEPTH
from kkjupyter.wire.values.json_text import dumps, escape_non_ascii, loads

TEXTS = st.text(st.characters(exclude_categories=()))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), TEXTS).filter(
        lambda value: value not in (float("inf"), float("-inf"))
    ),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(TEXTS, inner)),
    max_leaves=10,
)


@given(JSON)
@pytest.mark.slow
def test_what_is_written_is_read(value: Any) -> None:
    data = dumps(value)
    assert b"\n" not in data
    # The standard library is the judge; it joins surrogate halves that stand side by side.
    assert loads(data) == json.loads(json.dumps(value))


def test_a_lone_surrogate_is_escaped() -> None:
    assert dumps(["\ud83d", "é"]) == b'["\\ud83d","\\u00e9"]'
    assert dumps(["é"]) == '["é"]'.encode()
    assert loads(b'{"a":"\\ud83d"}') == {"a": "\ud83d"}
    assert loads(b'{"a":"\\uDE00"}') == {"a": "\ude00"}


@pytest.mark.parametrize("value", [object(), [1, {2}, object()], ["\ud83d", object()], 1j])
def test_what_is_no_json_is_refused(value: Any) -> None:
    with pytest.raises(EncodeError):
        dumps(value)


def test_nan_beside_a_lone_surrogate_is_refused() -> None:
    """The codecs never leave one; the standard library would write the word NaN."""
    with pytest.raises(EncodeError):
        dumps(["\ud83d", float("nan")])


def test_nesting_beyond_reason() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    with pytest.raises(EncodeError, match="nested too deeply"):
        dumps(deep)
    with pytest.raises(EncodeError, match="nested too deeply"):
        dumps(["\ud83d", deep])
    while deep:  # or the garbage collector would have to recurse
        deep = deep.pop()
    with pytest.raises(ProtocolError, match="nested too deeply"):
        loads(b"[" * 100_000)
    with pytest.raises(ProtocolError, match="nested too deeply"):
        loads(b'["\\ud83d",' + b"[" * 100_000)


def test_the_deepest_that_is_written_is_read() -> None:
    def nested(levels: int) -> Any:
        return [nested(levels - 1)] if levels > 1 else []

    assert loads(dumps(nested(MAX_DEPTH))) == nested(MAX_DEPTH)
    with pytest.raises(EncodeError, match="nested too deeply"):
        dumps(nested(MAX_DEPTH + 1))


def test_where_there_is_no_stack_left_for_it() -> None:
    """The limit of depth is far below Python's, save for whoever has nearly reached that."""

    def after(frames: int) -> Any:
        return after(frames - 1) if frames else loads(b"[" * 200 + b"]" * 200)

    frames = sys.getrecursionlimit() - len(inspect.stack(0)) - 100
    if sys.version_info >= (3, 12):  # C code has a limit of its own there
        assert after(frames)
        return
    with pytest.raises(ProtocolError, match="nested too deeply"):
        after(frames)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"a":1} x',
        b"NaN",
        b'["\\ud83d",NaN]',
        b'["\\ud83d"',
        b'"\xff"',
        b'["\\ud83d", "\xff"]',
        b'"\xed\xa0\xbd"',
        b"9" * 5000,
        b'["\\ud83d",' + b"9" * 5000 + b"]",
    ],
)
def test_what_is_no_json_text_is_a_protocol_error(data: bytes) -> None:
    with pytest.raises(ProtocolError) as caught:
        loads(data)
    assert caught.value.reason
    assert len(caught.value.excerpt) <= 120


def test_what_is_wrong_is_said_once() -> None:
    with pytest.raises(ProtocolError) as caught:
        loads(b"[1} 2")
    assert str(caught.value) == "malformed JSON (expected ',' or ']', byte 2): [1} 2"


@given(JSON)
@pytest.mark.slow
def test_escaped_text_says_the_same(value: Any) -> None:
    escaped = escape_non_ascii(dumps(value))
    assert escaped.isascii()
    assert loads(escaped) == loads(dumps(value))
