"""One connection of an HTTP server, with limits on how long it may make the server wait."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import hdrs, web

from kkjupyter.limits import ServerLoad
from kkjupyter.server.listeners.admission import Visitor
from kkjupyter.transports.stalls import StallWatch

__all__ = ["HttpConnection"]

# So much is read at once. What is parsed at once is what was read: as chunks of one byte, or as
# heads of requests, 256 KiB take 60 ms, and hundreds of connections may send such.
_READ_BYTES = 8 * 1024
# Of a body whose length was told, which nobody parses.
_READ_MUCH_BYTES = 256 * 1024


_HOLDS_TOO_MUCH = (
    "the server holds as much as it may for all its clients (buffered_bytes); try again later"
)


def _kept(response: web.StreamResponse) -> dict[str, str]:
    """What a page of another origin has to see of a response to be told anything."""
    names = (hdrs.ACCESS_CONTROL_ALLOW_ORIGIN, hdrs.VARY)
    return {name: response.headers[name] for name in names if name in response.headers}


class HttpConnection(web.RequestHandler):
    """One connection, with limits on how long it may make the server wait.

    Attributes:
        visitor: its record at the entrance.
        heard_s: when the client last sent something, by the loop's clock, in seconds.
        has_heartbeat: whether it sends a heartbeat, as agreed.
    """

    __slots__ = (
        "_clock",
        "_head_timer",
        "_limits",
        "_may_hold",
        "_stall_watch",
        "has_heartbeat",
        "heard_s",
        "visitor",
    )

    def attend(self, visitor: Visitor, load: ServerLoad) -> None:
        """To be called once, before it is connected."""
        self.visitor = visitor
        self._limits = load.limits
        self._may_hold = load.unfinished()
        self._clock = asyncio.get_running_loop().time
        self.heard_s = self._clock()
        self.has_heartbeat = False
        self._head_timer: asyncio.TimerHandle | None = None
        self._stall_watch: StallWatch | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.read_much(False)
        timeout_s = self._limits.write_timeout_s
        if timeout_s is not None:
            connection = self.visitor.transport
            self._stall_watch = StallWatch(
                connection, timeout_s, connection.abort, self._says_that_it_lives
            )

    def connection_lost(self, exc: BaseException | None) -> None:
        self._stop_head_timer()
        if self._stall_watch is not None:
            self._stall_watch.stop()
        self.visitor.leave()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self.heard_s = self._clock()
        if self.visitor.idle_since_s is not None and data.strip():  # not only a heartbeat
            self.visitor.idle_since_s = None
            timeout_s = self._limits.handshake_timeout_s
            # A head that arrived as a whole, as nearly all do, needs no time limit.
            if timeout_s is not None and b"\r\n\r\n" not in data:
                loop = asyncio.get_running_loop()
                self._head_timer = loop.call_later(timeout_s, self.visitor.transport.abort)
        super().data_received(data)

    def read_much(self, is_much: bool) -> None:
        """How much is read at once from now on."""
        transport: Any = self.transport
        if hasattr(transport, "max_size"):  # asyncio's own
            transport.max_size = _READ_MUCH_BYTES if is_much else _READ_BYTES

    def know(self) -> None:
        """Mark it as known: the head of a request has arrived, with its token."""
        self.visitor.show()
        self._stop_head_timer()

    async def finish_response(
        self, request: web.BaseRequest, resp: web.StreamResponse, start_time: float | None
    ) -> tuple[web.StreamResponse, bool]:
        """Send the rest of a reply; the library calls this for every reply."""
        self._stop_head_timer()
        if not self.visitor.is_known and not resp.prepared:  # not tried twice
            resp.force_close()
        body = resp.body if isinstance(resp, web.Response) and not resp.prepared else None
        # Until it is taken; how many are, and how soon, is up to the clients.
        if isinstance(body, bytes) and not self._may_hold(len(body)):
            self._may_hold(0)
            resp = web.Response(status=503, text=f"{_HOLDS_TOO_MUCH}\n", headers=_kept(resp))
        del body
        try:
            return await super().finish_response(request, resp, start_time)
        finally:
            self._may_hold(0)
            if self.visitor.is_known:
                self.visitor.idle_since_s = self._clock()

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _says_that_it_lives(self) -> bool:
        silence_s = self._limits.silence_timeout_s
        if silence_s is None or not self.has_heartbeat:
            return False
        return self._clock() - self.heard_s < silence_s
