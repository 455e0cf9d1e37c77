"""One stream's buffer, and the credit for more.

Filled on the I/O loop, emptied by one consumer in any thread. No lock: each counter has one writer,
and ``deque`` hands items over atomically.
"""

from __future__ import annotations

import sys
from collections import deque
from typing import Any

from kkjupyter.wire.message_cost import weigh_value

__all__ = [
    "CREDIT_LIMIT_BYTES",
    "HARD_LIMIT_BYTES",
    "NOT_NOW",
    "SOFT_LIMIT_BYTES",
    "SOFT_LIMIT_ITEMS",
    "BatchBuffer",
    "CreditWindow",
    "StreamBuffer",
]

SOFT_LIMIT_ITEMS = 4096
SOFT_LIMIT_BYTES = 1024 * 1024
HARD_LIMIT_BYTES = 64 * 1024 * 1024


class StreamBuffer:
    """Values that have arrived and are not taken yet.

    The limits are reported, not enforced: over the soft limit the channel stops reading if that
    hurts nobody, over the hard limit it gives the stream up.

    Sizes are those on the wire while little waits: to weigh every value would cost more than to
    read it. Beyond the soft limit they are weighed, as lists can take forty times their text.

    Attributes:
        batch: values that the consumer may pop directly, the next one last; always empty here.
        begun_items: how many values were taken, or belong to the batch that is being taken.
        largest_bytes: the size of the largest value so far.
    """

    __slots__ = (
        "_items",
        "_put_bytes",
        "_put_items",
        "_taken_bytes",
        "batch",
        "begun_items",
        "largest_bytes",
    )

    def __init__(self) -> None:
        self.batch: list[Any] = []
        self._items: deque[tuple[Any, int]] = deque()
        self._put_items = self._put_bytes = 0
        self.begun_items = self._taken_bytes = 0
        self.largest_bytes = 0

    def __len__(self) -> int:
        return len(self._items)

    @property
    def held_bytes(self) -> int:
        """The size of what is not taken yet."""
        return self._put_bytes - self._taken_bytes

    @property
    def put_items(self) -> int:
        """How many values have arrived, taken or not."""
        return self._put_items

    @property
    def taken_items(self) -> int:
        """How many values were taken."""
        return self.begun_items

    @property
    def put_bytes(self) -> int:
        """Their size, taken or not."""
        return self._put_bytes

    @property
    def over_hard_limit(self) -> bool:
        """Whether the stream has to be given up."""
        return self.held_bytes > HARD_LIMIT_BYTES

    @property
    def over_soft_limit(self) -> bool:
        """Whether so much waits that what comes from now on is weighed as a value."""
        return self._put_bytes - self._taken_bytes > SOFT_LIMIT_BYTES

    @property
    def has_room(self) -> bool:
        """Whether it is far from the hard limit."""
        return self.held_bytes < HARD_LIMIT_BYTES // 2

    @property
    def below_low_mark(self) -> bool:
        """Whether so much was taken that the producer may go on."""
        return (
            len(self._items) <= SOFT_LIMIT_ITEMS // 2 and self.held_bytes <= SOFT_LIMIT_BYTES // 2
        )

    def put(self, value: Any, size_bytes: int) -> bool:
        """Add a value; return whether the producer should be slowed down now. I/O loop only."""
        items = self._items
        if size_bytes > self.largest_bytes or self.over_soft_limit:
            size_bytes = _weight(value, size_bytes)
            if size_bytes > self.largest_bytes:
                self.largest_bytes = size_bytes
        items.append((value, size_bytes))
        self._put_items += 1
        self._put_bytes += size_bytes
        return (
            self._put_bytes - self._taken_bytes > SOFT_LIMIT_BYTES or len(items) > SOFT_LIMIT_ITEMS
        )

    def take(self) -> Any:
        """Take the oldest value. The consumer only.

        Raises:
            IndexError: nothing is there.
        """
        value, size_bytes = self._items.popleft()
        self.begun_items += 1
        self._taken_bytes += size_bytes
        return value

    def clear(self) -> None:
        """Drop what is there, after a cancel. Any thread."""
        self._items.clear()


