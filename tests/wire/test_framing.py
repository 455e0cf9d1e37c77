"""Bytes to lines, wherever the bytes are cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kkjupyter.errors import MessageTooBig
from kkjupyter.wire.framing import (
    DEFAULT_LIMIT_BYTES,
    LineBuffer,
    cut_at_lines,
    excerpt,
    has_more_lines,
)

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


@given(stream_bytes, st.integers(1, 6), st.integers(1, 3))
def test_pieces_are_cut_behind_line_ends(data: bytes, limit_bytes: int, limit_lines: int) -> None:
    pieces = list(cut_at_lines(data, limit_bytes, limit_lines))
    assert b"".join(pieces) == data
    assert all(piece.endswith(b"\n") for piece in pieces[:-1])
    for piece in pieces:
        assert len(piece) <= limit_bytes or piece.find(b"\n") in (-1, len(piece) - 1)
        assert piece.count(b"\n") <= limit_lines


def test_a_long_line_is_a_piece_of_its_own() -> None:
    assert list(cut_at_lines(b"a\n" + 9 * b"b" + b"\nc\nd", 4, 9)) == [
        b"a\n",
        9 * b"b" + b"\n",
        b"c\nd",
    ]
    assert list(cut_at_lines(9 * b"b", 4, 9)) == [9 * b"b"]
    assert list(cut_at_lines(b"", 4, 9)) == []


def test_many_line_ends_are_many_pieces() -> None:
    assert list(cut_at_lines(5 * b"\n", 100, 2)) == [b"\n\n", b"\n", b"\n\n"]


@given(stream_bytes, st.integers(0, 5))
def test_line_ends_are_counted_as_far_as_it_matters(data: bytes, limit_lines: int) -> None:
    assert has_more_lines(data, limit_lines) == (data.count(b"\n") > limit_lines)


@given(st.lists(st.binary(min_size=1, max_size=700).filter(lambda p: b"\n" not in p), min_size=1))
def test_pieces_without_line_end_are_held_in_order(pieces: list[bytes]) -> None:
    buffer = LineBuffer()
    for piece in pieces:
        assert buffer.feed(piece) == []
        assert buffer.newest_piece == piece
    assert buffer.held_bytes == sum(map(len, pieces))
    assert buffer.feed(b"\n") == [b"".join(pieces)]
