"""Estimates the memory that a message's values will take, from its text, before decoding it.

A little JSON can take much memory: ``[],`` is three bytes, and 73 as a Python list. So a message is
weighed first: its brackets, separators and quotes are counted, each with the memory it may stand
for. Counting is fast. Within texts such characters mean nothing, so a message that seems too heavy
is looked at again without its texts.
"""

from __future__ import annotations

import contextlib
import gc
import itertools
import re
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

from kkjupyter.errors import MessageTooBig, ProtocolError
from kkjupyter.wire.framing import excerpt
from kkjupyter.wire.values.javascript import Map

__all__ = [
    "CHECKED_FROM_BYTES",
    "DEFAULT_MEMORY_BYTES",
    "HASH_MODULUS",
    "LARGE_BYTES",
    "MAX_DEPTH",
    "MAX_EQUAL_HASHES",
    "check_weight",
    "held_bytes",
    "is_too_deep",
    "item_bytes",
    "uncollected",
    "weigh",
    "weigh_roughly",
    "weigh_value",
]

MAX_DEPTH: Final = 256
"""How deep lists and objects of one message may be nested, its own envelope included.

Both sides hold to it, so what one may send the other can read: every walk over a value, here and in
handlers, then fits on Python's stack.
"""

DEFAULT_MEMORY_BYTES: Final = 256 * 1024 * 1024
"""How much memory the values of one message may take."""

CHECKED_FROM_BYTES: Final = 512
"""Shorter messages can be neither deep nor heavy: 256 levels take 512 bytes."""

LARGE_BYTES: Final = 64 * 1024
"""From this length on decoding takes time that others notice."""

# Upper bounds, in bytes, measured on CPython 3.11 with the rounding of its allocator: an empty list
# takes 64, an object with one entry 184, a short text 80, a number 32 and its place in a list 9.
_LIST_BYTES: Final = 96
_OBJECT_BYTES: Final = 144
_ENTRY_BYTES: Final = 56
_VALUE_BYTES: Final = 44
_QUOTE_BYTES: Final = 24
_COSTS: Final = (
    (b"[", _LIST_BYTES),
    (b"{", _OBJECT_BYTES),
    (b",", _VALUE_BYTES),
    (b":", _ENTRY_BYTES),
    (b'"', _QUOTE_BYTES),
)
_MARK_BYTES: Final = 72
# No text weighs more than this per byte; "{},{}," comes close.
_HEAVIEST: Final = 64

_BLOCK_BYTES: Final = 64 * 1024
_COUNTED_BYTES: Final = 1024 * 1024
_PIECE: Final = 128
_PROBES: Final = 8
# Up to this size, counting all brackets takes less time than checking whether there are few.
_SHORT_BYTES: Final = 4096
_NO_MARKS: Final = bytes(set(range(256)).difference(b'"[]{},:'))
_NO_BRACKETS: Final = bytes(set(range(256)).difference(b'"[]{}'))
_FOUR_BYTE_LEADS: Final = bytes(range(0xF0))
_BACKSLASHES: Final = re.compile(rb"\\*")
# Every bracket as a step down or up, in signed bytes.
_STEPS: Final = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")


def weigh(data: bytes) -> int:
    """How much memory, in bytes, the values of a message take at most, its text included.

    An estimate from above, in one pass over the message: a ms for 1 MB.
    """
    total = len(data) * _bytes_per_char(data) + _VALUE_BYTES  # the first has no comma before it
    marks = data.translate(None, _NO_MARKS)
    for mark, cost_bytes in _COSTS:
        total += cost_bytes * marks.count(mark)
    return total


def weigh_roughly(data: bytes) -> int:
    """Like :func:`weigh`, in one pass, for short messages; rarely an underestimate."""
    return len(data) + _MARK_BYTES * len(data.translate(None, _NO_MARKS))


