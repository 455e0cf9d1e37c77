"""HTTP requests, with replies that can be read as they arrive.

It does not know the content of requests and replies. Everything runs on the event loop that the
client is first used on.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import socket
import ssl as ssl_module
import urllib.request
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

import aiohttp
from yarl import URL

from kkjupyter.errors import (
    ConnectError,
    ConnectionLost,
    ConnectTimeout,
    KKError,
    MessageTooBig,
    UsageError,
)
from kkjupyter.redaction import without_secrets
from kkjupyter.transports.base import DEFAULT_LIMIT_BYTES
from kkjupyter.transports.http import heartbeat
from kkjupyter.transports.proxies import check_proxy, is_proxy_address
from kkjupyter.transports.stalls import set_keepalive
from kkjupyter.transports.websocket.client import is_loopback, os_reason

__all__ = ["HttpClient", "HttpReply", "check_http_url", "encoded_url"]

# Node ends a connection that idles for 5 s. A request sent just then would be lost, and a request
# is never sent twice.
_IDLE_S = 4.0
_LARGE_BYTES = 1024 * 1024
_HEAD_BYTES = 64 * 1024
# A call may take hours, but must not wait for a machine that is gone.
_SILENCE_S = 40.0
_OFFER = {"Connection": heartbeat.NAME}
_SCHEMES = "http, https"

# Their texts hold the whole address with its secrets, so they must not even be a cause.
_SECRET_BEARING_ERRORS = (
    aiohttp.ClientResponseError,
    aiohttp.ServerTimeoutError,
    aiohttp.InvalidURL,
    aiohttp.NonHttpUrlClientError,
)


class HttpClient:
    """Sends requests, many at a time, over connections that are reused.

    It follows no redirects, because the headers, with a token among them, are meant for one server.
    It keeps no cookies.

    Args:
        headers: sent with every request.
        ssl: a context for ``https://``; the library's default otherwise.
        proxy: an address (``http`` or ``https``); True for the one in the environment, which is
            never used for this machine; None or False for no proxy.
        connect_timeout_s: for name look-up, TCP and TLS together, in seconds.
        max_requests: how many run at once; further ones wait for their turn.

    TCP's keepalive notices a server that is gone after 40 s of silence. The heartbeat
    (:mod:`kkjupyter.transports.http.heartbeat`) also notices a kkjupyter server, or a machine in
    between, that is frozen. Silence alone does not end a request, however long the reply takes.

    Attributes:
        headers: the headers sent with every request.

    Raises:
        UsageError: the proxy cannot be used.
    """

    def __init__(
        self,
        *,
        headers: Mapping[str, str] | None = None,
        ssl: ssl_module.SSLContext | None = None,
        proxy: str | bool | None = True,
        connect_timeout_s: float = 10.0,
        max_requests: int = 64,
    ) -> None:
        check_proxy(proxy)
        if isinstance(proxy, str) and not _is_http(proxy):
            raise UsageError("the proxy of an HTTP address must be http:// or https://")
        self.connect_timeout_s = connect_timeout_s
        self._proxy = proxy
        # A compressed stream is held back until there is enough to compress.
        self.headers = {"Accept-Encoding": "identity", **(headers or {})}
        self._ssl: ssl_module.SSLContext | bool = True if ssl is None else ssl
        self._max_requests = max_requests
        self._turns = asyncio.Semaphore(max_requests)
        self._session: aiohttp.ClientSession | None = None
        self._proxies: dict[str, str | None] = {}
        self._beating: dict[str, float] = {}  # what servers have told of it, by origin
        self._closed = False

    @contextlib.asynccontextmanager
    async def open(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        silence_timeout_s: float | None = None,
        is_encoded: bool = False,
    ) -> AsyncIterator[HttpReply]:
        """Send one request, once; its reply can be read inside the ``async with``.

        Leaving the block before the reply is complete, or cancelling, closes the connection; this
        is how the server learns of it.

        Args:
            method: ``"POST"`` and so on.
            url: ``http://`` or ``https://``; see :func:`check_http_url`.
            body: sent as it is.
            headers: besides those of the client.
            silence_timeout_s: how long the server may send nothing once it is connected, in
                seconds; None for no limit.
            is_encoded: whether the address is sent as it is; see :func:`encoded_url`.

        Raises:
            ConnectError: the server was not reached; ConnectTimeout if the time ran out.
            ConnectionLost: the connection ended before there was a reply.
        """
        shown_url = without_secrets(url)
        async with self._turns:
            if self._closed:
                raise ConnectionLost(shown_url, "closed")
            parts = urlsplit(url)
            origin = f"{parts.scheme}://{parts.netloc}"
            proxy = self._proxy_for(parts, origin)
            if proxy is None:
                headers = {**_OFFER, **headers} if headers else _OFFER
                silence_timeout_s = silence_timeout_s or self._silence_of(origin)
            try:
                answer = await self._opened_session().request(
                    method,
                    URL(url, encoded=True) if is_encoded else url,
                    data=_in_pieces(body),
                    headers=headers,
                    allow_redirects=False,
                    proxy=proxy,
                    timeout=aiohttp.ClientTimeout(
                        connect=self.connect_timeout_s, sock_read=silence_timeout_s
                    ),
                    ssl=self._ssl,
                )
            except Exception as exc:
                error = _translated(exc, shown_url, self.connect_timeout_s)
                if isinstance(exc, _SECRET_BEARING_ERRORS):
                    raise error from None
                raise error from exc
            interval_s = heartbeat.told_interval_s(answer.headers) if proxy is None else None
            was_known = interval_s == self._beating.get(origin)
            if not was_known:
                self._learn(origin, interval_s)
            async with answer:
                reply = HttpReply(answer, shown_url, interval_s)
                if interval_s is not None and not was_known:
                    reply.limit_silence()
                try:
                    yield reply
                finally:
                    reply.stop_beating()

    async def close(self) -> None:
        """Abort all running requests and close every connection. Idempotent."""
        self._closed = True
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def forked(self) -> object:
        """Continue in a forked process, with new connections.

        Returns the parent's connections. Keep them: their finalizers would close them.
        """
        session, self._session = self._session, None
        self._turns = asyncio.Semaphore(self._max_requests)
        return session

    def _opened_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=0,  # bounded above: waiting for a turn does not count as connecting
                    keepalive_timeout=_IDLE_S,
                    resolver=aiohttp.ThreadedResolver(),
                    socket_factory=_make_socket,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=self.headers,
                max_line_size=_HEAD_BYTES,
                max_field_size=_HEAD_BYTES,
            )
        return self._session

    def _learn(self, origin: str, interval_s: float | None) -> None:
        if interval_s is None:
            self._beating.pop(origin, None)
        else:
            self._beating[origin] = interval_s

    def _silence_of(self, origin: str) -> float | None:
        """How long a server with a heartbeat may be silent, in seconds; None without one."""
        interval_s = self._beating.get(origin)
        return None if interval_s is None else heartbeat.silence_of(interval_s)

    def _proxy_for(self, parts: SplitResult, origin: str) -> str | None:
        if self._proxy is not True:
            return self._proxy or None
        if origin not in self._proxies:
            here = is_loopback(parts.hostname or "")
            self._proxies[origin] = None if here else _environment_proxy(parts)
        return self._proxies[origin]


class _Body(aiohttp.StreamReader):
    """The library's reader without its record of where each HTTP chunk ends.

    Nothing here needs that record, and it would cost more than the values in the chunk.
    """

    __slots__ = ()

    def begin_http_chunk_receiving(self) -> None:
        pass

    def end_http_chunk_receiving(self) -> None:
        pass


class HttpReply:
    """A server's reply. Its body is read once, piece by piece or as a whole.

    Attributes:
        status: the HTTP status.
        content_type: lower case, without parameters; empty if the server sent none.
        headers: names in any case.
    """

    def __init__(
        self, answer: aiohttp.ClientResponse, shown_url: str, interval_s: float | None = None
    ) -> None:
        self.status = answer.status
        self.headers: Mapping[str, str] = answer.headers
        self.content_type = answer.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        self._answer = answer
        self._url = shown_url
        if type(answer.content) is aiohttp.StreamReader:
            answer.content.__class__ = _Body
        self._interval_s = interval_s
        self._timer: asyncio.TimerHandle | None = None

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The body as it arrives, in pieces of any size.

        Raises:
            ConnectionLost: the connection ended before the body did.
        """
        try:
            async for chunk in self._answer.content.iter_any():
                yield chunk
        except (aiohttp.ClientError, OSError) as exc:
            raise _translated(exc, self._url) from exc

    async def next_chunk(self) -> bytes:
        """All of the body that has arrived since the last call; empty at the end.

        Raises:
            ConnectionLost: the connection ended before the body did.
        """
        try:
            return await self._answer.content.readany()
        except (aiohttp.ClientError, OSError) as exc:
            raise _translated(exc, self._url) from exc

    def pause_reading(self) -> None:
        """Stop reading until :meth:`resume_reading`, so that the server has to wait.

        Call it directly after taking a chunk: if the connection ended in between, the library would
        drop what it holds. Does nothing once the body is complete.
        """
        connection = self._answer.connection
        if connection is not None and connection.transport is not None:
            connection.transport.pause_reading()
            if self._interval_s is not None:
                self._limit_silence(None)

    def resume_reading(self) -> None:
        """Read again. Idempotent."""
        connection = self._answer.connection
        if connection is not None and connection.transport is not None:
            connection.transport.resume_reading()
            if self._interval_s is not None:
                self._limit_silence(heartbeat.silence_of(self._interval_s))

    def begin_beating(self) -> None:
        """Start the heartbeat to the server, if it asks for one: the reply is a stream."""
        if self._interval_s is not None:
            self._timer = asyncio.get_running_loop().call_later(self._interval_s, self._beat)

    def limit_silence(self) -> None:
        """Apply the silence limit of a heartbeat that this reply announces for the first time."""
        if self._interval_s is not None:
            self._limit_silence(heartbeat.silence_of(self._interval_s))

    def stop_beating(self) -> None:
        """Stop the heartbeat: the reply is over, or its rest is not wanted. Idempotent."""
        if self._timer is not None:
            self._timer.cancel()

    def _beat(self) -> None:
        """Send one heartbeat, whether the reply is being read or not."""
        connection = self._answer.connection
        if connection is None or connection.transport is None or self._interval_s is None:
            return  # the body is complete
        if not connection.transport.get_write_buffer_size():
            connection.transport.write(heartbeat.CLIENT_BEAT)
        self._timer = asyncio.get_running_loop().call_later(self._interval_s, self._beat)

    def _limit_silence(self, timeout_s: float | None) -> None:
        """Limit the server's silence from now on; there is no limit while reading is paused."""
        connection = self._answer.connection
        protocol = connection.protocol if connection is not None else None
        if protocol is not None:
            protocol.read_timeout = timeout_s
            protocol.start_timeout()

    async def read(self, limit_bytes: int = DEFAULT_LIMIT_BYTES) -> bytes:
        """The whole body.

        Raises:
            ConnectionLost: the connection ended before the body did.
            MessageTooBig: the body is longer than ``limit_bytes``.
        """
        announced_bytes = self._answer.content_length
        if announced_bytes is not None and announced_bytes > limit_bytes:
            raise MessageTooBig(announced_bytes, limit_bytes)
        chunks: list[bytes] = []
        size_bytes = 0
        async with contextlib.aclosing(self.chunks()) as arriving:
            async for chunk in arriving:
                chunks.append(chunk)
                size_bytes += len(chunk)
                if size_bytes > limit_bytes:
                    raise MessageTooBig(size_bytes, limit_bytes)
        return b"".join(chunks)


