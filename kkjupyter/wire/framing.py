"""Bytes to lines and back.

Lines are split as bytes on ``\\n`` only: ``str.splitlines`` would also split at U+2028, which
JavaScript leaves unescaped inside JSON strings.
"""

from __future__ import annotations

from kkjupyter.errors import MessageTooBig

__all__ = ["DEFAULT_LIMIT_BYTES", "LineBuffer", "excerpt"]

DEFAULT_LIMIT_BYTES = 64 * 1024 * 1024


class LineBuffer:
    """Collects a byte stream and gives it back line by line.

    Args:
        limit_bytes: how much may wait for its line end.
    """

    def __init__(self, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._pieces: list[bytes] = []
        self._held_bytes = 0

    @property
    def held_bytes(self) -> int:
        """How much waits for its line end."""
        return self._held_bytes

    @property
    def is_overfull(self) -> bool:
        """Whether more than the limit waits; :meth:`feed` raises then."""
        return self._held_bytes > self.limit_bytes

    @property
    def newest_piece(self) -> bytes:
        """The part of what waits that came last; there must be something."""
        return self._pieces[-1]

    def feed(self, data: bytes) -> list[bytes]:
        """Add ``data``; return the lines it completes, without their ends.

        Raises:
            MessageTooBig: more than the limit has been waiting since the last call; ``data`` is
                not added. Complete lines are returned first, so none is lost.
        """
        if self.is_overfull:
            raise MessageTooBig(self._held_bytes, self.limit_bytes)
        lines = data.split(b"\n")
        tail = lines.pop()
        if lines and self._pieces:
            lines[0] = self.take_held() + lines[0]
        if tail:
            self._pieces.append(tail)
            self._held_bytes += len(tail)
        return lines

    def held(self) -> bytes:
        """What waits for its line end."""
        self._pieces = [b"".join(self._pieces)]
        return self._pieces[0]

    def take_held(self) -> bytes:
        """Return what waits for its line end, and forget it."""
        held = b"".join(self._pieces)
        self._pieces.clear()
        self._held_bytes = 0
        return held


def excerpt(data: bytes, limit_chars: int = 120) -> str:
    """The beginning of ``data`` as printable text, for an error message."""
    text = data[: 4 * limit_chars].decode("utf-8", "replace").strip()
    if len(text) > limit_chars:
        text = text[: limit_chars - 1] + "…"
    if text.isprintable():  # most are, and a peer can send thousands of them
        return text
    return "".join([char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text])
