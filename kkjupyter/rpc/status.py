"""What is open in this process: connections, calls, servers."""

from __future__ import annotations

import dataclasses

from kkjupyter.rpc.pumps import busy_after_cancel
from kkjupyter.rpc.server import open_servers
from kkjupyter.rpc.session import open_sessions
from kkjupyter.rpc.titles import counted

__all__ = ["CallStatus", "ConnectionStatus", "ServerStatus", "Status", "status"]


@dataclasses.dataclass(frozen=True, slots=True)
class CallStatus:
    """One call under way."""

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
    """One server of this process."""

    url: str
    clients: int
    running: int


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
        lines += [
            f"serving {server.url}: {counted(server.clients, 'client')}, "
            + counted(server.running, "call")
            for server in self.servers
        ]
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
        tuple(ServerStatus(s.url, s.clients, s.running) for s in open_servers()),
        busy_after_cancel(),
    )
