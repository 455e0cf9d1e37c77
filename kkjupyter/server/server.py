"""The common base of all servers."""

from __future__ import annotations

import errno
import itertools
import os
import sys
import threading
import weakref
from collections.abc import Callable
from ssl import SSLContext
from typing import Any, Protocol, Self

from kkjupyter.calls.titles import counted
from kkjupyter.client.remote import Remote
from kkjupyter.connection.pumps import busy_after_cancel
from kkjupyter.errors import ConnectError
from kkjupyter.runtime.hooks import connector
from kkjupyter.runtime.loop_threads import handler_loop
from kkjupyter.runtime.waiting import run_blocking
from kkjupyter.server.access import AccessPolicy
from kkjupyter.server.exposed.offer import Exposed
from kkjupyter.server.finishing import let_finish
from kkjupyter.transports.tls import check_server_context, context_for

__all__ = ["ClientTracker", "Server", "open_servers"]

_IN_USE = {errno.EADDRINUSE, getattr(errno, "WSAEADDRINUSE", errno.EADDRINUSE)}
_ANY_HOST = {"0.0.0.0", "::", ""}
_LOOPBACK = {"localhost": "127.0.0.1", "::1": "127.0.0.1"}

_numbers = itertools.count(1)
_servers: weakref.WeakSet[Server] = weakref.WeakSet()
_servers_lock = threading.Lock()


def open_servers() -> list[Server]:
    """Every server that is not closed, oldest first."""
    with _servers_lock:  # a set cannot be iterated while it grows
        servers = list(_servers)
    return sorted((s for s in servers if not s.closed), key=lambda s: s._number)


def _variable_of(server: Server) -> str | None:
    """The user's variable for a server, in a notebook or a script."""
    names = vars(sys.modules["__main__"]) if "__main__" in sys.modules else {}
    return next(
        (key for key, one in list(names.items()) if one is server and not key.startswith("_")),
        None,
    )


class ClientTracker(Protocol):
    """Counts and stops the clients of a server."""

    def __len__(self) -> int:
        """How many clients are connected. Any thread."""

    @property
    def away(self) -> int:
        """How many of them have lost their connection and are waited for. Any thread."""

    @property
    def running(self) -> int:
        """How many of their calls and streams are running. Any thread."""

    def stop(self) -> None:
        """Cancel everything that runs for them. I/O loop only."""


def _close_after_fork() -> None:
    """Mark servers as closed in a fork: clients reach the parent, and closing here would close
    there.
    """
    global _servers_lock
    _servers_lock = threading.Lock()  # the lock's owner is not in this process
    for server in list(_servers):
        server.closed = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_after_fork)


