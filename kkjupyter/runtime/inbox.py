"""Handing work over to an event loop from any thread, many hand-overs with one wake-up.

To wake a loop that sleeps takes a byte through a pair of sockets, read in two system calls, and a
change of threads. So whoever finds that it was woken, and has not come to its work yet, adds his.
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
    """What is to be done on one event loop, which has one only.

    Args:
        loop: where it is done. It may be closed; nothing is done then.
        name: what the loop is called in the log.
    """

    # What is logged; anything else goes up to whoever runs the loop.
    _logged: type[BaseException] = Exception

    def __init__(self, loop: asyncio.AbstractEventLoop, name: str) -> None:
        self._loop_ref = weakref.ref(loop)  # it is looked up by its loop, see below
        self._name = name
        self._waiting: deque[tuple[Callable[..., object], tuple[Any, ...]]] = deque()
        self._is_woken = False
        _inboxes[loop] = self

    def post(self, fn: Callable[..., object], *args: Any) -> None:
        """Have ``fn(*args)`` called on the loop, soon and in order. Any thread, also a finalizer.

        However many calls are posted before the loop has done them all, it is woken once.
        """
        self._waiting.append((fn, args))
        if self._is_woken:
            return
        self._is_woken = True
        try:
            self._wake()
        except RuntimeError:
            pass  # the loop is closed: nobody is left to be told anything
        except BaseException:
            # Ctrl-C came in between: nothing may be left that says the loop was woken.
            self._is_woken = False
            raise

    @property
    def is_busy(self) -> bool:
        """Whether something was posted that is not done yet. Any thread."""
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
                if monotonic_s() >= end_s:  # tasks and sockets have their turn
                    break
        finally:
            # First lower the flag, then look once more: what was posted in between is not lost.
            self._is_woken = False
            if waiting:
                self._is_woken = True
                asyncio.get_running_loop().call_soon(self._drain)


def inbox_of(loop: asyncio.AbstractEventLoop) -> Inbox:
    """The one inbox that all share who hand over to ``loop``, which is running here."""
    inbox = _inboxes.get(loop)
    if inbox is None:
        # What was posted too late for a loop that is closed would hold that loop for ever.
        for reference in _inboxes.keyrefs():
            other = reference()
            if other is not None and other.is_closed():
                _inboxes.pop(other, None)
        inbox = Inbox(loop, "an event loop")
    return inbox
