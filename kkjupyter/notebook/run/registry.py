"""The runs of this process, for ``%rpc status``, ``cancel`` and ``show``."""

from __future__ import annotations

import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kkjupyter.notebook.run.run import Run

__all__ = ["RunRegistry", "registry"]

_FINISHED_KEPT = 20


class _Finished:
    """A run that is over. It stays alive, with its items, only if the user holds its Reply."""

    def __init__(self, run: Run) -> None:
        self.title = run.title
        self._run = weakref.ref(run)
        self._reply = weakref.ref(run.reply)
        self._revive = run.reviver()

    def run(self) -> Run | None:
        """The run, made again if only its Reply is left; None if that is gone, too."""
        run = self._run()
        if run is None and (reply := self._reply()) is not None:
            run = self._revive(reply)
            self._run = weakref.ref(run)
        return run


class RunRegistry:
    """The runs of this process: all running ones, and the newest finished ones.

    Args:
        finished_kept: how many finished runs can still be shown again.
    """

    def __init__(self, finished_kept: int = _FINISHED_KEPT) -> None:
        self._runs: dict[int, Run] = {}
        self._finished: OrderedDict[int, _Finished] = OrderedDict()
        self._finished_kept = finished_kept
        self._lock = threading.Lock()
        self._listeners: list[Callable[[], object]] = []

    def listen(self, changed: Callable[[], object]) -> None:
        """Call ``changed()`` when a run begins or ends.

        It is called on any thread and must return at once.
        """
        self._listeners.append(changed)

    def unlisten(self, changed: Callable[[], object]) -> None:
        """Stop calling it."""
        self._listeners.remove(changed)

    def add(self, run: Run) -> None:
        """Add a run."""
        with self._lock:
            self._runs[run.number] = run
        self._tell()

    def finished(self, run: Run) -> None:
        """Mark a run as finished, with its last output sent; the oldest ones are dropped."""
        with self._lock:
            if self._runs.pop(run.number, None) is not None:
                self._finished[run.number] = _Finished(run)
            while len(self._finished) > self._finished_kept:
                self._finished.popitem(last=False)
        self._tell()

    def get(self, number: int) -> Run | None:
        """The run with that number, if it is known and can be shown."""
        with self._lock:
            run, finished = self._runs.get(number), self._finished.get(number)
        return run if finished is None else finished.run()

    def gone(self, number: int) -> str | None:
        """The title of a finished run whose Reply is gone; else None."""
        with self._lock:
            finished = self._finished.get(number)
        return finished.title if finished is not None and finished.run() is None else None

    def all(self) -> list[Run]:
        """All runs that are known and can be shown, oldest first."""
        with self._lock:
            known: list[Run | _Finished] = [*self._finished.values(), *self._runs.values()]
        runs = [one.run() if isinstance(one, _Finished) else one for one in known]
        return sorted([run for run in runs if run is not None], key=lambda run: run.number)

    def unsettled(self) -> list[Run]:
        """Runs that are running, or have not sent their last output, oldest first."""
        with self._lock:
            return list(self._runs.values())

    def running(self) -> list[Run]:
        """Running runs, oldest first."""
        return [run for run in self.unsettled() if not run.is_over]

    def abandon_all(self) -> None:
        """Say nothing more of those that run: the process ends."""
        for run in self.unsettled():
            run.abandon()

    def _tell(self) -> None:
        for changed in tuple(self._listeners):
            changed()


registry = RunRegistry()
