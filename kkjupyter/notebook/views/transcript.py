"""The text of one view: appended at the end, offset by offset, and bounded.

Offsets count UTF-16 units, because that is how long a string is in JavaScript; sizes count bytes
of UTF-8, because that is what memory, wires and files are made of.
"""

from __future__ import annotations

import threading
from collections import deque
from dataclasses import dataclass

__all__ = ["Excerpt", "Transcript", "first_bytes", "last_bytes", "utf16_len"]

_BLOCK_BYTES = 1 << 16
_HEAD_SHARE = 8  # the beginning gets an eighth, the newest text the rest


def utf16_len(text: str) -> int:
    """The length of ``text`` in JavaScript."""
    if text.isascii():
        return len(text)
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Text to show or to save.

    Attributes:
        text: the whole text, or its beginning and its newest part, with a line in between that says
            how much is missing.
        left_out: how many UTF-16 units are missing; 0 if it is complete.
        end: the offset at which it ends: where the next delta will begin.
    """

    text: str
    left_out: int
    end: int


class _Block:
    __slots__ = ("size_bytes", "text", "units")

    def __init__(self, text: str) -> None:
        self.text = text
        self.units = utf16_len(text)
        self.size_bytes = self.units if text.isascii() else len(text.encode())


class Transcript:
    """Append-only text; beyond ``limit_bytes`` its beginning and newest part are kept.

    Thread-safe: one thread appends while others answer questions of the front end.

    Args:
        limit_bytes: how much is kept, as UTF-8.
    """

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._head: list[_Block] = []
        self._head_bytes = 0
        self._tail: deque[_Block] = deque()
        self._tail_bytes = 0
        self._fresh: list[str] = []  # appended, but not yet a block
        self._fresh_chars = 0
        self._end = 0
        self._left_out = 0
        self._lock = threading.Lock()

    @property
    def end(self) -> int:
        """The length of everything ever appended, in UTF-16 units."""
        return self._end

    @property
    def size_bytes(self) -> int:
        """How much is kept, in bytes of UTF-8."""
        with self._lock:
            self._settle()
            return self._head_bytes + self._tail_bytes

    def append(self, text: str) -> None:
        """Add ``text``, which must not have lone surrogates."""
        if not text:
            return
        with self._lock:
            self._fresh.append(text)
            self._fresh_chars += len(text)
            self._end += utf16_len(text)
            if self._fresh_chars >= _BLOCK_BYTES:
                self._settle()

    def restart(self) -> None:
        """Drop all text so far. Offsets go on: whoever missed that is told that text is missing."""
        with self._lock:
            for kept in (self._head, self._tail, self._fresh):
                kept.clear()
            self._head_bytes = self._tail_bytes = self._fresh_chars = self._left_out = 0

    def excerpt(self, limit_bytes: int | None = None) -> Excerpt:
        """The kept text, or at most about ``limit_bytes`` of it."""
        with self._lock:
            self._settle()
            left_out = self._left_out
            head = "".join(block.text for block in self._head)
            tail = "".join(block.text for block in self._tail)
            size_bytes = self._head_bytes + self._tail_bytes
            end = self._end
        if limit_bytes is not None and size_bytes > limit_bytes:
            if not left_out:
                head, tail = head + tail, head + tail
            shorter = first_bytes(head, limit_bytes // _HEAD_SHARE)
            newest = last_bytes(tail, limit_bytes - limit_bytes // _HEAD_SHARE)
            left_out = end - utf16_len(shorter) - utf16_len(newest)
            head, tail = shorter, newest
        if not left_out:
            return Excerpt(head + tail, 0, end)
        gap = f"\n[… {left_out:,} characters left out …]\n"
        return Excerpt(head + gap + tail, left_out, end)

    def since(self, offset: int) -> str | None:
        """The text from ``offset`` (UTF-16 units) to the end; None if not all of it is kept."""
        with self._lock:
            self._settle()
            missing = self._end - offset
            if missing <= 0:
                return ""
            blocks: list[str] = []
            retained = [*self._tail] if self._left_out else [*self._head, *self._tail]
            for block in reversed(retained):
                if block.units >= missing:
                    blocks.append(_last_units(block.text, missing))
                    return "".join(reversed(blocks))
                blocks.append(block.text)
                missing -= block.units
            return None

    def _settle(self) -> None:
        """Turn new text into blocks, then drop the oldest ones beyond the limit."""
        if self._fresh:
            text = "".join(self._fresh)
            self._fresh.clear()
            self._fresh_chars = 0
            for start in range(0, len(text), _BLOCK_BYTES):
                self._add(_Block(text[start : start + _BLOCK_BYTES]))
        # The newest block always stays whole, so that there is something to show.
        while len(self._tail) > 1 and self._head_bytes + self._tail_bytes > self._limit_bytes:
            oldest = self._tail.popleft()
            self._tail_bytes -= oldest.size_bytes
            self._left_out += oldest.units

    def _add(self, block: _Block) -> None:
        room = self._limit_bytes // _HEAD_SHARE - self._head_bytes
        if room > 0 and not self._tail:
            if block.size_bytes > room:
                first = first_bytes(block.text, room)
                self._add_to_head(_Block(first))
                # The beginning is full now, even if it has some room: the rest is the newest text.
                self._add_to_tail(_Block(block.text[len(first) :]))
            else:
                self._add_to_head(block)
        else:
            self._add_to_tail(block)

    def _add_to_head(self, block: _Block) -> None:
        self._head.append(block)
        self._head_bytes += block.size_bytes

    def _add_to_tail(self, block: _Block) -> None:
        self._tail_bytes += block.size_bytes
        if self._tail and self._tail[-1].size_bytes + block.size_bytes <= _BLOCK_BYTES:
            block = _Block(self._tail.pop().text + block.text)
        self._tail.append(block)


def first_bytes(text: str, limit_bytes: int) -> str:
    """The beginning of ``text`` in at most this many bytes of UTF-8."""
    return text[:limit_bytes].encode()[:limit_bytes].decode(errors="ignore")


def last_bytes(text: str, limit_bytes: int) -> str:
    """The end of ``text`` in at most this many bytes of UTF-8."""
    if limit_bytes <= 0:
        return ""
    return text[-limit_bytes:].encode()[-limit_bytes:].decode(errors="ignore")


def _last_units(text: str, units: int) -> str:
    if text.isascii():
        return text[-units:]
    # Only a faulty front end can send an offset inside a pair.
    return text.encode("utf-16-le")[-2 * units :].decode("utf-16-le", "replace")
