"""The runs of this process: what ``%rpc status``, ``cancel`` and ``show`` choose from."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kkjupyter.notebook.runs import Run

__all__ = ["RunRegistry", "registry"]

_FINISHED_KEPT = 20


class RunRegistry:
    """The runs of this process: all that are under way, and the newest that are over.

    Args:
        finished_kept: how many of those that are over can still be shown again.
    """

    def __init__(self, finished_kept: int = _FINISHED_KEPT) -> None:
        self._runs: dict[int, Run] = {}
        self._finished: deque[int] = deque()
        self._finished_kept = finished_kept
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], object]] = []

    def listen(self, changed: Callable[[], object]) -> None:
        """Call ``changed()`` when a run begins or ends, on any thread; it must return at once."""
        self._listeners.append(changed)

    def unlisten(self, changed: Callable[[], object]) -> None:
        """Call it no more."""
        self._listeners.remove(changed)

    def add(self, run: Run) -> None:
        """Know a run from now on."""
        with self._lock:
            self._runs[run.number] = run
        self._tell()

    def finished(self, run: Run) -> None:
        """It is over; the oldest finished runs are forgotten."""
        with self._lock:
            self._finished.append(run.number)
            while len(self._finished) > self._finished_kept:
                self._runs.pop(self._finished.popleft(), None)
        self._tell()

    def get(self, number: int) -> Run | None:
        """The run of that number, if it is known."""
        with self._lock:
            return self._runs.get(number)

    def all(self) -> list[Run]:
        """Everything known, oldest first."""
        with self._lock:
            return list(self._runs.values())

    def running(self) -> list[Run]:
        """What is under way, oldest first."""
        return [run for run in self.all() if not run.is_over]

    def _tell(self) -> None:
        for changed in tuple(self._listeners):
            changed()


registry = RunRegistry()
