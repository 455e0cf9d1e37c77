"""Bytes to lines, wherever the bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kkjupyter.errors import MessageTooBig
from kkjupyter.wire.framing import DEFAULT_LIMIT_BYTES, LineBuffer, excerpt

# Few letters, so that line ends meet everything else.
stream_bytes = st.lists(st.sampled_from([b"a", b"bc", b"\n", b"\r", "\u2028".encode()])).map(
    b"".join
)


def test_lines_come_without_their_ends_and_the_rest_waits() -> None:
    buffer = LineBuffer()
    assert buffer.feed(b"one\ntwo\nthr") == [b"one", b"two"]
    assert buffer.held_bytes == 3
    assert buffer.feed(b"ee") == []
    assert buffer.newest_piece == b"ee"
    assert buffer.held() == b"three"
    assert buffer.feed(b"\n\n") == [b"three", b""]
    assert buffer.held_bytes == 0
    assert buffer.feed(b"") == []


def test_only_the_line_feed_ends_a_line() -> None:
    text = '{"a": "\u2028\u2029\x0b\x0c\x1c\x85"}\r'.encode()
    assert LineBuffer().feed(text + b"\n") == [text]


@given(stream_bytes, st.lists(st.integers(0, 40)))
def test_cutting_the_stream_anywhere_gives_the_same_lines(data: bytes, cuts: list[int]) -> None:
    whole = LineBuffer()
    pieces = LineBuffer()
    got: list[bytes] = []
    start = 0
    for end in [*sorted(cut for cut in cuts if cut < len(data)), len(data)]:
        got += pieces.feed(data[start:end])
        start = end
    assert got == whole.feed(data)
    assert pieces.held_bytes == whole.held_bytes
    assert pieces.take_held() == whole.take_held()
    assert pieces.held_bytes == 0


def test_what_waits_too_long_is_refused_after_the_lines_before_it() -> None:
    buffer = LineBuffer(limit_bytes=4)
    assert buffer.feed(b"good\nabcde") == [b"good"]
    assert buffer.is_overfull
    for _ in range(2):  # it stays refused: nobody knows where the next message begins
        with pytest.raises(MessageTooBig) as caught:
            buffer.feed(b"\nlate\n")
        assert (caught.value.size_bytes, caught.value.limit_bytes) == (5, 4)


def test_as_much_as_the_limit_may_wait() -> None:
    buffer = LineBuffer(limit_bytes=4)
    assert buffer.feed(b"abcd") == []
    assert not buffer.is_overfull
    assert buffer.feed(b"\n") == [b"abcd"]
    assert LineBuffer().limit_bytes == DEFAULT_LIMIT_BYTES


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"  plain \n", "plain"),
        ("é😀".encode(), "é😀"),
        (b"\x1b[31mred\x00", "\ufffd[31mred\ufffd"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"x" * 121, "x" * 119 + "…"),
        (b"x" * 120, "x" * 120),
        (b"", ""),
    ],
)
def test_an_excerpt_is_short_and_printable(data: bytes, text: str) -> None:
    assert excerpt(data) == text
