"""Exceptions for handlers: an HTTP status, or a thrown value of any kind."""

from __future__ import annotations

import http
from typing import Any

from kkjupyter.errors import EncodeError, RemoteError, RemoteThrow, UsageError
from kkjupyter.wire.values import json_codec
from kkjupyter.wire.values.javascript import undefined
from kkjupyter.wire.values.json_text import dumps

__all__ = ["HttpException", "Throw"]


class HttpException(RemoteError):
    """Ends a call with an HTTP status: ``raise vovk.HttpException(403, "not allowed")``.

    Once a stream has begun its status is 200 and stays so; then only the message arrives.

    Args:
        status: from 400 to 599; may be an :class:`http.HTTPStatus`.
        message: what went wrong; by default the name of the status.
        cause: any value with a JSON form; clients of 3.x get it, older ones do not.

    Raises:
        UsageError: the status is not an error status.
    """

    def __init__(self, status: int, message: str | None = None, cause: Any = None) -> None:
        if not 400 <= status <= 599:
            raise UsageError(f"HttpException takes a status from 400 to 599, not {status!r}")
        if message is None:
            known = {s.value: s.phrase for s in http.HTTPStatus}
            message = known.get(int(status), "Error")
        super().__init__(message, name="HttpException", cause=cause, status=int(status))


class Throw(RemoteThrow):
    """Throws a value that is not an error, as JavaScript can: ``raise vovk.Throw({"hello":
    "World"})``.

    Clients get the value as it is. They read text as the message of an error: the wire does not
    tell the two apart. Without a value, ``undefined`` is thrown.

    Attributes:
        value: the thrown value.
    """

    def __init__(self, value: Any = undefined) -> None:
        super().__init__(value, _text(value))


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is undefined:
        return "undefined"
    try:
        return dumps(json_codec.encode(value, tags_bytes=False)).decode()
    except EncodeError:  # reported when it is sent; its text must not fail
        return repr(value)
