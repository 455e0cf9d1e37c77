"""Posts work to an event loop from any thread, with one wake-up for many posts.

Waking a sleeping loop takes a byte through a pair of sockets, read in two system calls, and a
switch of threads. So work that is posted while the loop is waking up is only added to the queue.
"""

from __future__ import annotations

import asyncio
import weakref
from collections import deque
from collections.abc import Callable
from typing import Any

from kkjupyter.runtime.logs import SafeLogger
from kkjupyter.runtime.turns import TURN_S, monotonic_s

__all__ = ["Inbox", "inbox_of"]

logger = SafeLogger("kkjupyter")


_inboxes: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Inbox] = weakref.WeakKeyDictionary()


class Inbox:
    """The queue of work for one event loop; a loop has exactly one.

    Args:
        loop: the loop that does the work. If it is closed, nothing is done.
        name: the loop's name in the log.
    """

    # These are logged; anything else is raised to the code that runs the loop.
    _logged: type[BaseException] = Exception

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str) -> None:
        self._loop_ref = weakref.ref(loop)  # inboxes are looked up by their loop, see below
        self._name = name
        self._waiting: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._is_woken = False
        _inboxes[loop] = self

    def post(self, fn: Callable[..., object], *args: Any) -> None:
        """Call ``fn(*args)`` on the loop, soon and in order. Safe in any thread and in finalizers.

        The loop is woken once, however many calls are posted before it has done them all.
        """
        self._waiting.append((fn, args))
        if self._is_woken:
            return
        self._is_woken = True
        try:
            self._wake()
        except RuntimeError:
            pass  # the loop is closed: no work is left for it
        except BaseException:
            # Ctrl-C came in between: the flag that says the loop was woken must not stay.
            self._is_woken = False
            raise

    @property
    def is_busy(self) -> bool:
        """Whether posted work is not done yet. Any thread."""
        return self._is_woken

    def _wake(self) -> None:
        loop = self._loop_ref()
        if loop is not None:
            loop.call_soon_threadsafe(self._drain)

    def _drain(self) -> None:
        waiting = self._waiting
        end_s = monotonic_s() + TURN_S
        try:
            while waiting:
                fn, args = waiting.popleft()
                try:
                    fn(*args)
                except self._logged:
                    logger.exception("a callback for %s failed", self._name)
                if monotonic_s() >= end_s:  # tasks and sockets get their turn
                    break
        finally:
            # First clear the flag, then look once more: work posted in between is not lost.
            self._is_woken = False
            if waiting:
                self._is_woken = True
                asyncio.get_running_loop().call_soon(self._drain)


def inbox_of(loop: asyncio.AbstractEventLoop) -> Inbox:
    """The inbox that all who post to ``loop`` share; the loop runs in this thread."""
    inbox = _inboxes.get(loop)
    if inbox is None:
        # Work posted too late for a closed loop would keep that loop alive for ever.
        for reference in _inboxes.keyrefs():
            other = reference()
            if other is not None and other.is_closed():
                _inboxes.pop(other, None)
        inbox = Inbox(loop, "an event loop")
    return inbox
