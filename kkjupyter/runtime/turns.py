"""Taking turns on an event loop, so that other tasks run and a cancelled task notices it.

A consumer whose buffer is never empty never waits. In ``async for`` it still yields to its loop
every 2 ms. Plain code cannot do that, but it can check whether the task that it runs in was
cancelled.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable

from kkjupyter.transports.fairness import TURN_S

__all__ = ["TURN_S", "CancelWatch", "TurnKeeper", "give_turn", "monotonic_s", "turn_is_due"]

# How long the turns of all others may take together before each gets shorter ones.
_ROUND_S = 0.01
_SHORTEST_TURN_S = 0.0001

monotonic_s = time.monotonic


def present_task() -> asyncio.Task[object] | None:
    """The task that the caller runs in; None in plain code where no loop runs."""
    loop = asyncio._get_running_loop()  # no exception without a loop: this is called often
    return None if loop is None else asyncio.current_task(loop)


class CancelWatch:
    """Notices that the current task was cancelled since this was made, and still runs.

    That happens in plain code, which gives its loop no chance to deliver a CancelledError, and
    where something has caught and dropped one. ``asyncio.timeout`` and task groups withdraw their
    cancels, so those do not count.

    Attributes:
        cancelling: a function that returns how often the task was cancelled; None without a task.
        before: its value when this was made.
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
        """Whether the task was cancelled; in another task the count starts again."""
        task = present_task()
        if task is not self._task:
            self._bind(task)
        return self.cancelling is not None and self.cancelling() > self.before

    def raise_if_cancelled(self) -> None:
        """Raise CancelledError if the task was cancelled."""
        if self.is_cancelled:
            raise asyncio.CancelledError("the task was cancelled")


class TurnKeeper(CancelWatch):
    """For a loop over buffered items: yields to the event loop at least every 2 ms."""

    __slots__ = ("_due_at_s",)

    def __init__(self) -> None:
        super().__init__()
        self._due_at_s = monotonic_s() + TURN_S

    async def before_item(self) -> None:
        """Await this before each item. Raises CancelledError if the task was cancelled."""
        if monotonic_s() >= self._due_at_s or self.is_cancelled:
            await asyncio.sleep(0)  # at first, so that what is on its way arrives
            self.raise_if_cancelled()
            self._due_at_s = monotonic_s() + TURN_S


class _Due(threading.local):
    at_s = 0.0


_due = _Due()


def turn_is_due() -> bool:
    """Whether 2 ms have passed since :func:`give_turn` was last called in this thread."""
    return monotonic_s() >= _due.at_s


async def give_turn() -> None:
    """Let others on this loop run; for code that is awaited but need not wait.

    The next turn is shorter if many take turns, so that a hundred streams do not make each wait for
    a hundred full turns. Cancelling is safe.
    """
    gave_at_s = monotonic_s()
    await asyncio.sleep(0)
    now_s = monotonic_s()
    others_s = now_s - gave_at_s
    share = _ROUND_S / others_s if others_s > _ROUND_S else 1.0
    _due.at_s = now_s + max(_SHORTEST_TURN_S, TURN_S * share)