class Server:
    """A served object; made by :func:`kkjupyter.serve`. ``with`` closes it at the end.

    Attributes:
        port: the TCP port.
        closed: whether :meth:`close` was called.
    """

    def __init__(
        self,
        exposed: Exposed | None,
        clients: ClientTracker,
        access: AccessPolicy,
        host: str,
        scheme: str,
        ssl: SSLContext | None,
    ) -> None:
        """Make a server that does not listen yet.

        Args:
            exposed: what clients may reach; None if that is not told by names alone.
            clients: who answers them.
            access: who may come in.
            host: where to listen.
            scheme: of its address, without TLS: ``"ws"`` or ``"http"``.
            ssl: adds TLS.
        """
        self._number = next(_numbers)
        self._listing = exposed.reach.listing() if exposed is not None else None
        self._clients = clients
        self._access = access
        self._host = host
        self._ssl = ssl
        self._certificate = check_server_context(ssl, host) if ssl is not None else None
        self._scheme = scheme if ssl is None else f"{scheme}s"
        self.port = 0
        self.closed = False
        with _servers_lock:
            _servers.add(self)

    offers_to_resume = False
    """Whether clients of ours may come back when their connection breaks."""

    _path = ""
    """What follows the port in the address."""

    # ---- what a subclass defines; I/O loop only

    async def _listen(self, port: int) -> int:
        """Begin to listen; return the port. Raises OSError if it cannot listen there."""
        raise NotImplementedError

    async def _stop_listening(self) -> None:
        """Stop listening; disconnect all clients."""
        raise NotImplementedError

    # ---- its properties

    @property
    def url(self) -> str:
        """The address that it listens on, without the token."""
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{self._scheme}://{host}:{self.port}{self._path}"

    @property
    def token(self) -> str | None:
        """The secret that clients must send, or None. Accepted as ``Authorization: Bearer``, as
        ``?token=`` in the address, or, by a WebSocket server, as a subprotocol
        ``kkjupyter.token.<token>``."""
        return self._access.token

    @property
    def callable_names(self) -> tuple[str, ...]:
        """What clients can call, as dotted names, as of when it was served."""
        return tuple(name for name, kind in self._listing or () if kind == "call")

    @property
    def readable_names(self) -> tuple[str, ...]:
        """What else clients can read, as dotted names, as of when it was served."""
        return tuple(name for name, kind in self._listing or () if kind == "read")

    @property
    def open_door(self) -> str:
        """What it means that there is no token, in a line; empty if there is one."""
        return self._access.warning

    @property
    def running(self) -> int:
        """How many calls and streams of clients are running."""
        return self._clients.running

    @property
    def clients(self) -> int:
        """How many clients are connected, or away for a moment."""
        return len(self._clients)

    @property
    def away(self) -> int:
        """How many of them have lost their connection and are waited for (``resume_s``)."""
        return self._clients.away

    def connect(self, **options: Any) -> Remote:
        """Connect to this server with its token; ``options`` as for :func:`kkjupyter.connect`.

        Its own certificate is trusted, whoever issued it, unless ``options`` say otherwise.
        """
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self._host)
        url = f"{self._scheme}://{host}:{self.port}{self._path}" if host else self.url
        if self._listing is not None:
            options.setdefault("methods", list(self.callable_names))
        options.setdefault("token", self.token)
        if self.offers_to_resume:
            options.setdefault("resume", True)
        options.setdefault("proxy", None)  # it runs on this machine, whatever its address
        if self._certificate is not None and options.get("ca_file") is None:
            options.setdefault("ssl", context_for(self._certificate))
        remote: Remote = connector()(url, **options)
        return remote

    def call_soon(self, fn: Callable[..., object], *args: Any) -> None:
        """Call ``fn(*args)`` on the loop that handlers run on.

        Any thread. For objects that are awaited there and filled elsewhere:
        ``server.call_soon(queue.put_nowait, x)``; an ``asyncio.Queue`` filled from a cell would not
        wake its reader.
        """
        handler_loop().post(fn, *args)

    def close(self) -> None:
        """Stop listening, cancel what runs, disconnect all clients.

        Idempotent. Then wait, for a second at most, until handlers have run their ``finally``.
        """
        if not self.closed:
            run_blocking(self._stop())
            let_finish()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def __repr__(self) -> str:
        if self.closed:
            return f"<Server {self.url}: closed>"
        busy = busy_after_cancel()
        late = f", {busy} cancelled but still busy" if busy else ""
        who = "with a token" if self.token else "open to everybody who can reach it"
        away = f" ({self.away} away)" if self.away else ""
        work = f"{counted(self.clients, 'client')}{away}, {counted(self.running, 'call')}"
        return f"<Server {self.url} ({who}): {work}{late}>"

    # ---- I/O loop only

    async def start(self, port: int) -> None:
        """Begin to listen; 0 picks a free port. Raises ConnectError if it cannot listen there."""
        try:
            self.port = await self._listen(port)
        except OSError as exc:
            self.closed = True
            raise ConnectError(
                f"{self._scheme}://{self._host}:{port}",
                f"cannot listen there: {self._why_not(port, exc)}",
                listening=True,
            ) from exc

    def _why_not(self, port: int, error: OSError) -> str:
        """Why it cannot listen, and what to do about it."""
        if error.errno not in _IN_USE:
            return error.strerror or str(error)
        holder = next((s for s in open_servers() if s._is_at(self._host, port)), None)
        free = "choose another port, or 0 for a free one"
        if holder is None:
            return f"another program has port {port}; {free}"
        name = _variable_of(holder)
        return (
            f"{holder!r} in this process has port {port}; close it first, with "
            f"kk.close({name or repr(holder.url)}), or {free}"
        )

    def _is_at(self, host: str, port: int) -> bool:
        hosts = {_LOOPBACK.get(one, one) for one in (self._host, host)}
        return self.port == port and (len(hosts) == 1 or not hosts.isdisjoint(_ANY_HOST))

    async def _stop(self) -> None:
        self.closed = True
        self._clients.stop()
        await self._stop_listening()
