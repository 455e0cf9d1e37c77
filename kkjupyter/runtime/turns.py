"""Taking turns on an event loop: other tasks get theirs, and a cancelled task sees that it is.

A consumer whose buffer is never empty waits for nothing. In ``async for`` it gives its loop back
all the same, every 2 ms. Plain code cannot do that; but it can look whether the task that it runs
in was cancelled, for nobody else can tell it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

from kkjupyter.transports.fairness import TURN_S

__all__ = ["TURN_S", "CancelWatch", "TurnKeeper", "give_turn", "monotonic_s", "turn_is_due"]

# As long as all turns of all others may take before each gets shorter ones.
_ROUND_S = 0.01
_SHORTEST_TURN_S = 0.0001

monotonic_s = time.monotonic


def present_task() -> asyncio.Task[object] | None:
    """The task that the caller runs in; None in plain code where no loop runs."""
    loop = asyncio._get_running_loop()  # no exception where there is none: it is asked often
    return None if loop is None else asyncio.current_task(loop)


class CancelWatch:
    """Whether the task at hand was cancelled since this was made, and goes on nevertheless.

    That is so in plain code, which leaves its loop no moment to deliver a CancelledError, and where
    something has caught one and dropped it. ``asyncio.timeout`` and task groups take back what they
    have asked for, so it does not count.

    Attributes:
        cancelling: how often the task was asked to end, to be called; None where there is no task.
        before: what that gave when this was made.
    """

    __slots__ = ("_task", "before", "cancelling")

    def __init__(self) -> None:
        self._bind(present_task())

    def _bind(self, task: asyncio.Task[object] | None) -> None:
        self._task = task
        self.cancelling: Callable[[], int] | None = None if task is None else task.cancelling
        self.before = 0 if task is None else task.cancelling()

    @property
    def is_cancelled(self) -> bool:
        """Whether it was; in another task it begins anew."""
        task = present_task()
        if task is not self._task:
            self._bind(task)
        return self.cancelling is not None and self.cancelling() > self.before

    def raise_if_cancelled(self) -> None:
        """Raise CancelledError if it was."""
        if self.is_cancelled:
            raise asyncio.CancelledError("the task was cancelled")


class TurnKeeper(CancelWatch):
    """For a loop that takes what is there: gives its event loop back, at least every 2 ms."""

    __slots__ = ("_due_at_s",)

    def __init__(self) -> None:
        super().__init__()
        self._due_at_s = monotonic_s() + TURN_S

    async def before_item(self) -> None:
        """To be awaited before each item. Raises CancelledError if the task was cancelled."""
        if monotonic_s() >= self._due_at_s or self.is_cancelled:
            await asyncio.sleep(0)  # first of all, so that what is on its way arrives
            self.raise_if_cancelled()
            self._due_at_s = monotonic_s() + TURN_S


class _Due(threading.local):
    at_s = 0.0


_due = _Due()


def turn_is_due() -> bool:
    """Whether 2 ms have passed since :func:`give_turn` was last called in this thread."""
    return monotonic_s() >= _due.at_s


async def give_turn() -> None:
    """Let the others on this loop have their turn. For what is awaited and need not wait.

    The next turn is shorter where many have theirs: a hundred streams keep nobody waiting for as
    long as a hundred turns. Cancelling is safe.
    """
    gave_at_s = monotonic_s()
    await asyncio.sleep(0)
    now_s = monotonic_s()
    others_s = now_s - gave_at_s
    share = _ROUND_S / others_s if others_s > _ROUND_S else 1.0
    _due.at_s = now_s + max(_SHORTEST_TURN_S, TURN_S * share)
