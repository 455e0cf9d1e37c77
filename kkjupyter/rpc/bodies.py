"""The body of an HTTP request: read up to a limit, and unpacked only where that was asked for."""

from __future__ import annotations

import zlib
from http import HTTPStatus

from aiohttp import ClientError, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

__all__ = ["BadBody", "read_body", "unpack"]

_GZIP_MAGIC = b"\x1f\x8b"
_GZIP_WINDOW = 31  # a gzip header, and a window of any size


class BadBody(Exception):
    """A body that is not taken.

    Attributes:
        status: the HTTP status to answer with.
        text: what is wrong with it, in a line.
    """

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(status, text)
        self.status = status
        self.text = text


async def read_body(
    request: web.Request, limit_bytes: int, *, gzip: bool, is_unpacked: bool = False
) -> bytes:
    """The whole body of a request. Cancelling is safe; the rest is then not read.

    Args:
        request: not read yet.
        limit_bytes: how long the body may be, packed and unpacked.
        gzip: whether it may be packed with gzip.
        is_unpacked: whether the application that this is a part of has done that.

    Raises:
        BadBody: it is too long, broken, or packed in a way that is not accepted.
    """
    if (request.content_length or 0) > limit_bytes:
        raise _too_long(limit_bytes)
    try:
        body = await request.read()
    except web.HTTPRequestEntityTooLarge as exc:
        raise _too_long(limit_bytes) from exc
    except (HttpProcessingError, ClientError, web.RequestPayloadError) as exc:
        raise BadBody(HTTPStatus.BAD_REQUEST, "the body is not what its headers say") from exc
    encoding = request.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower()
    if is_unpacked or encoding in ("identity", "") or not body:
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise BadBody(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "this server unpacks gzip at most")
    if not body.startswith(_GZIP_MAGIC):
        raise BadBody(HTTPStatus.BAD_REQUEST, "the body is said to be gzip and is not")
    if not gzip:
        raise BadBody(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            "compressed bodies are not accepted: send it as it is, or serve with gzip=True",
        )
    return unpack(body, limit_bytes)


def unpack(body: bytes, limit_bytes: int) -> bytes:
    """What was packed with gzip; never more of it is unpacked than the limit.

    Raises:
        BadBody: it is more than that, or it is not gzip, or not all of it.
    """
    unpacking = zlib.decompressobj(_GZIP_WINDOW)
    try:
        data = unpacking.decompress(body, limit_bytes + 1)
    except zlib.error as exc:
        raise BadBody(HTTPStatus.BAD_REQUEST, f"the body is broken gzip ({exc})") from exc
    if len(data) > limit_bytes:
        raise _too_long(limit_bytes)
    if not unpacking.eof or unpacking.unused_data:
        raise BadBody(HTTPStatus.BAD_REQUEST, "the body is cut off, or more than one gzip file")
    return data


def _too_long(limit_bytes: int) -> BadBody:
    return BadBody(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        f"over {limit_bytes:,} bytes, the server's limit message_bytes",
    )
