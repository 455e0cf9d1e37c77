"""Replies that are not streams: a value, an error, or bytes from the handler."""

from __future__ import annotations

import dataclasses
import http
import re
from collections.abc import Mapping
from typing import Any

from kkjupyter.errors import EncodeError, RemoteError, RemoteThrow, UsageError
from kkjupyter.wire.values.javascript import undefined
from kkjupyter.wire.vovk.encoding import (
    REPLY_HEADERS,
    encode_error,
    encode_failure,
    encode_reply,
    thrown_reason,
)
from kkjupyter.wire.vovk.schema.model import WireFormat

__all__ = ["Response", "error_reply", "status_reply", "stream_failure", "value_reply"]


@dataclasses.dataclass(frozen=True)
class Response:
    """A reply that is not JSON: ``return vovk.Response(png, headers={...})``.

    Args:
        body: bytes, or text, which is sent as UTF-8.
        status: the HTTP status, from 200 to 599.
        headers: by default ``content-type`` is text or bytes, like the body. Names and values must
            be valid in HTTP; the server sets ``content-length``.
    """

    body: bytes | str = b""
    status: int = 200
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


def value_reply(value: Any, http_method: str = "GET") -> Response:
    """The reply with a handler's result.

    Args:
        value: the result.
        http_method: the method of the request; the reply to a ``"HEAD"`` may have the length of
            another reply.

    Raises:
        EncodeError: it has no JSON form.
        UsageError: it is a :class:`Response` that cannot be sent.
    """
    if not isinstance(value, Response):
        return Response(encode_reply(value), 200, _JSON)
    _check_response(value, http_method)
    return value


def _check_response(response: Response, http_method: str) -> None:
    """Check the headers: a client's input in them must not become another header."""
    if not isinstance(response.body, bytes | str):
        kind = type(response.body).__name__
        raise UsageError(f"the body of a vovk.Response is bytes or text, not {kind}")
    status = response.status
    if not isinstance(status, int) or not 200 <= status <= 599:
        raise UsageError(f"the status of a vovk.Response is a number from 200 to 599: {status!r}")
    for name, value in response.headers.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise UsageError(f"{name!r:.80} is not the name of a header")
        if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
            raise UsageError(f"the value of header {name!r} is not one line of text")
        if name.lower() in _OWN_HEADERS and http_method != "HEAD":
            raise UsageError(f"header {name!r} is set by the server; leave it out")


def error_reply(exc: BaseException, wire_format: WireFormat) -> Response:
    """The reply for an exception that a handler raised before any stream began.

    Never fails. An HttpException, or a RemoteError with a status, keeps status and cause;
    everything else is a 500 with the exception's message, as on the real servers.
    """
    status = getattr(exc, "status", None) if isinstance(exc, RemoteError) else None
    cause = getattr(exc, "cause", None)
    if isinstance(exc, RemoteThrow):  # a reply always has a message; the value goes beside it
        cause = None if isinstance(exc.value, str) or exc.value is undefined else exc.value
        message = exc.message
    else:
        message = str(thrown_reason(exc))
    if cause is None or isinstance(cause, BaseException):
        cause = undefined
    return status_reply(status or 500, message, cause, wire_format=wire_format)


def status_reply(
    status: int, message: str, cause: Any = undefined, *, wire_format: WireFormat
) -> Response:
    """An error reply; a cause that has no JSON form is left out."""
    try:
        body = encode_error(status, message, cause, wire_format=wire_format)
    except EncodeError:
        body = encode_error(status, message, wire_format=wire_format)
    return Response(body, http.HTTPStatus(status) if status in _KNOWN else status, _JSON)


def stream_failure(exc: BaseException, wire_format: WireFormat) -> bytes:
    """The last message of a failed stream. Never fails."""
    try:
        return encode_failure(thrown_reason(exc), wire_format)
    except EncodeError:  # a thrown value has at least a text
        return encode_failure(str(exc), wire_format)


_JSON = REPLY_HEADERS
_HEADER_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_HEADER_VALUE = re.compile(r"[^\x00-\x08\x0a-\x1f\x7f\ud800-\udfff]*")
# Another length, or another encoding, would turn the rest of the body into a second reply.
_OWN_HEADERS = frozenset({"content-length", "transfer-encoding"})
_KNOWN = frozenset(http.HTTPStatus)