def held_bytes(data: bytes) -> int:
    """How much memory a request read from ``data`` takes, in bytes; a cheap estimate."""
    if len(data) < CHECKED_FROM_BYTES:
        return len(data)
    if len(data) < LARGE_BYTES:
        return weigh_roughly(data)
    if not any(_has_more(data, mark, _PROBES) for mark in (b",", b":", b"[", b"{")):
        # A few long texts, mostly blobs: their own bytes are nearly everything.
        return len(data) * _bytes_per_char(data) + _MARK_BYTES * 10 * _PROBES
    return weigh(data)


def item_bytes(data: bytes, value: Any) -> int:
    """Like :func:`held_bytes`, for an item of a stream, whose buffer weighs small ones itself."""
    is_heavy = len(data) >= LARGE_BYTES and isinstance(value, (dict, list))
    return weigh(data) if is_heavy else len(data)


def check_weight(data: bytes, limit_bytes: int = DEFAULT_MEMORY_BYTES) -> None:
    """Check that a message may be decoded; call it for at least CHECKED_FROM_BYTES.

    Args:
        data: the text of the message, or of several.
        limit_bytes: how much memory its values may take.

    Raises:
        MessageTooBig: they may take more; ``size_bytes`` is the estimate.
        ProtocolError: it is nested too deeply, or holds numbers made to be slow in a set.
    """
    if len(data) * _HEAVIEST > limit_bytes:
        _check_memory(data, limit_bytes)
    if is_too_deep(data):
        raise ProtocolError(f"JSON nested too deeply: more than {MAX_DEPTH} levels", excerpt(data))
    if len(data) >= LARGE_BYTES:  # the numbers of a shorter one take too little time to matter
        _check_numbers(data)


def is_too_deep(data: bytes) -> bool:
    """Whether JSON is nested more than MAX_DEPTH levels deep."""
    if len(data) <= _SHORT_BYTES and data.count(b"[") + data.count(b"{") <= MAX_DEPTH:
        return False
    half = MAX_DEPTH // 2
    if not (_has_more(data, b"[", half) or _has_more(data, b"{", half)):
        return False
    depth = 0
    for brackets, _ in _without_texts(data, _NO_BRACKETS):
        for at in range(0, len(brackets), _PIECE):
            piece = brackets[at : at + _PIECE]
            opening = piece.count(b"[") + piece.count(b"{")
            # One bracket after the other, but only where it could be too deep.
            if depth + opening > MAX_DEPTH and depth + _highest(piece) > MAX_DEPTH:
                return True
            depth += 2 * opening - len(piece)
    return False


def _has_more(data: bytes, mark: bytes, number: int) -> bool:
    """Whether ``mark`` is there more often; at the speed of ``memchr`` where it is rare."""
    at = -1
    for _ in range(_PROBES):
        at = data.find(mark, at + 1)
        if at < 0:
            return False
    return data.count(mark, at + 1) + _PROBES > number


def _highest(brackets: bytes) -> int:
    return max(itertools.accumulate(memoryview(brackets.translate(_STEPS)).cast("b")))


def _check_memory(data: bytes, limit_bytes: int) -> None:
    text_bytes = len(data) * _bytes_per_char(data) + _VALUE_BYTES
    total = text_bytes
    # In portions, so that a message that is already too heavy is not read to its end.
    for start in range(0, len(data), _COUNTED_BYTES):
        end = start + _COUNTED_BYTES
        total += sum(cost * data.count(mark, start, end) for mark, cost in _COSTS)
        if total > limit_bytes:
            break
    else:
        return
    total = text_bytes
    for outside, quotes in _without_texts(data, _NO_MARKS):
        total += quotes * _QUOTE_BYTES
        total += sum(cost * outside.count(mark) for mark, cost in _COSTS[:-1])
        if total > limit_bytes:
            raise MessageTooBig(total, limit_bytes, in_memory=True)


def _bytes_per_char(data: bytes) -> int:
    """How many bytes Python needs for each character of a text with the widest one in ``data``."""
    if data.isascii():
        if b"\\" not in data or b"\\u" not in data:  # one byte is found at twenty times the speed
            return 1
        return 4 if b"\\ud" in data or b"\\uD" in data else 2
    return 4 if data.translate(None, _FOUR_BYTE_LEADS) else 2


