"""How many values a peer may send before it is asked again: the window of a pulled stream.

The peers' own consumers keep to 32 values, asked for 16 at a time, however fast the link and
however large a value. Here the window is bounded in bytes, and widens as long as nothing but the
window is what the stream waits for.
"""

from __future__ import annotations

import sys

from kkjupyter.calls.buffer import StreamBuffer

__all__ = ["LIMIT_BYTES", "NOT_NOW", "CreditWindow"]

LIMIT_BYTES = 4 * 1024 * 1024
NOT_NOW = sys.maxsize
_LIMIT_ITEMS = 65_536
# As the peers begin; but the first pull asks for one value only, because 32 values may be 128 MB
# as long as none was seen.
_START_ITEMS = 32


class CreditWindow:
    """The credit of one stream that we consume. I/O loop only, save :attr:`pull_at`.

    Args:
        buffer: what the values are put into and taken from.

    Attributes:
        pull_at: how many values must have been taken before more credit is due. The consumer
            looks at it after each value, and sets it to :data:`NOT_NOW` when it has asked.
    """

    def __init__(self, buffer: StreamBuffer) -> None:
        self.pull_at = NOT_NOW
        self._buffer = buffer
        self._granted = 0
        self._window_items = _START_ITEMS
        self._seen_items = 0
        self._was_dry = False

    def received(self) -> None:
        """Values have come; called once for all that came together."""
        buffer = self._buffer
        put_items = buffer.put_items
        if put_items == self._seen_items:
            return
        # The peer had used up what it was granted, and all of that had been taken before these
        # came: both sides waited for the credit to travel.
        if self._was_dry and buffer.taken_items >= self._seen_items:
            self._window_items = min(2 * self._window_items, _LIMIT_ITEMS)
        self._was_dry = put_items >= self._granted
        self._seen_items = put_items

    def due(self) -> int:
        """How many credits to grant now; they count as granted."""
        buffer = self._buffer
        before = self._granted
        while True:
            window = 1
            if buffer.put_items:
                # All that was granted may come in values as large as the largest so far.
                fitting = LIMIT_BYTES // max(1, buffer.largest_bytes)
                window = max(1, min(self._window_items, fitting))
            taken_items, low_mark = buffer.taken_items, window // 2
            if self._granted - taken_items <= low_mark:
                self._granted = taken_items + window
            self.pull_at = self._granted - low_mark
            # The consumer may have gone past that mark before it was set, and then waits for ever.
            if buffer.taken_items < self.pull_at:
                return self._granted - before
