"""The frames that were sent and that the other side has not acknowledged."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Protocol

__all__ = ["DEFAULT_LOG_BYTES", "FrameLog", "Holding"]

DEFAULT_LOG_BYTES = 4 * 1024 * 1024
"""How much a log holds before its connection takes no more; one frame may go beyond it."""
# What a frame in the log takes beside its bytes.
_FRAME_BYTES = 64


class Holding(Protocol):
    """What counts the bytes of several logs together."""

    @property
    def is_exhausted(self) -> bool:
        """Whether all together hold too much."""

    def hold(self, held_bytes: int) -> None:
        """Set how much this one holds now."""


class FrameLog:
    """Counts frames from 0 on; the user of it sees to it that one thread at a time uses it.

    Args:
        limit_bytes: see :attr:`has_room`.
        holding: told how much is held; None if nobody counts that.

    Attributes:
        acknowledged: how many frames the other side has.
        held_bytes: how much the others take.
    """

    def __init__(
        self, limit_bytes: int = DEFAULT_LOG_BYTES, holding: Holding | None = None
    ) -> None:
        self.acknowledged = 0
        self.held_bytes = 0
        self._frames: deque[bytes] = deque()
        self._limit_bytes = limit_bytes
        self._holding = holding

    @property
    def sent(self) -> int:
        """How many frames were added."""
        return self.acknowledged + len(self._frames)

    @property
    def has_room(self) -> bool:
        """Whether more should be added. An empty one always has room: it goes on by itself."""
        if not self.held_bytes:
            return True
        is_exhausted = self._holding is not None and self._holding.is_exhausted
        return self.held_bytes < self._limit_bytes and not is_exhausted

    @property
    def frames(self) -> list[bytes]:
        """What the other side may not have, in order."""
        return list(self._frames)

    def add(self, frames: Sequence[bytes]) -> None:
        """These are sent next."""
        self._frames.extend(frames)
        self._hold(sum(map(len, frames)) + _FRAME_BYTES * len(frames))

    def take_back(self) -> None:
        """The newest one was not sent."""
        self._hold(-len(self._frames.pop()) - _FRAME_BYTES)

    def trim(self, received: int) -> bool:
        """The other side has so many. Returns whether that can be true; else nothing is done."""
        if not self.acknowledged <= received <= self.sent:
            return False
        by_bytes = 0
        for _ in range(received - self.acknowledged):
            by_bytes -= len(self._frames.popleft()) + _FRAME_BYTES
        self.acknowledged = received
        if by_bytes:
            self._hold(by_bytes)
        return True

    def clear(self) -> None:
        """Nothing is sent again any more."""
        self.acknowledged = self.sent
        self._frames.clear()
        self._hold(-self.held_bytes)

    def _hold(self, by_bytes: int) -> None:
        self.held_bytes += by_bytes
        if self._holding is not None:
            self._holding.hold(self.held_bytes)
