"""Reads the body of a request within limits of size and time, and decompresses it if allowed."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from aiohttp import ClientError, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from kkjupyter.server.listeners.http_connection import HttpConnection

__all__ = ["BadBody", "read_body", "unpack"]

_BYTES_PER_S: Final = 1000
_GZIP_MAGIC: Final = b"\x1f\x8b"
_GZIP_WINDOW: Final = 31  # a gzip header, and a window of any size


class BadBody(Exception):
    """A body that is refused.

    Attributes:
        status: the HTTP status to answer with.
        text: what is wrong with it, in one line.
        is_late: whether its rest is still to come, so that the connection cannot be used again.
    """

    def __init__(self, status: HTTPStatus, text: str, *, is_late: bool = False) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text
        self.is_late = is_late


async def read_body(
    request: web.Request,
    *,
    limit_bytes: int,
    timeout_s: float | None,
    gzip: bool,
    may_hold: Callable[[int], bool],
    is_unpacked: bool = False,
) -> bytes:
    """Read the whole body. Cancelling is safe; the connection cannot be used after that.

    Args:
        request: not read yet.
        limit_bytes: how long the body may be, packed and unpacked, if the application does not say
            less.
        timeout_s: how long it may take, and a second more for each 1,000 bytes that have come, so
            that a slow link may be slow; None for any time.
        gzip: whether it may be packed with gzip.
        may_hold: told how much of it has come; whether so much may be held.
        is_unpacked: whether the application that this is a part of has done that.

    Raises:
        BadBody: it is too long, late or broken, or packed in a way that is not accepted; or the
            server holds too much for others.
    """
    limit_name = "message_bytes"
    if 0 < request.client_max_size < limit_bytes:
        limit_bytes, limit_name = request.client_max_size, "client_max_size"
    if (request.content_length or 0) > limit_bytes:
        raise _too_long(limit_bytes, limit_name)
    try:
        body = await _read(request, limit_bytes, timeout_s, may_hold)
    except (HttpProcessingError, ClientError, web.RequestPayloadError) as exc:
        raise BadBody(HTTPStatus.BAD_REQUEST, "the body does not match its headers") from exc
    if len(body) > limit_bytes:
        raise _too_long(limit_bytes, limit_name)
    encoding = request.headers.get(hdrs.CONTENT_ENCODING)
    if encoding is None or is_unpacked or not body:
        return body
    encoding = encoding.strip().lower()
    if encoding in ("identity", ""):
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise BadBody(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "this server unpacks gzip at most")
    if not body.startswith(_GZIP_MAGIC):
        raise BadBody(HTTPStatus.BAD_REQUEST, "the body is declared as gzip but is not gzip")
    if not gzip:
        raise BadBody(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "compressed bodies are not accepted: send it uncompressed, or serve with gzip=True",
        )
    return unpack(body, limit_bytes)


def unpack(body: bytes, limit_bytes: int) -> bytes:
    """Decompress a gzip body, never beyond the limit.

    Raises:
        BadBody: it is longer than the limit, not gzip, or incomplete.
    """
    unpacking = zlib.decompressobj(_GZIP_WINDOW)
    try:
        data = unpacking.decompress(body, limit_bytes + 1)
    except zlib.error as exc:
        raise BadBody(HTTPStatus.BAD_REQUEST, f"the body is damaged gzip ({exc})") from exc
    if len(data) > limit_bytes:
        raise _too_long(limit_bytes)
    if not unpacking.eof or unpacking.unused_data:
        raise BadBody(
            HTTPStatus.BAD_REQUEST, "the body is cut off, or has more than one gzip member"
        )
    return data


async def _read(
    request: web.Request,
    limit_bytes: int,
    timeout_s: float | None,
    may_hold: Callable[[int], bool],
) -> bytes:
    """The body as it comes; little more of it than the limit, from a client that sends more."""
    content = request.content
    if content.at_eof():
        return b""
    if content.is_eof() and request.content_length is not None:
        return await content.readany()  # it arrived together with the head, as small ones do
    chunks: list[bytes] = []
    size_bytes = 0
    begin_s = asyncio.get_running_loop().time()
    connection = request.protocol
    if isinstance(connection, HttpConnection) and request.content_length is not None:
        connection.read_much(True)
    try:
        async with asyncio.timeout(timeout_s) as timer:
            while size_bytes <= limit_bytes and (chunk := await content.readany()):
                chunks.append(chunk)
                size_bytes += len(chunk)
                if not may_hold(size_bytes):
                    raise BadBody(
                        HTTPStatus.SERVICE_UNAVAILABLE,
                        "the server holds as much as it may for all its clients (buffered_bytes); "
                        "try again later",
                        is_late=True,
                    )
                if timeout_s is not None:
                    timer.reschedule(begin_s + timeout_s + size_bytes / _BYTES_PER_S)
    except TimeoutError as exc:
        raise BadBody(
            HTTPStatus.REQUEST_TIMEOUT,
            f"the body of the request did not come within {timeout_s:g} s (body_timeout_s)",
            is_late=True,
        ) from exc
    finally:
        if isinstance(connection, HttpConnection):
            connection.read_much(False)
    return b"".join(chunks)


def _too_long(limit_bytes: int, limit_name: str = "message_bytes") -> BadBody:
    whose = "server" if limit_name == "message_bytes" else "application"
    return BadBody(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"over {limit_bytes:,} bytes, the {whose}'s limit {limit_name}",
    )
