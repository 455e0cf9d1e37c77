"""A count of the bytes that all connections of a server hold together."""

from __future__ import annotations

import threading

__all__ = ["Budget", "Share"]

# A share reports in steps, so that a single message costs nothing.
_STEP_BYTES = 64 * 1024


class Budget:
    """Counts the bytes held, and tells when they reach a limit; it enforces nothing. Any thread.

    Args:
        limit_bytes: None for no limit.
    """

    def __init__(self, limit_bytes: int | None = None) -> None:
        self.limit_bytes = limit_bytes
        self._held_bytes = 0
        self._lock = threading.Lock()

    @property
    def held_bytes(self) -> int:
        """How many bytes are held now."""
        return self._held_bytes

    @property
    def is_exhausted(self) -> bool:
        """Whether the limit is reached, so that no more should be accepted."""
        return self.limit_bytes is not None and self._held_bytes > self.limit_bytes

    def fits(self, size_bytes: int) -> bool:
        """Whether so many more bytes can be accepted; the first ones always can."""
        return (
            self.limit_bytes is None
            or not self._held_bytes
            or self._held_bytes + size_bytes <= self.limit_bytes
        )

    def change(self, by_bytes: int) -> None:
        """Count so many more bytes, or fewer if negative."""
        with self._lock:
            self._held_bytes += by_bytes


class Share:
    """The part of a budget that one holder uses.

    Args:
        budget: None for a holder that is not counted.
    """

    __slots__ = ("_budget", "_lock", "_told_bytes")

    def __init__(self, budget: Budget | None) -> None:
        self._budget = budget
        self._told_bytes = 0
        self._lock = threading.Lock()

    @property
    def limit_bytes(self) -> int | None:
        """The limit of the budget."""
        return self._budget.limit_bytes if self._budget is not None else None

    @property
    def is_exhausted(self) -> bool:
        """Whether the budget is exhausted."""
        return self._budget is not None and self._budget.is_exhausted

    def hold(self, held_bytes: int) -> None:
        """Set how much is held now; small changes are reported when they add up. Any thread."""
        budget = self._budget
        if budget is None:
            return
        by_bytes = held_bytes - self._told_bytes
        if -_STEP_BYTES < by_bytes < _STEP_BYTES and held_bytes:
            return
        with self._lock:
            by_bytes = held_bytes - self._told_bytes
            self._told_bytes = held_bytes
        if by_bytes:
            budget.change(by_bytes)
