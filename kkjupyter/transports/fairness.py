"""Fairness between the connections of one event loop: those with much work take turns.

Work that a peer can make large (parsing what it sent, writing what it asked for) is cut into steps
of a few milliseconds. A connection does one turn of them at once; the rest waits in a queue with
the rest of others. Between two rounds of that queue the loop looks at its sockets again, so a peer
that sends little is answered at once, however many others send much.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections import deque
from collections.abc import Callable

__all__ = ["TURN_S", "Piecework", "claim_turn"]

TURN_S = 0.002
"""So long one connection, or one reader, keeps an event loop to itself, in seconds."""
_ROUND_S = 0.005
"""So long all that wait for their turns may work between two looks at the sockets, in seconds."""

# The select() of a busy loop releases the interpreter's lock, but takes it again before a thread
# that waits for it has woken up. Because that thread is woken each time, it never reaches the 5 ms
# of waiting after which it would demand the lock. So it could wait for seconds.
_YIELD_S = 0.00005

monotonic_s = time.monotonic


class Piecework:
    """Work of one connection that is done in turns, on one event loop.

    Args:
        step: works for a few milliseconds at most, and returns whether there is more to do.
        after: called at the end of each turn, for work that is too much after each step.

    Attributes:
        is_at_work: whether it has its turn.
        is_waiting: whether it waits for its next one.
    """

    __slots__ = ("_after", "_step", "is_at_work", "is_waiting")

    def __init__(self, step: Callable[[], bool], after: Callable[[], object]) -> None:
        self.is_at_work = False
        self.is_waiting = False
        self._step = step
        self._after = after

    def go_on(self) -> None:
        """Work for one turn, and queue the rest. Does nothing if it is already queued."""
        if not (self.is_waiting or self.is_at_work) and self.work():
            self.queue()

    def queue(self) -> None:
        """Queue it for its next turn."""
        if not self.is_waiting:
            self.is_waiting = True
            _row_of(asyncio.get_running_loop()).add(self)

    def work(self) -> bool:
        """Work for one turn; return whether there is more to do."""
        step = self._step
        self.is_at_work = True
        try:
            is_left = step()
            if is_left:
                end_s = monotonic_s() + TURN_S
                while is_left and monotonic_s() < end_s:
                    is_left = step()
        finally:
            self.is_at_work = False
        self._after()
        return is_left


def claim_turn() -> bool:
    """Whether no other connection has much to do, so that the caller may do more than one step.

    True for one caller between two looks at the sockets.
    """
    return _row_of(asyncio.get_running_loop()).claim()


class _Row:
    """The queue of all that wait for their turn on one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = weakref.ref(loop)
        self._waiting: deque[Piecework] = deque()
        self._is_scheduled = False
        self._is_claimed = False

    def claim(self) -> bool:
        loop = self._loop()
        if self._waiting or self._is_claimed or loop is None:
            return False
        self._is_claimed = True
        loop.call_soon(self._unclaim)
        return True

    def _unclaim(self) -> None:
        self._is_claimed = False

    def add(self, work: Piecework) -> None:
        self._waiting.append(work)
        self._schedule()

    def _schedule(self) -> None:
        loop = self._loop()
        if loop is not None and not self._is_scheduled:
            self._is_scheduled = True
            loop.call_soon(self._round)

    def _round(self) -> None:
        self._is_scheduled = False
        end_s = monotonic_s() + _ROUND_S
        # Each at most once: a step that has nothing to do for now would come round for ever.
        for _ in range(len(self._waiting)):
            work = self._waiting.popleft()
            work.is_waiting = False
            try:
                is_left = work.work()
            finally:  # a failing one must not cost the others their turn
                if self._waiting:
                    self._schedule()
            if is_left:
                work.queue()
            if monotonic_s() >= end_s:
                break
        if self._waiting:
            time.sleep(_YIELD_S)


_rows: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Row] = weakref.WeakKeyDictionary()


def _row_of(loop: asyncio.AbstractEventLoop) -> _Row:
    row = _rows.get(loop)
    if row is None:
        row = _rows[loop] = _Row(loop)
    return row
