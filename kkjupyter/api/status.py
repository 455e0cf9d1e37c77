"""The open connections, calls and servers of this process."""

from __future__ import annotations

import dataclasses

from kkjupyter.calls.titles import counted, listed
from kkjupyter.client.session import open_sessions
from kkjupyter.connection.pumps import busy_after_cancel
from kkjupyter.server.server import open_servers

__all__ = ["CallStatus", "ConnectionStatus", "ServerStatus", "Status", "status"]


@dataclasses.dataclass(frozen=True, slots=True)
class CallStatus:
    """One running call."""

    id: int
    title: str
    state: str
    items: int
    url: str


@dataclasses.dataclass(frozen=True, slots=True)
class ConnectionStatus:
    """One connection."""

    url: str
    protocol: str
    codec: str
    state: str
    calls: int


@dataclasses.dataclass(frozen=True, slots=True)
class ServerStatus:
    """One server of this process.

    Attributes:
        url: the address that it listens on.
        clients: how many are connected.
        running: how many of their calls are running.
        callable_names: what they can call, as of when it was served.
        readable_names: what else they can read.
        open_door: a warning if there is no token, else empty.
        away: how many of the clients have lost their connection and are waited for.
    """

    url: str
    clients: int
    running: int
    callable_names: tuple[str, ...] = ()
    readable_names: tuple[str, ...] = ()
    open_door: str = ""
    away: int = 0

    def __repr__(self) -> str:
        lines = [
            f"serving {self.url}: {counted(self.clients, 'client')}"
            + (f" ({self.away} away), " if self.away else ", ")
            + counted(self.running, "call")
        ]
        if self.callable_names:
            lines.append(f"  {listed('clients can call', self.callable_names)}")
        if self.readable_names:
            lines.append(f"  {listed('clients can read', self.readable_names)}")
        if self.open_door:
            lines.append(f"  {self.open_door}")
        return "\n".join(lines)


@dataclasses.dataclass(frozen=True, slots=True)
class Status:
    """A snapshot; its repr is a small table.

    Attributes:
        connections: those not closed.
        calls: those under way, on any connection.
        servers: those of this process that are not closed.
        busy_after_cancel: sync generators that were cancelled and have not come to a yield yet.
    """

    connections: tuple[ConnectionStatus, ...]
    calls: tuple[CallStatus, ...]
    servers: tuple[ServerStatus, ...]
    busy_after_cancel: int = 0

    def __repr__(self) -> str:
        lines: list[str] = []
        for connection in self.connections:
            lines.append(
                f"{connection.url}  {connection.protocol}, {connection.codec}: {connection.state}"
            )
            lines += [
                f"  {call.id:>4}  {call.title}  {call.state}, {counted(call.items, 'item')}"
                for call in self.calls
                if call.url == connection.url
            ]
        lines += map(repr, self.servers)
        if self.busy_after_cancel:
            lines.append(f"{self.busy_after_cancel} cancelled, producer still busy")
        return "\n".join(lines) or "nothing is connected"


def status() -> Status:
    """A snapshot of what is open now. Any thread."""
    sessions = open_sessions()
    return Status(
        tuple(
            ConnectionStatus(s.url, s.protocol, s.codec, s.state, len(s.calls)) for s in sessions
        ),
        tuple(
            CallStatus(state.number, state.title, state.phase, state.buffer.put_items, s.url)
            for s in sessions
            for state in s.calls
        ),
        tuple(
            ServerStatus(
                *(s.url, s.clients, s.running, s.callable_names, s.readable_names),
                *(s.open_door, s.away),
            )
            for s in open_servers()
        ),
        busy_after_cancel(),
    )
