"""How many bytes all connections of a server hold together."""

from __future__ import annotations

import threading

__all__ = ["Budget", "Share"]

# A share is told in steps, so that it costs nothing for each message.
_STEP_BYTES = 64 * 1024


class Budget:
    """Counts what is held, to a limit that is told, not enforced. Any thread.

    Args:
        limit_bytes: None for none.
    """

    def __init__(self, limit_bytes: int | None = None) -> None:
        self.limit_bytes = limit_bytes
        self._held_bytes = 0
        self._lock = threading.Lock()

    @property
    def held_bytes(self) -> int:
        """How much is held now."""
        return self._held_bytes

    @property
    def is_exhausted(self) -> bool:
        """Whether no more should be taken in."""
        return self.limit_bytes is not None and self._held_bytes > self.limit_bytes

    def fits(self, size_bytes: int) -> bool:
        """Whether so much more can be taken in; the first thing always can."""
        return (
            self.limit_bytes is None
            or not self._held_bytes
            or self._held_bytes + size_bytes <= self.limit_bytes
        )

    def change(self, by_bytes: int) -> None:
        """So much more is held, or less."""
        with self._lock:
            self._held_bytes += by_bytes


class Share:
    """What one holder has of a budget.

    Args:
        budget: None for a holder that none counts.
    """

    __slots__ = ("_budget", "_lock", "_told_bytes")

    def __init__(self, budget: Budget | None) -> None:
        self._budget = budget
        self._told_bytes = 0
        self._lock = threading.Lock()

    @property
    def limit_bytes(self) -> int | None:
        """That of the budget."""
        return self._budget.limit_bytes if self._budget is not None else None

    @property
    def is_exhausted(self) -> bool:
        """Whether the budget is."""
        return self._budget is not None and self._budget.is_exhausted

    def hold(self, held_bytes: int) -> None:
        """So much is held now; small changes are told when they add up. Any thread."""
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
