"""A connection to a service on a bus: to each of its workers, so that calls are shared out."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from kkjupyter.bus.addresses import BusAddress
from kkjupyter.bus.base import Bus
from kkjupyter.bus.client import ServiceClient
from kkjupyter.calls.call import Call
from kkjupyter.calls.state import CallState
from kkjupyter.client.caller import Caller
from kkjupyter.client.descriptions import MethodDescription
from kkjupyter.client.session import Session, note_session
from kkjupyter.runtime.loop_threads import io_loop
from kkjupyter.transports.base import Transport
from kkjupyter.wire.events import Operation

__all__ = ["MakePart", "ServiceSession"]

MakePart = Callable[[Callable[[], Awaitable[Transport]], bool], Session]
"""Makes the session that calls one worker, from how to connect to it, and whether it is known to be
a worker of ours."""


class ServiceSession(Caller):
    """Calls to one service. Each goes to the worker that has the fewest of ours.

    A call, its stream, and what it was passed stay with that worker. When a worker is lost, its
    calls fail, and the next ones go to those that are left.

    Args:
        address: of the service.
        make_bus: makes a connection to the broker that is not open yet.
        make_part: makes the session that calls one worker.
        connect_timeout_s: for connecting to a worker, in seconds; None for no limit.
        options: see :class:`Caller`.
    """

    def __init__(
        self,
        address: BusAddress,
        make_bus: Callable[[], Bus],
        make_part: MakePart,
        *,
        connect_timeout_s: float | None,
        **options: Any,
    ) -> None:
        super().__init__(address.shown, **options)
        changed = weakref.WeakMethod(self._changed)
        self._client = ServiceClient(
            address, make_bus, connect_timeout_s, lambda: (changed() or _nothing)()
        )
        found = weakref.WeakMethod(self._found)
        client = self._client

        async def dial() -> Transport:
            return await client.dial(on_found=lambda worker: (found() or _nothing)(worker))

        self._make_part = make_part
        self._all: weakref.WeakSet[Session] = weakref.WeakSet()
        self._any = self._part(dial, is_ours=False)
        self._any_worker = ""
        self._of_worker: dict[str, Session] = {}
        self._candidates: tuple[Session, ...] = (self._any,)
        self._turns = itertools.count()
        note_session(self)

    def __del__(self) -> None:
        if io_loop is None:  # so late in a program's end that modules have no names any more
            return
        client = self.__dict__.get("_client")
        if client is not None and not self.closed:
            io_loop().post(client.close_when_idle)

    def _part(self, dial: Callable[[], Awaitable[Transport]], *, is_ours: bool) -> Session:
        part = self._make_part(dial, is_ours)
        part.recorder = self.recorder
        self._all.add(part)
        return part

    # ---- what its users see

    @property
    def protocol(self) -> str:
        return self._any.protocol

    @property
    def codec(self) -> str:
        return self._any.codec

    @property
    def state(self) -> str:
        return self._any.state

    @property
    def calls(self) -> list[CallState]:
        states = [state for part in list(self._all) for state in part.calls]
        return sorted(states, key=lambda state: state.number)

    async def connect(self) -> None:
        try:
            await self._any.connect()
        except BaseException:
            self.closed = True  # it is not handed out
            await self._client.close()
            raise

    async def close(self) -> None:
        self.closed = True
        for part in list(self._all):
            await part.close()
        await self._client.close()

    def forked(self) -> None:
        for part in list(self._all):
            part.forked()

    def method_names(self) -> list[str]:
        return self._any.method_names()

    def description(self, path: Sequence[str]) -> MethodDescription | None:
        return self._any.description(path)

    def _call(
        self,
        operation: Operation,
        method: str,
        path: Sequence[str],
        args: Sequence[Any],
        kwargs: Mapping[str, Any],
        value: Any,
        timeout_s: float | None,
        idle_timeout_s: float | None,
    ) -> Call:
        limits = timeout_s, idle_timeout_s
        return self._pick()._call(operation, method, path, args, kwargs, value, *limits)

    # ---- the workers

    def _pick(self) -> Session:
        """The session for the next call. Any thread."""
        candidates = self._candidates
        if len(candidates) == 1:
            return candidates[0]
        loads = [part.load for part in candidates]
        least = min(loads)
        free = [part for part, load in zip(candidates, loads, strict=True) if load == least]
        return free[next(self._turns) % len(free)]

    def _found(self, worker: str) -> None:
        """The session for any worker has this one now. I/O loop only."""
        self._any_worker = worker
        self._changed()

    def _changed(self) -> None:
        """Workers have come or gone. I/O loop only."""
        workers = self._client.workers
        for worker in [one for one in self._of_worker if one not in workers]:
            # What runs on it holds it until that is over.
            del self._of_worker[worker]
        others = [worker for worker in workers if worker != self._any_worker]
        if self._any_worker:  # else it is not known yet whether they are to be called
            for worker in others:
                if worker not in self._of_worker:
                    dial = partial(self._client.dial, worker)
                    self._of_worker[worker] = self._part(dial, is_ours=True)
        parts = [self._of_worker[worker] for worker in others if worker in self._of_worker]
        # Without its worker that one would connect to one of the others once more.
        is_there = self._any_worker in workers or not parts
        self._candidates = (self._any, *parts) if is_there else (*parts,)


def _nothing(*args: object) -> None:
    """The session is gone: nobody wants to know."""