def check_http_url(url: str, headers: Mapping[str, str]) -> None:
    """Check that requests can be sent to ``url`` with these headers.

    Raises:
        UsageError: they cannot; the text says what to write instead.
    """
    shown_url = without_secrets(url)
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as exc:
        raise UsageError(f"{shown_url!r} is not an address ({exc})") from None
    if parts.scheme.lower() not in ("http", "https") or not host or port == 0:
        raise UsageError(
            f"{shown_url!r} is not an HTTP address; it looks like 'http://127.0.0.1:3000/rpc'"
        )
    if "#" in url:
        raise UsageError(f"{shown_url}: the part after '#' is never sent to a server; leave it out")
    if parts.username is not None and any(name.lower() == "authorization" for name in headers):
        raise UsageError(
            f"{shown_url}: a user in the address and an Authorization header (or a token) "
            "exclude each other; leave one out"
        )


def encoded_url(url: str) -> str:
    """``url`` as it is sent: non-ASCII characters in host and path are encoded."""
    return str(URL(url))


def _environment_proxy(parts: SplitResult) -> str | None:
    """The proxy in the environment (``http_proxy``, ``no_proxy``, ...) or the system."""
    if urllib.request.proxy_bypass(parts.netloc.rpartition("@")[2]):
        return None
    proxy = urllib.request.getproxies().get(parts.scheme)
    if proxy is not None and not (is_proxy_address(proxy) and _is_http(proxy)):
        raise ConnectError(
            without_secrets(urlunsplit(parts)),
            "the proxy in the environment (https_proxy and the like) is not an address "
            "like 'http://host:port'",
        )
    return proxy


