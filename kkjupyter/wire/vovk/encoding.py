"""What a Vovk server sends: values and errors of streams, unary replies, the heads of both.

Everything in the words and the order of the real servers, so that their clients read it. For the
end of a stream nothing is sent; after an error the old servers break the connection off, and ending
the body is as good.
"""

from __future__ import annotations

from typing import Any, Final

from kkjupyter.errors import EncodeError, RemoteError, RemoteThrow
from kkjupyter.wire.values import json_codec
from kkjupyter.wire.values.javascript import undefined
from kkjupyter.wire.values.json_text import dumps
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

REPLY_HEADERS: Final = {"content-type": "application/json"}
"""The head of a unary reply and of an error reply."""

# The same text to a JSON parser, and no divider to who looks for one. Two dividers may share the
# underscores between them, so the last two are left out.
_HEAD: Final = DIVIDER[:-2]
_HIDDEN_HEAD: Final = _HEAD.replace(b"##", b"\\u0023#", 1)


def stream_headers(wire_format: WireFormat, accept: str = "") -> dict[str, str]:
    """The head of a stream.

    Args:
        wire_format: what it is in.
        accept: the request's Accept header. 3.x calls JSON Lines by their name only to those who
            ask for them; to all others they are plain text.
    """
    if wire_format == "divider":
        return {
            "content-type": "text/event-stream",  # which it is not, but so they call it
            "content-encoding": "none",
            "cache-control": "no-cache, no-transform",
        }
    asked = "application/jsonl" in accept.lower()
    return {"content-type": f"{'application/jsonl' if asked else 'text/plain'}; charset=utf-8"}


def encode_item(value: Any, wire_format: WireFormat) -> bytes:
    """One value of a stream; ``undefined`` goes as null.

    Raises:
        EncodeError: it cannot be put on the wire, or the clients would take it for an error.
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
        reason: what was thrown, see :func:`thrown_reason`; ``undefined`` for nothing.
        wire_format: what the stream is in.

    Raises:
        EncodeError: it cannot be put on the wire.
    """
    message: dict[str, Any] = {"isError": True}
    if reason is not undefined:
        message["reason"] = json_codec.encode(reason, prefix="reason", tags_bytes=False)
    return _with_end(message, wire_format)


def thrown_reason(error: BaseException) -> Any:
    """What the wire carries of an exception: a thrown value as it is, else the message."""
    if isinstance(error, RemoteThrow):
        return error.value
    if isinstance(error, RemoteError):
        return error.message
    try:
        return str(error) or type(error).__name__
    except Exception as failure:  # noqa: BLE001  it would hide that there was an error at all
        return f"(its text cannot be read: {type(failure).__name__})"


def encode_reply(value: Any) -> bytes:
    """The body of a unary reply; None and ``undefined`` both go as null.

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
        cause: any value; ``undefined`` for none. Servers before 3.x have none.
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
    """The message of the 404 for a path, or a method of it, that is not there."""
    if wire_format == "divider":
        return "Route is not found"
    where = f"segment '{segment}'" if segment else "the root segment"
    return f"Route '{path}' is not found for {http_method} method at {where}"


def _with_end(plain: Any, wire_format: WireFormat) -> bytes:
    data = dumps(plain)
    if wire_format == "jsonlines":
        return data + b"\n"
    return data.replace(_HEAD, _HIDDEN_HEAD) + DIVIDER
