"""A server's part in the heartbeat over HTTP; see :mod:`kkjupyter.transports.heartbeat`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Final, Self

from aiohttp import HttpVersion11, hdrs, web

from kkjupyter.rpc.httpconnection import HttpConnection
from kkjupyter.rpc.limits import ServerLimits
from kkjupyter.transports.heartbeat import (
    INTERIM_BEAT,
    INTERIM_BEGINNING,
    INTERIM_END,
    NAME,
    interval_of,
    is_offered,
)

__all__ = ["BEATS", "Beats", "add_heartbeats"]

BEATS: Final = "kkjupyter.beats"
"""Under which a request holds its :class:`Beats`, if its client has a heartbeat."""


class Beats:
    """Beats for as long as one request is answered. On its loop; a context manager.

    Args:
        request: of a client that has a heartbeat.
        silence_timeout_s: after how long without a word from the client it counts as gone, and
            the client may give up likewise.

    Attributes:
        interval_s: how often it beats, in seconds.
        has_written: whether the stream has said something; to be set by who writes it.
    """

    def __init__(self, request: web.Request, silence_timeout_s: float) -> None:
        self.interval_s = interval_of(silence_timeout_s)
        self._silence_timeout_s = silence_timeout_s
        self._request = request
        self._stream: web.StreamResponse | None = None
        self._beat = b""
        self.has_written = False
        self._connection: HttpConnection | None = None
        self._began_s = 0.0
        self._has_begun_interim = False
        self._writing: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()

    def __enter__(self) -> Self:
        self._timer = self._loop.call_later(self.interval_s, self._tick)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._timer.cancel()

    def begin_stream(self, response: web.StreamResponse, beat: bytes) -> None:
        """From now on a stream is sent; the client beats, too.

        Args:
            response: not prepared yet.
            beat: what means nothing between two items.
        """
        self._stream, self._beat = response, beat
        connection = self._request.protocol
        if isinstance(connection, HttpConnection):  # that of an application's server is not
            self._connection = connection
            connection.has_heartbeat = True
            self._began_s = self._loop.time()

    def end_interim(self) -> None:
        """The head of the reply comes next."""
        self._timer.cancel()
        transport = self._request.transport
        if self._has_begun_interim and transport is not None:
            self._has_begun_interim = False
            transport.write(INTERIM_END)
        if self._stream is not None:
            self._timer = self._loop.call_later(self.interval_s, self._tick)

    def _tick(self) -> None:
        transport = self._request.transport
        if transport is None or transport.is_closing():
            return
        if self._connection is not None:
            silence_s = self._loop.time() - max(self._began_s, self._connection.heard_s)
            if silence_s > self._silence_timeout_s:
                transport.abort()  # the handler's task is cancelled by that
                return
        self._timer = self._loop.call_later(self.interval_s, self._tick)
        if transport.get_write_buffer_size():
            return  # it would only wait behind what waits already
        if self._stream is None:
            transport.write(INTERIM_BEAT if self._has_begun_interim else INTERIM_BEGINNING)
            self._has_begun_interim = True
        elif self._stream.prepared and not self.has_written:
            self._writing = self._loop.create_task(self._write(self._stream))
        self.has_written = False

    async def _write(self, stream: web.StreamResponse) -> None:
        try:
            await stream.write(self._beat)
        except (ConnectionError, RuntimeError):
            return  # gone, or at its end; whoever answers the request sees that for himself


def add_heartbeats(application: web.Application, limits: ServerLimits) -> None:
    """Have ``application`` beat for clients that have a heartbeat.

    Args:
        application: not started yet.
        limits: has the time; without one there is no heartbeat.
    """
    timeout_s = limits.silence_timeout_s
    if timeout_s is None:
        return

    @web.middleware
    async def beat(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if request.version < HttpVersion11 or not is_offered(request.headers):
            return await handler(request)
        with Beats(request, timeout_s) as beats:
            request[BEATS] = beats
            return await handler(request)

    async def tell(request: web.Request, response: web.StreamResponse) -> None:
        beats = request.get(BEATS)
        if beats is not None:
            beats.end_interim()
            options = [*filter(None, [response.headers.get(hdrs.CONNECTION)]), NAME]
            response.headers[hdrs.CONNECTION] = ", ".join(options)
            response.headers[NAME] = f"{beats.interval_s:g}"

    application.middlewares.append(beat)
    application.on_response_prepare.append(tell)
