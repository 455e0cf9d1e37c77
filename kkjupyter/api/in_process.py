"""Serves an object inside this process, without a port; for tests and local APIs.

::

    with serve_in_memory(MyApi()) as server:
        api = server.connect()
        assert api.add(1, 2).result() == 3

Everything except the socket is real: the wire, streams, cancel, backpressure, reconnecting.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from kkjupyter.api.addresses import make_session
from kkjupyter.calls.titles import counted
from kkjupyter.client.remote import Remote
from kkjupyter.client.session import Session
from kkjupyter.errors import ConnectError
from kkjupyter.limits import ServerLimits, check_limits
from kkjupyter.runtime.loop_threads import handler_loop, io_loop
from kkjupyter.runtime.waiting import run_async, run_blocking
from kkjupyter.server.clients import Clients
from kkjupyter.server.exposed.offer import Exposed
from kkjupyter.server.exposed.opened import make_reach
from kkjupyter.server.exposed.ownership import serving_package
from kkjupyter.server.exposed.writable import WritableOption, permission
from kkjupyter.server.interceptors import Interceptor
from kkjupyter.transports.base import Transport
from kkjupyter.transports.memory import MemoryTransport, memory_pair

__all__ = ["MemoryServer", "serve_in_memory"]

_numbers = itertools.count(1)


class MemoryServer:
    """The server that :func:`serve_in_memory` returns; used like a
    :class:`~kkjupyter.server.server.Server`.

    Attributes:
        url: the name of its connections in messages.
        closed: whether :meth:`close` was called.
    """

    def __init__(self, exposed: Exposed, url: str) -> None:
        self.url = url
        self.closed = False
        self._methods = exposed.reach.method_names()
        self._clients = Clients(exposed)
        self._ends: list[MemoryTransport] = []

    @property
    def clients(self) -> int:
        """How many clients are connected."""
        return len(self._clients)

    @property
    def running(self) -> int:
        """How many of their calls and streams are running."""
        return self._clients.running

    def connect(self, **options: Any) -> Remote:
        """A new connection; ``options`` as for :func:`kkjupyter.connect`."""
        session = self._session(options)
        run_blocking(session.connect())
        return Remote(session)

    async def aconnect(self, **options: Any) -> Remote:
        """Like :meth:`connect`, but awaited. Cancelling is safe."""
        session = self._session(options)
        await run_async(session.connect())
        return Remote(session)

    def call_soon(self, fn: Callable[..., object], *args: Any) -> None:
        """Call ``fn(*args)`` on the loop that handlers run on. Any thread."""
        handler_loop().post(fn, *args)

    def disconnect(self) -> None:
        """Abort every connection, as a failing network would. The server stays open."""
        run_blocking(self._break_off())

    def close(self) -> None:
        """Cancel what runs and disconnect all clients. Idempotent."""
        if not self.closed:
            self.closed = True
            self.disconnect()

    def __enter__(self) -> MemoryServer:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if self.closed:
            return f"<MemoryServer {self.url}: closed>"
        work = f"{counted(self.clients, 'client')}, {counted(self.running, 'call')}"
        return f"<MemoryServer {self.url}: {work}>"

    def _session(self, options: dict[str, Any]) -> Session:
        options.setdefault("methods", self._methods)
        return make_session(self._dial, self.url, **options)

    async def _dial(self) -> Transport:
        assert io_loop().is_current
        if self.closed:
            raise ConnectError(self.url, "the server is closed")
        near, far = memory_pair(self.url)
        self._ends = [end for end in self._ends if not end.closed]
        self._ends.append(far)
        self._clients.add(far)
        return near

    async def _break_off(self) -> None:
        ends, self._ends = self._ends, []
        for end in ends:
            end.abort()


def serve_in_memory(
    obj: Any,
    *,
    interceptors: Sequence[Interceptor] = (),
    validate: bool = True,
    expose: Iterable[str] = (),
    writable: WritableOption = (),
    debug: bool = False,
    limits: ServerLimits | None = None,
    describe: bool = True,
    url: str = "",
) -> MemoryServer:
    """Serve the public names of ``obj`` to this process only.

    Args:
        obj: as for :func:`kkjupyter.serve`.
        interceptors: run around every operation, the first one outermost.
        validate: whether arguments and results are checked against type hints.
        expose: what else clients may reach.
        writable: what clients may assign to.
        debug: whether tracebacks are sent to clients.
        limits: what clients may have at once.
        describe: whether clients are told the names, signatures and docstrings of methods.
        url: what its connections are called in messages; ``"memory:1"`` and so on if empty.
    """
    reach = make_reach(obj, expose, package=serving_package())
    exposed = Exposed(
        reach,
        interceptors,
        validate,
        permission=permission(writable, reach),
        debug=debug,
        limits=check_limits(limits),
        describe=describe,
    )
    return MemoryServer(exposed, url or f"memory:{next(_numbers)}")
