"""What is told of a message from its text: never less than it takes, and exactly how deep it is."""

from __future__ import annotations

import gc
import json
import tracemalloc
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kkjupyter.errors import MessageTooBig, ProtocolError
from kkjupyter.wire import message_cost
from kkjupyter.wire.message_cost import (
    HASH_MODULUS,
    MAX_DEPTH,
    MAX_EQUAL_HASHES,
    check_weight,
    held_bytes,
    is_too_deep,
    uncollected,
    weigh,
    weigh_value,
)
from kkjupyter.wire.values.javascript import Map


def depth_of(value: Any) -> int:
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    return 0


def rows(text: str, count: int = 20_000) -> bytes:
    return ("[" + ",".join([text] * count) + "]").encode()


@pytest.mark.parametrize(
    "data",
    [
        *map(rows, ("[]", "{}", "[0]", "[0,0,0,0,0]", '{"":0}', '"ab"', '"→"', '"😀"', "300")),
        *map(rows, ("1e9", "0", "9" * 19, "[[[[[]]]]]", '{"":{"":{}}}', '"\\u2192"')),
        rows("[" * 100 + "]" * 100, 200),
        json.dumps([{str(n): 0} for n in range(20_000)]).encode(),
        json.dumps([{str(n + m): 0 for m in range(6)} for n in range(5_000)]).encode(),
        json.dumps({str(n): 1.5 for n in range(50_000)}).encode(),
        ('"' + "x" * 100_000 + '"').encode(),
        ('"' + "x" * 100_000 + '😀"').encode(),
        ('"' + "x" * 100_000 + 'é→"').encode(),
        ('"' + "x" * 100_000 + '\\u2192"').encode(),
        ('"' + "x" * 100_000 + '\\ud83d\\ude00"').encode(),
    ],
    ids=lambda data: data[:24].decode("utf-8", "replace"),
)
def test_nothing_takes_more_than_it_is_said_to(data: bytes) -> None:
    msgspec.json.decode(data)  # what is made only once
    tracemalloc.start()
    try:
        value = msgspec.json.decode(data)
        # While it is read, a text with a wide character is there twice for a moment.
        taken_bytes = tracemalloc.get_traced_memory()[isinstance(value, dict)]
    finally:
        tracemalloc.stop()
    assert value is not None
    assert taken_bytes <= weigh(data) <= message_cost._HEAVIEST * len(data)
    assert taken_bytes <= held_bytes(data)


def test_a_blob_is_weighed_by_its_length() -> None:
    def request(text: bytes) -> bytes:
        return b'{"t":"q","id":"a","op":"call","p":["f"],"a":["' + text + b'"]}'

    blob, prose = request(b"x" * 200_000), request(b"Well, well: " * 20_000)
    assert len(blob) < held_bytes(blob) < len(blob) + 10_000
    assert held_bytes(prose) == weigh(prose) > 5 * len(prose)


def test_only_what_is_too_heavy_is_refused() -> None:
    data = rows("[]")
    check_weight(data, weigh(data))
    check_weight(data)
    with pytest.raises(MessageTooBig) as caught:
        check_weight(data, weigh(data) - 1)
    assert caught.value.in_memory
    assert caught.value.limit_bytes == weigh(data) - 1
    assert "message_memory_bytes" in str(caught.value)


def test_what_is_within_texts_weighs_nothing_but_its_length() -> None:
    text = json.dumps('[{"a": [1, 2, {}]}, "\\\\", "\\"]"] ' * 5_000)
    data = json.dumps([text, text]).encode()
    assert weigh(data) > 3 * len(data)
    check_weight(data, 2 * len(data))
    with pytest.raises(MessageTooBig):
        check_weight(data, len(data))
    # By its length alone.
    with pytest.raises(MessageTooBig):
        check_weight(b'"' + b"x" * 10_000 + b'"', 1000)


VALUES = st.recursive(
    st.one_of(st.none(), st.sampled_from(["]", "[", '"', "\\", '\\"[', "{}", "é[", "", 1, 2.5])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.sampled_from(["a", "]", '"', "\\", '[\\"']), inner, max_size=3),
    ),
    max_leaves=30,
)