def _is_http(proxy: str) -> bool:
    return proxy.lower().startswith(("http://", "https://"))


def _in_pieces(body: bytes | None) -> bytes | io.BytesIO | None:
    """Write a large body piece by piece, so that it does not delay everything else."""
    return io.BytesIO(body) if body is not None and len(body) > _LARGE_BYTES else body


def _make_socket(address: Any) -> socket.socket:
    """A socket that notices when the peer's machine is gone."""
    family, kind, protocol = address[:3]
    sock = socket.socket(family, kind, protocol)
    set_keepalive(sock, _SILENCE_S)
    return sock


def _translated(exc: Exception, shown_url: str, connect_timeout_s: float = 0.0) -> KKError:
    """An error of the library, or of the system below it, as one of ours.

    A ConnectError means that the server was not reached, or does not speak HTTP.
    """
    match exc:
        case aiohttp.ConnectionTimeoutError():
            return ConnectTimeout(shown_url, f"no answer within {connect_timeout_s:g} s")
        case aiohttp.ClientProxyConnectionError():
            return ConnectError(
                shown_url, f"the proxy cannot be reached ({os_reason(exc.os_error, _SCHEMES)})"
            )
        case aiohttp.ClientHttpProxyError():
            return ConnectError(shown_url, f"the proxy refused the request (HTTP {exc.status})")
        case aiohttp.ClientConnectorCertificateError(certificate_error=OSError() as cause):
            return ConnectError(shown_url, os_reason(cause, _SCHEMES))
        case aiohttp.ClientConnectorError():
            return ConnectError(shown_url, os_reason(exc.os_error, _SCHEMES))
        case aiohttp.ServerFingerprintMismatch():
            return ConnectError(shown_url, "the TLS certificate is not the one expected")
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            return ConnectError(shown_url, "not an http:// or https:// address")
        case aiohttp.TooManyRedirects():
            return ConnectError(shown_url, "the server redirects too often")
        case aiohttp.ClientResponseError():
            return ConnectError(shown_url, "the server does not speak HTTP")
        case aiohttp.ServerTimeoutError():
            return ConnectionLost(shown_url, "the server stopped answering")
        case aiohttp.ServerDisconnectedError():
            return ConnectionLost(shown_url, "the server ended the connection without an answer")
        case aiohttp.ClientPayloadError():
            return ConnectionLost(shown_url, "the connection ended in the middle of the answer")
        case TimeoutError() if isinstance(exc, OSError) and exc.errno:  # keepalive
            return ConnectionLost(shown_url, "the server is gone")
        case OSError():
            return ConnectionLost(shown_url, exc.strerror or "the connection broke off")
    return ConnectionLost(shown_url, f"the request failed ({type(exc).__name__})")
