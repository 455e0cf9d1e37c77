"""Bytes to lines and back.

Lines are split as bytes on ``\\n`` only: ``str.splitlines`` would also split at U+2028, which
JavaScript leaves unescaped inside JSON strings.
"""

from __future__ import annotations

from collections.abc import Iterator

from kkjupyter.errors import MessageTooBig
from kkjupyter.plaintext import readable

__all__ = ["DEFAULT_LIMIT_BYTES", "LineBuffer", "cut_at_lines", "excerpt", "has_more_lines"]

DEFAULT_LIMIT_BYTES = 64 * 1024 * 1024
_SHORT_BYTES = 1024


class LineBuffer:
    """Collects a byte stream and gives it back line by line.

    Args:
        limit_bytes: how many bytes may wait for their line end.
    """

    def __init__(self, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._pieces: list[bytes] = []
        self._held_bytes = 0
        self._newest = b""

    @property
    def held_bytes(self) -> int:
        """How many bytes wait for their line end."""
        return self._held_bytes

    @property
    def is_overfull(self) -> bool:
        """Whether more than the limit waits; the next :meth:`feed` will raise."""
        return self._held_bytes > self.limit_bytes

    @property
    def newest_piece(self) -> bytes:
        """The newest part of what waits; there must be one."""
        return self._newest

    def feed(self, data: bytes) -> list[bytes]:
        """Add ``data``; return the lines it completes, without their ends.

        Raises:
            MessageTooBig: more than the limit has been waiting since the last call; ``data`` is
                not added. Complete lines are returned first, so that no line is lost.
        """
        if self.is_overfull:
            raise MessageTooBig(self._held_bytes, self.limit_bytes)
        lines = data.split(b"\n")
        tail = lines.pop()
        if lines and self._pieces:
            self._hold(lines[0])
            lines[0] = self.take_held()
        if tail:
            self._hold(tail)
            self._newest = tail
        return lines

    def _hold(self, piece: bytes) -> None:
        if self._pieces and len(self._pieces[-1]) < _SHORT_BYTES:
            self._pieces[-1] += piece  # they may be of one byte each, which costs 40
        else:
            self._pieces.append(piece)
        self._held_bytes += len(piece)

    def held(self) -> bytes:
        """The bytes that wait for their line end."""
        self._pieces = [b"".join(self._pieces)]
        return self._pieces[0]

    def take_held(self) -> bytes:
        """Return the bytes that wait for their line end, and drop them."""
        held = b"".join(self._pieces)
        self._pieces.clear()
        self._held_bytes = 0
        self._newest = b""
        return held


def has_more_lines(data: bytes, limit_lines: int) -> bool:
    """Whether ``data`` has more than this many line ends."""
    # Not count(): on a long message of one line it takes forty times as long.
    at = -1
    for _ in range(limit_lines + 1):
        at = data.find(b"\n", at + 1)
        if at < 0:
            return False
    return True


def cut_at_lines(data: bytes, limit_bytes: int, limit_lines: int) -> Iterator[bytes]:
    """``data`` in pieces, in order; each ends in a line end, except perhaps the last.

    Args:
        data: the bytes to cut.
        limit_bytes: how long a piece may be; a longer line is a separate piece.
        limit_lines: how many lines may be in one.
    """
    start = 0
    while start < len(data):
        end = _line_end(data, start, start + limit_bytes)
        while data.count(b"\n", start, end) > limit_lines:
            end = _line_end(data, start, (start + end) // 2)
        yield data[start:end]
        start = end


def _line_end(data: bytes, start: int, wanted: int) -> int:
    """The position after the last line end before ``wanted``, else the next one, else the end."""
    if wanted >= len(data):
        return len(data)
    return data.rfind(b"\n", start, wanted) + 1 or data.find(b"\n", wanted) + 1 or len(data)


def excerpt(data: bytes, limit_chars: int = 120) -> str:
    """The beginning of ``data`` as printable text, for an error message."""
    text = data[: 4 * limit_chars].decode("utf-8", "replace").strip()
    if len(text) > limit_chars:
        text = text[: limit_chars - 1] + "…"
    return readable(text, keep_lines=False)
