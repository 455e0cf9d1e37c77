"""How often to read a stream that arrives in many small pieces.

Waking two threads costs a hundred times as much as a token. A server that sends tokens almost
without a pause is read at intervals shorter than a frame of the screen; any other is read at once,
and so is the beginning of every stream.
"""

from __future__ import annotations

from typing import Final

__all__ = ["REST_S", "ReadThrottle"]

REST_S: Final = 0.010
"""How long a busy stream is left alone, in seconds."""

_BUSY_PIECES: Final = 16
_QUICK_S: Final = 0.005
# A server with larger pieces could be blocked by the size of the socket buffers.
_SMALL_BYTES: Final = 16 * 1024


class ReadThrottle:
    """Says for one stream when to pause reading."""

    def __init__(self) -> None:
        self._quick_pieces = 0

    def wants_rest(self, size_bytes: int, waited_s: float) -> bool:
        """Whether to read on only after :data:`REST_S`.

        Args:
            size_bytes: the size of the piece that arrived.
            waited_s: how long it was waited for, without a rest before that.
        """
        if size_bytes < _SMALL_BYTES and waited_s < _QUICK_S:
            self._quick_pieces += 1
        else:
            self._quick_pieces = 0
        return self._quick_pieces > _BUSY_PIECES