@given(
    VALUES,
    st.integers(1, 6),
    st.sampled_from([1, 2, 7, 64 * 1024]),
    st.sampled_from([1, 3, 128]),
    st.sampled_from([0, 4096]),
)
def test_depth_is_told_exactly(value: Any, levels: int, block: int, piece: int, short: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(message_cost, "_SHORT_BYTES", short)
        patch.setattr(message_cost, "MAX_DEPTH", levels)
        patch.setattr(message_cost, "_BLOCK_BYTES", block)
        patch.setattr(message_cost, "_PIECE", piece)
        patch.setattr(message_cost, "_PROBES", 1)
        assert is_too_deep(msgspec.json.encode(value)) == (depth_of(value) > levels)


def test_depth_at_the_limit() -> None:
    def nested(levels: int) -> bytes:
        return b"[" * levels + b"]" * levels

    check_weight(nested(MAX_DEPTH))
    check_weight(rows("[[],{}]", 1000))
    check_weight(rows("[" * 255 + "]" * 255, 10))
    with pytest.raises(ProtocolError, match="nested too deeply: more than 256 levels"):
        check_weight(nested(MAX_DEPTH + 1))


def numbers(count: int, apart: int, write: str = "%d") -> bytes:
    # Twenty digits and more, and padded to a length that is looked at.
    listed = ",".join(write % (HASH_MODULUS + 1 + n * apart) for n in range(count))
    return f'[{listed},"{"x" * message_cost.LARGE_BYTES}"]'.encode()


@pytest.mark.parametrize("write", ["%d", '"%d"', '{"%d":0}', "-%d"])
def test_a_crowd_of_integers_with_one_hash_is_refused(write: str) -> None:
    check_weight(numbers(MAX_EQUAL_HASHES, HASH_MODULUS, write))
    check_weight(numbers(1000, 7919, write))
    check_weight(numbers(1, 0, write) + b"," * 100)
    with pytest.raises(ProtocolError, match="same hash"):
        check_weight(numbers(MAX_EQUAL_HASHES + 1, HASH_MODULUS, write))


def test_digits_in_another_spelling_are_digits() -> None:
    data = numbers(MAX_EQUAL_HASHES + 1, HASH_MODULUS, '"%d"').replace(b"2", b"\\u0032")
    with pytest.raises(ProtocolError, match="same hash"):
        check_weight(data)


def test_numbers_that_nobody_can_read_are_passed_over() -> None:
    check_weight(b'"' + b"9" * 100_000 + b'"')
    check_weight(b"[" + b",".join([b"9" * 5000] * 100) + b"]")
    check_weight(b"[" + b",".join([b"%d" % n for n in range(50_000)]) + b"]")


def test_values_are_weighed_with_all_they_hold() -> None:
    assert weigh_value("x" * 1000) > 1000
    assert weigh_value([[] for _ in range(100)]) > 100 * 56
    assert weigh_value({"a": ["x" * 1000], "b": {1, 2}}) > 1000
    assert weigh_value(Map({1: "x" * 1000})) > 1000
    shared = ["x" * 1000]
    assert weigh_value([shared] * 100) < 10_000
    shared.append(shared)  # type: ignore[arg-type]
    assert weigh_value(shared) > 1000


@pytest.mark.parametrize("collects", [True, False])
def test_the_collector_goes_on_afterwards(monkeypatch: pytest.MonkeyPatch, collects: bool) -> None:
    monkeypatch.setattr(message_cost, "_COLLECTS_WITHIN_C", collects)
    seen = []

    def fail() -> None:
        with uncollected():
            seen.append(gc.isenabled())
            raise ValueError("inside")

    with pytest.raises(ValueError, match="inside"):
        fail()
    assert seen == [not collects]
    assert gc.isenabled()
    gc.disable()
    try:
        with uncollected():
            assert not gc.isenabled()
        assert not gc.isenabled()  # it was somebody else who did that
    finally:
        gc.enable()


@pytest.mark.parametrize("others", [0, 3000], ids=["short", "among many others"])
def test_the_last_level_there_may_be(others: int) -> None:
    def nested(levels: int) -> bytes:
        innermost = b"[],[],[],[]"  # side by side, they are no deeper than one
        return b"[" + b"[]," * others + b"[" * (levels - 2) + innermost + b"]" * (levels - 1)

    assert not is_too_deep(nested(MAX_DEPTH))
    assert is_too_deep(nested(MAX_DEPTH + 1))
