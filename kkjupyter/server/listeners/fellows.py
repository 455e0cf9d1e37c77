"""The other workers of a service: who is there, and what the one owed that is gone.

One of kkrpc's own clients waits for ever for a worker that has died: nobody tells it. So each
worker tells its fellows what it owes to such clients, and when one falls silent, another of them
fails that in its place.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from kkjupyter.bus.base import Bus
from kkjupyter.bus.link import ALIVE_S, SILENCE_S
from kkjupyter.bus.messages import Debts, Presence

__all__ = ["Fellows"]

# A fellow that was not heard for so long is asked whether its inbox is read.
_SILENT_S = 2.5 * ALIVE_S
_KEY = "fellow-"


@dataclasses.dataclass(slots=True)
class _Fellow:
    presence: Presence
    heard_s: float


class Fellows:
    """The other workers, as one of them knows them. I/O loop only.

    Args:
        worker: what this one calls itself.
        fail: fails, for a client, what a worker owed it: told the worker, the client, the debts.
    """

    def __init__(self, worker: str, fail: Callable[[str, str, Debts], object]) -> None:
        self._worker = worker
        self._fail = fail
        self._fellows: dict[str, _Fellow] = {}

    def heard(self, presence: Presence, now_s: float) -> None:
        """A worker has said that it is there, or that it leaves."""
        if presence.is_leaving:  # and has settled everything itself
            self._fellows.pop(presence.worker, None)
        elif presence.worker != self._worker:
            self._fellows[presence.worker] = _Fellow(presence, now_s)

    def look(self, bus: Bus, now_s: float) -> None:
        """See who is silent."""
        for worker, fellow in list(self._fellows.items()):
            silent_s = now_s - fellow.heard_s
            if silent_s > SILENCE_S:
                self._bury(worker, now_s)
            elif silent_s > _SILENT_S:
                bus.publish(fellow.presence.inbox, b"", key=f"{_KEY}{worker}")

    def nobody(self, key: str, now_s: float) -> None:
        """Nobody reads an inbox."""
        worker = key.removeprefix(_KEY)
        if worker != key and worker in self._fellows:
            self._bury(worker, now_s)

    def forget(self) -> None:
        """This worker itself was away, and has heard nobody."""
        self._fellows.clear()

    def _bury(self, worker: str, now_s: float) -> None:
        dead = self._fellows.pop(worker)
        there = [name for name, one in self._fellows.items() if now_s - one.heard_s <= _SILENT_S]
        if self._worker == min([self._worker, *there]):  # one of them is enough
            for client, debts in dead.presence.debts.items():
                self._fail(worker, client, debts)