def _without_texts(data: bytes, dropped: bytes) -> Iterator[tuple[bytes, int]]:
    """The JSON outside of texts, without the bytes ``dropped``, and the number of quotes."""
    start, inside = 0, 0
    while start < len(data):
        end = min(start + _BLOCK_BYTES, len(data))
        block = data[start:end]
        if block.endswith(b"\\"):  # what follows belongs to it
            end = _BACKSLASHES.match(data, end).end() + 1  # type: ignore[union-attr]  # always
            block = data[start:end]
        start = end
        if b"\\" in block:
            block = block.replace(b"\\\\", b"").replace(b'\\"', b"")
        marks = block.translate(None, dropped)
        quotes = marks.count(b'"')
        if not inside and 2 * marks.count(b'""') == quotes:  # so every text is empty now
            marks = marks.translate(None, b'"')
        else:
            # Removing two quotes never changes what is inside of a text, and it removes most.
            marks = b"".join(marks.replace(b'""', b"").split(b'"')[inside::2])
        yield marks, quotes
        inside ^= quotes & 1


# ---- numbers made to collide

HASH_MODULUS: Final = sys.hash_info.modulus
"""Python's hash of an integer is its remainder by this, so that anybody can make equal ones."""

MAX_EQUAL_HASHES: Final = 64
"""How many different integers of one message may have one hash: a set of n takes n * n steps."""

_LEAST_DIGITS: Final = 19
_MOST_DIGITS: Final = 4300  # longer ones are not read
_LONG_NUMBER: Final = re.compile(rb"[0-9]{%d,}" % _LEAST_DIGITS)
_ESCAPED_DIGIT: Final = re.compile(rb"\\u003([0-9])")
_AS_ZERO: Final = bytes(0x30 if 0x30 <= byte <= 0x39 else 0x20 for byte in range(256))


def _check_numbers(data: bytes) -> None:
    """Refuse many different integers with the same hash; as text, they may be keys."""
    if b"\\" in data and b"\\u003" in data:
        data = _ESCAPED_DIGIT.sub(rb"\1", data)
    # At least one of these steps hits every long number, so few digits mean few such numbers.
    steps = data[::_LEAST_DIGITS]
    if len(steps) - len(steps.translate(None, b"0123456789")) <= MAX_EQUAL_HASHES:
        return
    if b"0" * _LEAST_DIGITS not in data.translate(_AS_ZERO):
        return  # nearly always, and ten times as fast as the expression
    found = {text for text in _LONG_NUMBER.findall(data) if len(text) <= _MOST_DIGITS}
    if len(found) <= MAX_EQUAL_HASHES:
        return
    hashes = Counter(int(text) % HASH_MODULUS for text in found)
    if max(hashes.values()) > MAX_EQUAL_HASHES:
        raise ProtocolError(
            f"more than {MAX_EQUAL_HASHES} integers with the same hash, {HASH_MODULUS} apart",
            excerpt(data),
        )


# ---- values that exist already


def weigh_value(value: Any) -> int:
    """How much memory, in bytes, a value takes; a shared container counts once."""
    size = sys.getsizeof
    total = size(value)
    seen: set[int] = set()
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if type(one) not in _CONTAINERS or id(one) in seen:
            continue
        seen.add(id(one))
        parts = [*one, *one.values()] if isinstance(one, dict) else one
        total += sum(map(size, parts))
        waiting += [part for part in parts if type(part) in _CONTAINERS and part]
    return total


_CONTAINERS: Final = frozenset({dict, list, set, Map})


# ---- while a large message is decoded


@contextlib.contextmanager
def uncollected() -> Iterator[None]:
    """Pause the garbage collector while one C call makes very many objects.

    Up to Python 3.11 it would run within that call, four times as long as the call itself, and find
    nothing: no part of a value can become garbage while C makes it.
    """
    if not (_COLLECTS_WITHIN_C and gc.isenabled()):
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


_COLLECTS_WITHIN_C: Final = sys.version_info < (3, 12)
