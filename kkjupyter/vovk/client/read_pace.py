"""How often a stream is read that comes in many small pieces.

To wake two threads costs more than a token does, a hundred times over. A server that keeps sending
tokens with hardly a pause is read at intervals shorter than a frame of the screen; any other is
read at once, and so is the beginning of every stream.
"""

from __future__ import annotations

from typing import Final

__all__ = ["REST_S", "ReadThrottle"]

REST_S: Final = 0.010
"""How long a busy stream is left alone, in seconds."""

_BUSY_PIECES: Final = 16
_QUICK_S: Final = 0.005
# A server whose every piece is larger could be held up by what the sockets can take meanwhile.
_SMALL_BYTES: Final = 16 * 1024


class ReadThrottle:
    """Tells of one stream when to rest."""

    def __init__(self) -> None:
        self._quick_pieces = 0

    def wants_rest(self, size_bytes: int, waited_s: float) -> bool:
        """Whether to read on only after :data:`REST_S`.

        Args:
            size_bytes: of the piece that came.
            waited_s: how long it was waited for; a rest before that does not count.
        """
        if size_bytes < _SMALL_BYTES and waited_s < _QUICK_S:
            self._quick_pieces += 1
        else:
            self._quick_pieces = 0
        return self._quick_pieces > _BUSY_PIECES
