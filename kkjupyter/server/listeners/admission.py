"""Decides which connections to a server are admitted, wait, or are refused.

A connection is *known* once it has sent a token, or a request if no token is needed; before that it
is a *stranger*. Strangers are limited: if there are too many, one that has sent its request comes
before those that are silent, and the connection that has been idle longest is ended to make room
for it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import math
import socket
from collections import Counter
from collections.abc import Callable

from kkjupyter.limits import ServerLimits
from kkjupyter.server.listeners.descriptors import are_left

__all__ = ["Entrance", "TurnedAway", "Visitor", "too_many_text"]

# Only a client that floods the server waits longer than an honest one needs to send its request.
_WAIT_S = 1.0
_LOOK_S = 0.02
# An answer before the request would be ignored, so the request is awaited, at most this long.
_SILENCE_S = 0.2
_PEEK_BYTES = 16 * 1024
_HEAD_END = b"\r\n\r\n"


def too_many_text(limit: int, name: str = "connections") -> str:
    """The text for a client beyond the limit."""
    return (
        f"the server's limit {name} ({limit:,}) is reached; try again later, or serve with "
        f"limits=kk.ServerLimits({name}=...)\n"
    )


class Visitor:
    """One connection, from its arrival to its end. I/O loop only.

    Args:
        entrance: the entrance that it came through.
        transport: the connection.

    Attributes:
        transport: the connection.
        address: the peer's, if it counts separately; addresses of this machine do not.
        arrived_s: when it arrived, by the loop's clock, in seconds.
        is_known: whether it has sent its token or request.
        idle_since_s: since when it has been idle and may be ended for another; None if it may not.
    """

    def __init__(self, entrance: Entrance, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.address = counted_address(transport)
        self.arrived_s = asyncio.get_running_loop().time()
        self.is_known = False
        self.idle_since_s: float | None = None
        self._entrance = entrance
        self._deadline: asyncio.TimerHandle | None = None

    def limit_time(self, timeout_s: float) -> None:
        """Close the connection if it is not known within ``timeout_s`` seconds."""
        loop = asyncio.get_running_loop()
        # The present transport: TLS replaces the first one.
        self._deadline = loop.call_later(timeout_s, lambda: self.transport.close())

    def show(self) -> None:
        """Mark it as known, so that it may stay. Idempotent."""
        if not self.is_known:
            self.is_known = True
            self._stop_deadline()
            self._entrance.forget_stranger(self)

    def leave(self) -> None:
        """Remove it: the connection is gone. Idempotent."""
        self._stop_deadline()
        self._entrance.left(self)

    def _stop_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


class Entrance:
    """Counts the connections of one server. I/O loop only.

    Args:
        limits: how many there may be.
        counts_connections: whether ``limits.connections`` is enforced here, counting all; else the
            caller counts the ones that matter to it.
    """

    def __init__(self, limits: ServerLimits, *, counts_connections: bool) -> None:
        self._limits = limits
        self._connections = limits.connections if counts_connections else None
        timeout_s = limits.handshake_timeout_s
        self._wait_s = _WAIT_S if timeout_s is None else min(_WAIT_S, timeout_s / 4)
        self._inside: dict[Visitor, None] = {}
        self._strangers: dict[Visitor, None] = {}
        self._by_address: Counter[str] = Counter()
        self._waiting = 0
        self._is_closed = False

    def __len__(self) -> int:
        """How many connections are admitted. Any thread."""
        return len(self._inside)

    def close(self) -> None:
        """Admit no more connections; end those that wait."""
        self._is_closed = True

    def come(
        self,
        transport: asyncio.Transport,
        let_in: Callable[[Visitor], object],
        turn_away: Callable[[int, str], object],
    ) -> None:
        """Decide about a connection, at once or within a second.

        Args:
            transport: the connection.
            let_in: called when it is admitted.
            turn_away: called with a limit and its name when that is reached.
        """
        if self._is_closed:  # closed since it was taken from the queue
            transport.abort()
            return
        spare = self._limits.spare_descriptors
        if spare is not None and (left := self._descriptors_left(transport)) < spare:
            if left < spare // 2:
                transport.abort()  # not even for an answer
                return
            if not self._end_idle():
                turn_away(spare, "spare_descriptors")
                return
        visitor = Visitor(self, transport)
        limit = self._limits.connections_per_address
        if limit is not None and self._by_address[visitor.address] >= limit:
            turn_away(limit, "connections_per_address")
        elif self._has_room_for_stranger:
            self._take(visitor, let_in, turn_away)
        else:
            self._wait(visitor, let_in, turn_away)

    def _descriptors_left(self, transport: asyncio.Transport) -> float:
        sock = transport.get_extra_info("socket")
        if sock is None or sock.fileno() < 0:
            return math.inf
        return are_left(max(sock.fileno(), len(self._inside)))

    def forget_stranger(self, visitor: Visitor) -> None:
        """Stop counting it as a stranger."""
        self._strangers.pop(visitor, None)

    def left(self, visitor: Visitor) -> None:
        """Stop counting it: it is gone."""
        self._strangers.pop(visitor, None)
        if visitor in self._inside:
            del self._inside[visitor]
            self._count_address(visitor, -1)

    # ---- admitted or not

    @property
    def _has_room_for_stranger(self) -> bool:
        limit = self._limits.unauthenticated_connections
        return limit is None or len(self._strangers) < limit

    def _take(
        self,
        visitor: Visitor,
        let_in: Callable[[Visitor], object],
        turn_away: Callable[[int, str], object],
    ) -> None:
        limit = self._connections
        if limit is not None and len(self._inside) >= limit and not self._end_idle():
            turn_away(limit, "connections")
            return
        if not self._has_room_for_stranger:  # it has sent its request, and so comes first
            self._end(self._oldest_stranger())
        self._inside[visitor] = None
        self._strangers[visitor] = None
        self._count_address(visitor, 1)
        let_in(visitor)

    def _wait(
        self,
        visitor: Visitor,
        let_in: Callable[[Visitor], object],
        turn_away: Callable[[int, str], object],
    ) -> None:
        """Let it wait, unread, until there is room or it has sent its request."""
        limit = self._limits.unauthenticated_connections
        assert limit is not None, "there is room again"
        if self._limits.connections is not None and self._waiting >= self._limits.connections:
            turn_away(limit, "unauthenticated_connections")
            return
        transport = visitor.transport
        loop = asyncio.get_running_loop()
        give_up_at_s = loop.time() + self._wait_s
        self._waiting += 1
        transport.pause_reading()

        def pause_again() -> None:
            # Before Python 3.11.5 a transport that has just been made begins to read all the same.
            transport.resume_reading()
            transport.pause_reading()

        loop.call_soon(pause_again)

        def look() -> None:
            if self._is_closed:
                transport.abort()
            may_come = not transport.is_closing() and (
                self._has_room_for_stranger or has_asked(transport)
            )
            if not (may_come or transport.is_closing() or loop.time() >= give_up_at_s):
                loop.call_later(_LOOK_S, look)
                return
            self._waiting -= 1
            if transport.is_closing():
                return
            transport.resume_reading()
            if may_come:
                self._take(visitor, let_in, turn_away)
            else:
                turn_away(limit, "unauthenticated_connections")

        loop.call_later(_LOOK_S, look)

    def _end_idle(self) -> bool:
        """End an idle connection; return whether there was one."""
        return self._end(self._longest_idle() or self._oldest_stranger())

    def _end(self, visitor: Visitor | None) -> bool:
        if visitor is None:
            return False
        self.left(visitor)
        visitor.transport.abort()
        return True

    def _longest_idle(self) -> Visitor | None:
        idle = [visitor for visitor in self._inside if visitor.idle_since_s is not None]
        return min(idle, key=lambda visitor: visitor.idle_since_s or 0.0, default=None)

    def _oldest_stranger(self) -> Visitor | None:
        """The oldest stranger, if it has had its time."""
        oldest = next(iter(self._strangers), None)
        now_s = asyncio.get_running_loop().time()
        if oldest is None or now_s - oldest.arrived_s < self._wait_s:
            return None
        return oldest

    def _count_address(self, visitor: Visitor, change: int) -> None:
        if visitor.address:
            self._by_address[visitor.address] += change
            if not self._by_address[visitor.address]:
                del self._by_address[visitor.address]


def counted_address(transport: asyncio.Transport) -> str:
    """The peer's address as it counts for ``connections_per_address``; empty if it does not count.

    All clients on this machine have the same address, and so do all that come through a proxy on
    it.
    """
    peer = transport.get_extra_info("peername")
    if not isinstance(peer, tuple) or not peer:
        return ""
    try:
        address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        else:  # a host can have any number of addresses in its network
            return "" if address.is_loopback else str(ipaddress.ip_network((address, 64), False))
    return "" if address.is_loopback else str(address)


def has_asked(transport: asyncio.Transport) -> bool:
    """Whether a request lies in the socket, unread; over TLS, whether anything does."""
    sock = transport.get_extra_info("socket")
    if sock is None or not hasattr(socket, "MSG_DONTWAIT"):
        return False
    try:
        # asyncio's own sockets have no recv(), and it is too late for one.
        with socket.socket(fileno=socket.dup(sock.fileno())) as twin:
            data = twin.recv(_PEEK_BYTES, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except OSError:  # nothing there, gone, or no descriptor left for checking
        return False
    return bool(data) if transport.get_extra_info("sslcontext") else _HEAD_END in data


class TurnedAway(asyncio.Protocol):
    """Answers a connection beyond the limit when it sends something, and closes it.

    An earlier answer would be ignored. A silent client is not waited for.

    Args:
        transport: the connection.
        limit: how many there may be.
        name: the name of that limit.
    """

    def __init__(self, transport: asyncio.Transport, limit: int, name: str) -> None:
        self._transport = transport
        self._text = too_many_text(limit, name).encode()
        asyncio.get_running_loop().call_later(_SILENCE_S, self._answer)

    def data_received(self, data: bytes) -> None:
        self._answer(is_head=data.startswith(b"HEAD "))

    def _answer(self, *, is_head: bool = False) -> None:
        if not self._transport.is_closing():
            head = (
                "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\n"
                f"Content-Length: {len(self._text)}\r\nConnection: close\r\n\r\n"
            )
            self._transport.write(head.encode() + (b"" if is_head else self._text))
            self._transport.close()
