"""The messages of a Vovk server: values and errors of streams, unary replies, and the headers of
both.

Wording and order are those of the real servers, so that their clients understand them. Nothing is
sent for the end of a stream. After an error the old servers abort the connection; ending the body
has the same effect.
"""

from __future__ import annotations

from typing import Any, Final

from kkjupyter.errors import EncodeError, RemoteError, RemoteThrow
from kkjupyter.wire.values import json_codec
from kkjupyter.wire.values.javascript import undefined
from kkjupyter.wire.values.json_text import dumps
from kkjupyter.wire.vovk.media_types import JSON
from kkjupyter.wire.vovk.schema.model import WireFormat
from kkjupyter.wire.vovk.stream_body import DIVIDER

__all__ = [
    "REPLY_HEADERS",
    "encode_error",
    "encode_failure",
    "encode_item",
    "encode_reply",
    "missing_route",
    "stream_headers",
    "thrown_reason",
]

REPLY_HEADERS: Final = {"content-type": JSON}
"""The head of a unary reply and of an error reply."""

# The same text to a JSON parser, but not a divider. Two dividers may share the underscores between
# them, so the last two are left out.
_HEAD: Final = DIVIDER[:-2]
_HIDDEN_HEAD: Final = _HEAD.replace(b"##", b"\\u0023#", 1)


def stream_headers(wire_format: WireFormat, accept: str = "") -> dict[str, str]:
    """The headers of a stream.

    Args:
        wire_format: the format of the stream.
        accept: the request's Accept header. 3.x names the type JSON Lines only for clients that ask
            for it; for all others it is plain text.
    """
    if wire_format == "divider":
        return {
            "content-type": "text/event-stream",  # which it is not, but the real servers call it so
            "content-encoding": "none",
            "cache-control": "no-cache, no-transform",
        }
    asked = "application/jsonl" in accept.lower()
    return {"content-type": f"{'application/jsonl' if asked else 'text/plain'}; charset=utf-8"}


def encode_item(value: Any, wire_format: WireFormat) -> bytes:
    """One value of a stream; ``undefined`` is sent as null.

    Raises:
        EncodeError: it cannot be put on the wire, or clients would read it as an error.
    """
    plain = json_codec.encode(value, prefix="item", tags_bytes=False)
    if type(plain) is dict and "isError" in plain and ("reason" in plain or len(plain) == 1):
        raise EncodeError(
            "item", "clients would read an object with isError and reason as an error"
        )
    return _with_end(plain, wire_format)


def encode_failure(reason: Any, wire_format: WireFormat) -> bytes:
    """The error that a stream ended with, its last message.

    Args:
        reason: the thrown value, see :func:`thrown_reason`; ``undefined`` for no reason.
        wire_format: the format of the stream.

    Raises:
        EncodeError: it cannot be put on the wire.
    """
    message: dict[str, Any] = {"isError": True}
    if reason is not undefined:
        message["reason"] = json_codec.encode(reason, prefix="reason", tags_bytes=False)
    return _with_end(message, wire_format)


def thrown_reason(error: BaseException) -> Any:
    """The part of an exception that is sent: a thrown value as it is, else the message."""
    if isinstance(error, RemoteThrow):
        return error.value
    if isinstance(error, RemoteError):
        return error.message
    try:
        return str(error) or type(error).__name__
    except Exception as failure:  # noqa: BLE001  it would hide that there was an error at all
        return f"(its text cannot be read: {type(failure).__name__})"


def encode_reply(value: Any) -> bytes:
    """The body of a unary reply; None and ``undefined`` are both sent as null.

    Raises:
        EncodeError: it cannot be put on the wire.
    """
    return dumps(json_codec.encode(value, prefix="result", tags_bytes=False))


def encode_error(
    status: int, message: str, cause: Any = undefined, *, wire_format: WireFormat = "jsonlines"
) -> bytes:
    """The body of an error reply.

    Args:
        status: the HTTP status, which the body repeats.
        message: what went wrong.
        cause: any value; ``undefined`` for no cause. Servers before 3.x send no cause.
        wire_format: what the server speaks.

    Raises:
        EncodeError: the cause cannot be put on the wire.
    """
    body: dict[str, Any] = {}
    if cause is not undefined and wire_format == "jsonlines":
        body["cause"] = json_codec.encode(cause, prefix="cause", tags_bytes=False)
    return dumps(body | {"statusCode": status, "message": message, "isError": True})


def missing_route(
    path: str, http_method: str, segment: str = "", *, wire_format: WireFormat
) -> str:
    """The message of a 404 for an unknown path, or for an unknown HTTP method of one."""
    if wire_format == "divider":
        return "Route is not found"
    where = f"segment '{segment}'" if segment else "the root segment"
    return f"Route '{path}' is not found for {http_method} method at {where}"


def _with_end(plain: Any, wire_format: WireFormat) -> bytes:
    data = dumps(plain)
    if wire_format == "jsonlines":
        return data + b"\n"
    return data.replace(_HEAD, _HIDDEN_HEAD) + DIVIDER