def _weight(value: Any, size_bytes: int) -> int:
    """How much a value takes, of ``size_bytes`` on the wire; a large one was weighed as it came."""
    if size_bytes >= _WEIGHED_BEFORE_BYTES or not isinstance(value, (dict, list, set)):
        return size_bytes
    return max(size_bytes, weigh_value(value))


_WEIGHED_BEFORE_BYTES = 1024 * 1024

# Where values come by the thousand, each hand-over to the consumer's thread is to be worth it.
_BATCHED_ITEMS = 8 * SOFT_LIMIT_ITEMS


class BatchBuffer(StreamBuffer):
    """As :class:`StreamBuffer`, for values that come many at a time.

    A batch counts as taken, as far as bytes are concerned, when its first value is.

    Attributes:
        batch: what is left of the batch that is being taken. Another list takes its place when it
            is empty, and after :meth:`clear`.
    """

    __slots__ = ("_batches",)

    def __init__(self) -> None:
        super().__init__()
        self._batches: deque[tuple[list[Any], int]] = deque()

    def __len__(self) -> int:
        return self._put_items - self.begun_items + len(self.batch)

    @property
    def taken_items(self) -> int:
        return self.begun_items - len(self.batch)

    @property
    def below_low_mark(self) -> bool:
        waiting = self._put_items - self.begun_items
        return waiting <= _BATCHED_ITEMS // 2 and self.held_bytes <= SOFT_LIMIT_BYTES // 2

    def put(self, value: Any, size_bytes: int) -> bool:
        return self.put_many([value], size_bytes)

    def put_many(self, values: list[Any], size_bytes: int) -> bool:
        """Add values, at least one; the list is taken over. As :meth:`put` otherwise."""
        if self.over_soft_limit:
            size_bytes = _weight(values, size_bytes)
        values.reverse()
        self._batches.append((values, size_bytes))
        # Last: whoever sees that there is something may take it.
        self._put_bytes += size_bytes
        self._put_items += len(values)
        return self.held_bytes > SOFT_LIMIT_BYTES or len(self) > _BATCHED_ITEMS

    def take(self) -> Any:
        if not self.batch:
            self.next_batch()
        return self.batch.pop()

    def next_batch(self) -> None:
        """Turn to the next batch. The consumer only, when :attr:`batch` is empty.

        Raises:
            IndexError: nothing is there.
        """
        batch, size_bytes = self._batches.popleft()
        # In this order: who looks in between sees too much left, and takes nothing for finished.
        self.batch = batch
        self.begun_items += len(batch)
        self._taken_bytes += size_bytes

    def clear(self) -> None:
        self._batches.clear()
        self.batch = []


CREDIT_LIMIT_BYTES = 4 * 1024 * 1024
NOT_NOW = sys.maxsize
_CREDIT_LIMIT_ITEMS = 65_536
# As the peers begin; but the first pull asks for one value only, because 32 values may be 128 MB
# as long as none was seen.
_START_ITEMS = 32


class CreditWindow:
    """How many values the peer may send before it is asked again. I/O loop only, except pull_at.

    The peers' own consumers keep to 32 values, asked for 16 at a time, however fast the link and
    however large a value. Here the window is bounded in bytes, and widens as long as nothing but
    the window is what the stream waits for.

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
            self._window_items = min(2 * self._window_items, _CREDIT_LIMIT_ITEMS)
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
                fitting = CREDIT_LIMIT_BYTES // max(1, buffer.largest_bytes)
                window = max(1, min(self._window_items, fitting))
            taken_items, low_mark = buffer.taken_items, window // 2
            if self._granted - taken_items <= low_mark:
                self._granted = taken_items + window
            self.pull_at = self._granted - low_mark
            # The consumer may have passed that mark before it was set; it would then wait forever.
            if buffer.taken_items < self.pull_at:
                return self._granted - before
