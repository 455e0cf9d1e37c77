"""How much of a stream is kept: everything up to a limit, beyond it the first and newest items."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NoReturn

from kkjupyter.errors import UsageError
from kkjupyter.notebook.retention.sizes import SizeMeter, size_bytes
from kkjupyter.notebook.views.base import RETAINED_BYTES

__all__ = ["DEFAULT_LIMITS", "Items", "Limits", "Retained", "size_bytes"]


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of what a Reply keeps; ``None`` means no limit.

    Attributes:
        items: number of items.
        size_bytes: their size in memory, in bytes.
    """

    items: int | None = 1_000_000
    size_bytes: int | None = RETAINED_BYTES


DEFAULT_LIMITS = Limits()


class Items(list[Any]):
    """The items of a stream, in order: always the same list, which grows while the stream runs.

    It can be read like any list, also while items arrive, but it cannot be changed.
    ``list(reply.items)`` makes a list that can. A copy or pickle has the items so far.

    Attributes:
        left_out: how many items are missing because of the limits, all in one gap.
        gap_at: the index of the gap (``items[gap_at]`` is the first item after it).
    """

    def __init__(self, values: Iterable[Any] = (), *, left_out: int = 0, gap_at: int = 0) -> None:
        super().__init__(values)
        self.left_out = left_out
        self.gap_at = gap_at

    def __repr__(self) -> str:
        left_out, gap_at, values = self.left_out, self.gap_at, self[:]
        if not left_out:
            return repr(values)
        before = ", ".join(map(repr, values[:gap_at]))
        after = ", ".join(map(repr, values[gap_at:]))
        return f"[{before}, <{left_out:,} items left out>, {after}]"

    def __reduce_ex__(self, _protocol: object) -> tuple[Any, ...]:
        return _items, (self[:], self.left_out, self.gap_at)

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise UsageError(
            "the items of a Reply cannot be changed; list(reply.items) makes a list that can"
        )

    append = extend = insert = pop = remove = clear = sort = reverse = _refuse
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse


def _items(values: list[Any], left_out: int, gap_at: int) -> Items:
    return Items(values, left_out=left_out, gap_at=gap_at)


class Retained:
    """A store of items with limits.

    Thread-safe. Half of each limit is for the first items, half for the newest.

    Args:
        limits: the limits.
    """

    def __init__(self, limits: Limits = DEFAULT_LIMITS) -> None:
        self.limits = limits
        self.count = 0
        """How many items came in all."""
        self.items = Items()
        """What is kept."""
        self._lock = threading.Lock()
        self._meter = SizeMeter()
        self._head_bytes = 0
        self._head_is_full = False
        self._newest_bytes = 0
        self._newest_sizes: deque[int] = deque()

    @classmethod
    def of(cls, items: Items, limits: Limits) -> Retained:
        """A store with these items, which does not change."""
        retained = cls(limits)
        retained.items = items
        retained.count = len(items) + items.left_out
        return retained

    def extend(self, items: Iterable[Any]) -> None:
        """Add items, in order; beyond the limits, items in the middle are dropped."""
        with self._lock:
            for item in items:
                size = 0 if self.limits.size_bytes is None else self._meter.measure(item)
                list.append(self.items, item)
                self.count += 1
                if self._head_is_full:
                    self._newest_sizes.append(size)
                    self._newest_bytes += size
                else:
                    self._head_bytes += size
                    self._head_is_full = self._is_half(len(self.items), self._head_bytes)
                    self.items.gap_at = len(self.items)
            self._drop()

    def parts(self) -> tuple[list[Any], list[Any], int]:
        """The first items, the newest ones, and how many are left out between them."""
        with self._lock:
            gap_at = self.items.gap_at if self.items.left_out else len(self.items)
            return self.items[:gap_at], self.items[gap_at:], self.items.left_out

    def _is_half(self, items: int, items_bytes: int) -> bool:
        limits = self.limits
        return (limits.items is not None and items >= max(1, limits.items // 2)) or (
            limits.size_bytes is not None and items_bytes >= limits.size_bytes // 2
        )

    def _drop(self) -> None:
        """Drop items beyond the limits from the middle; the newest item always stays."""
        half_items = None if self.limits.items is None else max(1, self.limits.items // 2)
        half_bytes = None if self.limits.size_bytes is None else self.limits.size_bytes // 2
        sizes = self._newest_sizes
        dropped = 0
        while len(sizes) > 1 and (
            (half_items is not None and len(sizes) > half_items)
            or (half_bytes is not None and self._newest_bytes > half_bytes)
        ):
            self._newest_bytes -= sizes.popleft()
            dropped += 1
        if dropped:
            # All at once, because each time everything behind the gap moves.
            gap_at = self.items.gap_at
            list.__delitem__(self.items, slice(gap_at, gap_at + dropped))
            self.items.left_out += dropped
