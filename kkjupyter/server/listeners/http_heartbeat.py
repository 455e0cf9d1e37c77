"""The server's part of the heartbeat over HTTP; see :mod:`kkjupyter.transports.http.heartbeat`."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from aiohttp import HttpVersion11, hdrs, web

from kkjupyter.limits import ServerLimits
from kkjupyter.server.listeners.http_connection import HttpConnection
from kkjupyter.transports.http.heartbeat import (
    INTERIM_BEAT,
    INTERIM_BEGINNING,
    INTERIM_END,
    NAME,
    interval_of,
    is_offered,
)

__all__ = ["BEATS", "Beats", "add_heartbeats"]


class Beats:
    """Sends heartbeats while one request is answered. On its loop.

    Args:
        request: a request of a client with a heartbeat.
        silence_timeout_s: how long the client may be silent, in seconds, before it counts as gone;
            the client may give up after the same time.

    Attributes:
        has_written: whether the stream has sent something; set by its writer.
    """

    __slots__ = (
        "_beat",
        "_began_s",
        "_connection",
        "_has_begun_interim",
        "_request",
        "_silence_timeout_s",
        "_stream",
        "_writing",
        "has_written",
    )

    def __init__(self, request: web.Request, silence_timeout_s: float) -> None:
        self.has_written = False
        self._silence_timeout_s = silence_timeout_s
        self._request = request
        self._stream: web.StreamResponse | None = None
        self._beat = b""
        self._connection: HttpConnection | None = None
        self._began_s = 0.0
        self._has_begun_interim = False
        self._writing: asyncio.Task[None] | None = None

    def begin_stream(self, response: web.StreamResponse, beat: bytes) -> None:
        """Begin a stream; from now on the client sends heartbeats, too.

        Args:
            response: one that is not prepared yet.
            beat: bytes that have no meaning between two items.
        """
        self._stream, self._beat = response, beat
        connection = self._request.protocol
        if isinstance(connection, HttpConnection):  # an application's own server has none
            self._connection = connection
            connection.has_heartbeat = True
            self._began_s = asyncio.get_running_loop().time()

    def end_interim(self) -> None:
        """Finish the interim reply: the head of the real one comes next."""
        transport = self._request.transport
        if self._has_begun_interim and transport is not None:
            self._has_begun_interim = False
            transport.write(INTERIM_END)

    def beat(self) -> None:
        """Send a beat if nothing else was sent, and check whether the client has sent one."""
        transport = self._request.transport
        if transport is None or transport.is_closing():
            return
        if self._connection is not None:
            now_s = asyncio.get_running_loop().time()
            silence_s = now_s - max(self._began_s, self._connection.heard_s)
            if silence_s > self._silence_timeout_s:
                transport.abort()  # the handler's task is cancelled by that
                return
        if transport.get_write_buffer_size():
            return  # it would only wait behind data that waits already
        if self._stream is None:
            transport.write(INTERIM_BEAT if self._has_begun_interim else INTERIM_BEGINNING)
            self._has_begun_interim = True
        elif self._stream.prepared and not self.has_written:
            self._writing = asyncio.get_running_loop().create_task(self._write(self._stream))
        self.has_written = False

    async def _write(self, stream: web.StreamResponse) -> None:
        try:
            await stream.write(self._beat)
        except (ConnectionError, RuntimeError):
            return  # gone, or at its end, as the code that answers the request will notice


class _Ticker:
    """One timer for all running requests: most end long before it fires."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._answered: set[Beats] = set()
        self._timer: asyncio.TimerHandle | None = None

    def add(self, beats: Beats) -> None:
        self._answered.add(beats)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._interval_s, self._tick)

    def discard(self, beats: Beats) -> None:
        self._answered.discard(beats)

    def _tick(self) -> None:
        self._timer = None
        for beats in list(self._answered):
            beats.beat()
        if self._answered:
            self._timer = asyncio.get_running_loop().call_later(self._interval_s, self._tick)


BEATS: Final = web.RequestKey("kkjupyter_beats", Beats)
"""Under which a request holds its :class:`Beats`, if its client has a heartbeat."""


def add_heartbeats(application: web.Application, limits: ServerLimits) -> None:
    """Let ``application`` send heartbeats to clients that offer one.

    Args:
        application: one that is not started yet.
        limits: have the silence limit; without one there is no heartbeat.
    """
    timeout_s = limits.silence_timeout_s
    if timeout_s is None:
        return
    interval_s = interval_of(timeout_s)
    ticker = _Ticker(interval_s)

    @web.middleware
    async def beat(
        request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        if not is_offered(request.headers) or request.version < HttpVersion11:
            return await handler(request)
        request[BEATS] = beats = Beats(request, timeout_s)
        ticker.add(beats)
        try:
            return await handler(request)
        finally:
            ticker.discard(beats)

    async def tell(request: web.Request, response: web.StreamResponse) -> None:
        beats = request.get(BEATS)
        if beats is not None:
            beats.end_interim()
            options = response.headers.get(hdrs.CONNECTION)
            response.headers[hdrs.CONNECTION] = NAME if options is None else f"{options}, {NAME}"
            response.headers[NAME] = f"{interval_s:g}"

    application.middlewares.append(beat)
    application.on_response_prepare.append(tell)
