"""Waking those who read streams: at once, but not more often than is useful. I/O loop only."""

from __future__ import annotations

import asyncio

from kkjupyter.calls.state import CallState

__all__ = ["WakeupThrottle"]

# A reader is woken at most so often; the first item of a pause still wakes it at once.
_RING_INTERVAL_S = 0.001


class WakeupThrottle:
    """Rings once for all the items that came together.

    A fast stream that comes in small pieces would otherwise wake its reader for every few items,
    which costs both threads more than the items themselves.

    Attributes:
        filled: the calls that items came for since the last ring; always the same set.
    """

    def __init__(self) -> None:
        self.filled: set[CallState] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._rang_at_s = 0.0

    def ring_soon(self) -> None:
        """Ring for the calls in :attr:`filled`."""
        if self._timer is not None:
            return
        loop = asyncio.get_running_loop()
        wait_s = self._rang_at_s + _RING_INTERVAL_S - loop.time()
        if wait_s > 0:
            self._timer = loop.call_later(wait_s, self._ring)
        else:
            self._ring()

    def _ring(self) -> None:
        self._timer = None
        self._rang_at_s = asyncio.get_running_loop().time()
        for state in self.filled:
            state.bell.ring()
        self.filled.clear()
