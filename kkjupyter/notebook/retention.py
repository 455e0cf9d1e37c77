"""How much of a stream is kept: everything up to a limit, beyond it the head and the newest."""

from __future__ import annotations

import sys
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["DEFAULT_LIMITS", "Items", "Limits", "Retained", "size_bytes"]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a Reply keeps at most; ``None`` means no limit.

    Attributes:
        items: number of items.
        size_bytes: their size in memory, in bytes.
    """

    items: int | None = 1_000_000
    size_bytes: int | None = 64 * 1024 * 1024


DEFAULT_LIMITS = Limits()


class Items(list[Any]):
    """The items of a stream: a list that also knows what it lacks.

    Attributes:
        left_out: how many items are missing, all in one gap.
        gap_at: the index at which they are missing (``items[gap_at]`` came after the gap).
    """

    def __init__(self, values: Iterable[Any] = (), *, left_out: int = 0, gap_at: int = 0) -> None:
        super().__init__(values)
        self.left_out = left_out
        self.gap_at = gap_at

    def __repr__(self) -> str:
        if not self.left_out:
            return super().__repr__()
        before = ", ".join(map(repr, self[: self.gap_at]))
        after = ", ".join(map(repr, self[self.gap_at :]))
        return f"[{before}, <{self.left_out:,} items left out>, {after}]"


class Retained:
    """A store of items with a limit. Thread-safe.

    The first half of each limit goes to the head, the second to the newest items.

    Args:
        limits: what is kept at most.
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self.count = 0
        """How many items came in all."""
        self._lock = threading.Lock()
        self._head: list[Any] = []
        self._head_bytes = 0
        self._head_is_full = False
        self._newest: deque[tuple[Any, int]] = deque()
        self._newest_bytes = 0

    def extend(self, items: Iterable[Any]) -> None:
        """Add items, in order; what does not fit falls out of the middle."""
        half_items = None if self.limits.items is None else max(1, self.limits.items // 2)
        half_bytes = None if self.limits.size_bytes is None else self.limits.size_bytes // 2
        with self._lock:
            for item in items:
                size = 0 if half_bytes is None else size_bytes(item)
                self.count += 1
                if not self._head_is_full:
                    self._head.append(item)
                    self._head_bytes += size
                    self._head_is_full = (
                        half_items is not None and len(self._head) >= half_items
                    ) or (half_bytes is not None and self._head_bytes >= half_bytes)
                    continue
                self._newest.append((item, size))
                self._newest_bytes += size
                while len(self._newest) > 1 and (
                    (half_items is not None and len(self._newest) > half_items)
                    or (half_bytes is not None and self._newest_bytes > half_bytes)
                ):
                    self._newest_bytes -= self._newest.popleft()[1]

    def items(self) -> Items:
        """A copy of what is kept."""
        with self._lock:
            kept = [*self._head, *(item for item, _ in self._newest)]
            return Items(kept, left_out=self.count - len(kept), gap_at=len(self._head))


_SAMPLE_NODES = 10_000


def size_bytes(value: Any) -> int:
    """What ``value`` takes in memory, roughly: containers are looked into, large ones by sample."""
    if isinstance(value, (str, bytes, int, float)) or value is None:
        return sys.getsizeof(value)
    containers_bytes = leaves_bytes = leaves = 0
    waiting = [value]
    for _ in range(_SAMPLE_NODES):
        if not waiting:
            break
        node = waiting.pop()
        if isinstance(node, (dict, list, tuple, set, frozenset)):
            containers_bytes += sys.getsizeof(node)
            waiting.extend(node)
            if isinstance(node, dict):
                waiting.extend(node.values())
        else:
            leaves += 1
            leaves_bytes += sys.getsizeof(node, 64)
    unseen_bytes = len(waiting) * leaves_bytes // max(leaves, 1)
    return containers_bytes + leaves_bytes + unseen_bytes
