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
    """

    url: str
    status: int
    body: bytes = b""
    location: str = ""
    memory_bytes: int = DEFAULT_MEMORY_BYTES

    def value(self, call_id: str, spoken: Protocol) -> Any:
        """The value of the call, or raise its error.

        A reply in the protocol counts whatever its HTTP status, as with the peers.

        Args:
            call_id: the id of the call.
            spoken: the protocol that the call was made in.

        Raises:
            RemoteError: the other side failed, or answers with a stream.
            ConnectError: the server takes no calls at this address.
            ProtocolError: it is not a reply in that protocol.
        """
        match self._event_for(call_id, spoken):
            case Replied(value=value):
                return value
            case Failed(error=error):
                raise error
            case Opened():
                raise RemoteError(
                    f"HTTP transport does not support async iterable streams; {INSTEAD}"
                )
        raise self.refusal(spoken)

    def _event_for(self, call_id: str, spoken: Protocol) -> Event | None:
        # A separate one, so that the rest of a reply cannot spoil the next.
        protocol = make_protocol(
            spoken.name,
            spoken.codec,
            limit_bytes=len(self.body),
            memory_bytes=self.memory_bytes,
        )
        for event in protocol.receive([self.body], whole=True):
            match event:
                case Replied(call_id=found) | Opened(call_id=found) | Failed(id=found):
                    if found == call_id:
                        return event
        return None

    def refusal(self, spoken: Protocol) -> KKError:
        """The error for a reply that is not in the protocol ``spoken``."""
        url, status = self.url, self.status
        if 300 <= status < 400:
            target = self.location or "elsewhere"
            return ConnectError(
                url, f"HTTP {status}: the server redirects to {target}; connect there"
            )
        if status in (401, 403):
            return ConnectError(
                url,
                f"HTTP {status}: the server wants a (different) token; "
                "pass token=..., or --token-env NAME in a magic or a shell",
            )
        if status in (404, 405):
            return ConnectError(url, f"HTTP {status}: the server takes no calls at this path")
        said = f"HTTP {status}" if status != 200 else "something else"
        other = "classic" if spoken.name == "compact" else "compact"
        hint = f"if it speaks the other one, name it: protocol={other!r}"
        if spoken.name == "compact" and spoken.codec == "superjson":
            hint = "the peers read only json here: leave codec out"
        return ProtocolError(
            f"{url} answered {said} instead of a reply in the {spoken.name} protocol ({hint})",
            excerpt(self.body),
        )
