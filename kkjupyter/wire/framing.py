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
        limit_bytes: the longest line accepted.
    """

    def __init__(self, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> None:
        self.limit_bytes = limit_bytes
        self._held: list[bytes] = []
        self._held_bytes = 0

    @property
    def held_bytes(self) -> int:
        """Bytes received since the last line end."""
        return self._held_bytes

    def feed(self, data: bytes) -> list[bytes]:
        """Add ``data``; return the lines it completes, without their ends.

        Raises:
            MessageTooBig: what waits for its line end is over the limit; it is dropped. Lines that
                were complete before have been returned by earlier calls, none is lost.
        """
        if self._held_bytes > self.limit_bytes:
            raise MessageTooBig(len(self.take_held()), self.limit_bytes)
        lines = data.split(b"\n")
        tail = lines.pop()
        if lines and self._held:
            self._held.append(lines[0])
            lines[0] = b"".join(self._held)
            self._held.clear()
            self._held_bytes = 0
        if tail:
            self._held.append(tail)
            self._held_bytes += len(tail)
        return lines

    def take_held(self) -> bytes:
        """Return what waits for its line end, and forget it."""
        held = b"".join(self._held)
        self._held.clear()
        self._held_bytes = 0
        return held

    def hold(self, data: bytes) -> None:
        """Put back what :meth:`take_held` returned, to wait for its line end after all."""
        self._held.append(data)
        self._held_bytes += len(data)


def excerpt(data: bytes, limit_chars: int = 120) -> str:
    """The beginning of ``data`` as printable text, for an error message."""
    text = data[: 4 * limit_chars].decode("utf-8", "replace").strip()
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    return text if len(text) <= limit_chars else text[: limit_chars - 1] + "…"
