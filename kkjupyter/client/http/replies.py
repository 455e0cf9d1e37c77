"""Reads a server's reply to a call over HTTP: the value of the call, or its error."""

from __future__ import annotations

import dataclasses
from typing import Any

from kkjupyter.connection.negotiation import make_protocol
from kkjupyter.errors import ConnectError, KKError, ProtocolError, RemoteError
from kkjupyter.wire.events import Event, Failed, Opened, Replied
from kkjupyter.wire.framing import excerpt
from kkjupyter.wire.kkrpc.base import Protocol
from kkjupyter.wire.message_cost import DEFAULT_MEMORY_BYTES

__all__ = ["INSTEAD", "Reply"]

INSTEAD = "use the server's WebSocket address (ws://), if it has one"


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    """One reply.

    Attributes:
        url: the server's address, without secrets.
        status: the HTTP status.
        body: the whole body; empty if it does not matter.
        location: the target of a redirect, without secrets.
        memory_bytes: how much memory the values of the reply may take.
        refused: why it is a refusal of the client, and what to do; empty if it is none.
    """

    url: str
    status: int
    body: bytes = b""
    location: str = ""
    memory_bytes: int = DEFAULT_MEMORY_BYTES
    refused: str = ""

    def value(self, call_id: str, protocol: Protocol) -> Any:
        """The value of the call; or what it fails with is raised.

        A reply in the protocol counts whatever its HTTP status, as with the peers.

        Args:
            call_id: the id of the call.
            protocol: the protocol that the call was made in.

        Raises:
            RemoteError: the other side failed, or answers with a stream.
            ConnectError: the server takes no calls at this address.
            ProtocolError: it is not a reply in that protocol.
        """
        match self._event_for(call_id, protocol):
            case Replied(value=value):
                return value
            case Failed(error=error):
                raise error
            case Opened():
                raise RemoteError(
                    f"HTTP transport does not support async iterable streams; {INSTEAD}"
                )
        raise self.refusal(protocol)

    def _event_for(self, call_id: str, protocol: Protocol) -> Event | None:
        # One of its own, as what is left of a reply must not spoil the next.
        protocol = make_protocol(
            protocol.name,
            protocol.codec,
            limit_bytes=len(self.body),
            memory_bytes=self.memory_bytes,
        )
        for event in protocol.receive([self.body], whole=True):
            match event:
                case Replied(call_id=found) | Opened(call_id=found) | Failed(id=found):
                    if found == call_id:
                        return event
        return None

    def refusal(self, protocol: Protocol) -> KKError:
        """The error for what is not a reply in ``protocol``."""
        url, status = self.url, self.status
        if self.refused:
            return ConnectError(url, self.refused)
        if 300 <= status < 400:
            target = self.location or "elsewhere"
            return ConnectError(
                url, f"HTTP {status}: the server redirects to {target}; connect there"
            )
        if status in (404, 405):
            return ConnectError(url, f"HTTP {status}: the server takes no calls at this path")
        said = f"HTTP {status}" if status != 200 else "something else"
        other = "classic" if protocol.name == "compact" else "compact"
        hint = f"if it speaks the other one, name it: protocol={other!r}"
        if protocol.name == "compact" and protocol.codec == "superjson":
            hint = "the peers read json only here: leave codec out"
        return ProtocolError(
            f"{url} answered {said} instead of a reply in the {protocol.name} protocol ({hint})",
            excerpt(self.body),
        )
