"""The body of a request, read within bounds of size and time."""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

__all__ = ["BodyTooLate", "read_body"]

_BYTES_PER_S: Final = 1000


class BodyTooLate(web.HTTPRequestTimeout):
    """The body of a request did not come in time."""


async def read_body(request: web.Request, *, limit_bytes: int, timeout_s: float | None) -> bytes:
    """The whole body. Cancelling is safe; the connection is of no use after that.

    Args:
        request: not read yet.
        limit_bytes: how long it may be, if the application does not say less.
        timeout_s: how long it may take, and a second more for each 1,000 bytes that have come, so
            that a slow link may be slow; None for any time.

    Raises:
        HTTPRequestEntityTooLarge: it is longer.
        BodyTooLate: it did not come in time.
        RequestPayloadError: it is malformed, or was cut off.
    """
    if request.client_max_size:
        limit_bytes = min(limit_bytes, request.client_max_size)
    size_bytes = request.content_length or 0
    if size_bytes > limit_bytes:
        raise web.HTTPRequestEntityTooLarge(limit_bytes, size_bytes)
    content = request.content
    if content.at_eof():
        return b""
    if content.is_eof() and request.content_length is not None:
        return await content.readany()  # it came together with the head, as small ones do
    chunks: list[bytes] = []
    size_bytes = 0
    begin_s = asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(timeout_s) as timer:
            while chunk := await content.readany():
                chunks.append(chunk)
                size_bytes += len(chunk)
                if size_bytes > limit_bytes:
                    raise web.HTTPRequestEntityTooLarge(limit_bytes, size_bytes)
                if timeout_s is not None:
                    timer.reschedule(begin_s + timeout_s + size_bytes / _BYTES_PER_S)
    except TimeoutError as exc:
        raise BodyTooLate(
            text=f"the body of the request did not come within {timeout_s:g} s (body_timeout_s)\n",
            headers={"Connection": "close"},
        ) from exc
    return b"".join(chunks)
