"""Reads and writes messages in either codec, the same for both protocols.

:func:`read_head` reads only the addressee; the values are skipped, not built. That serves a message
that must not be decoded, and a first one, of which only the protocol matters.
"""

from __future__ import annotations

import re
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from kkjupyter.errors import ProtocolError
from kkjupyter.wire.framing import excerpt
from kkjupyter.wire.kkrpc.base import Codec
from kkjupyter.wire.message_cost import DEFAULT_MEMORY_BYTES
from kkjupyter.wire.values import superjson
from kkjupyter.wire.values.json_text import dumps, loads

__all__ = [
    "UNREADABLE",
    "Head",
    "convert",
    "is_json",
    "parse_leniently",
    "read_head",
    "revive",
    "write_message",
]

_T = TypeVar("_T")

# What msgspec raises for bytes that are not a message, or not one that it can read.
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def parse_leniently(
    line: bytes, kind: type[_T], refused: Exception, memory_bytes: int = DEFAULT_MEMORY_BYTES
) -> _T:
    """Parse a line that msgspec ``refused`` for lone surrogates: Node sends them, and json reads
    them.

    Raises:
        ProtocolError: it was refused for another reason.
    """
    if isinstance(refused, msgspec.ValidationError):
        raise ProtocolError(f"not a message ({refused})", excerpt(line)) from refused
    return convert(loads(line, memory_bytes=memory_bytes), kind, line)


def convert(json: Any, kind: type[_T], line: bytes) -> _T:
    """Parsed JSON as a ``kind``.

    Raises:
        ProtocolError: it is not one; the error shows ``line``.
    """
    try:
        return msgspec.convert(json, kind)
    except (msgspec.ValidationError, UnicodeEncodeError) as exc:  # the latter for a field's name
        raise ProtocolError(f"not a message ({exc})", excerpt(line)) from exc


def revive(parts: dict[str, Any], meta: Any) -> dict[str, Any]:
    """The fields of a message with superjson's annotations applied to them; UNSET is left out.

    Raises:
        ProtocolError: the annotations do not fit.
    """
    if not isinstance(meta, dict):
        raise ProtocolError("superjson annotations that are not an object")
    root = superjson.decode({k: v for k, v in parts.items() if v is not msgspec.UNSET}, meta)
    if type(root) is not dict:
        raise ProtocolError("superjson annotations on the message itself")
    return root


def write_message(message: dict[str, Any], meta: dict[str, Any] | None, codec: str) -> bytes:
    """One message as a line; ``meta`` holds superjson's annotations, if any."""
    if codec != "superjson":
        return dumps(message) + b"\n"
    envelope = {"json": message} if meta is None else {"json": message, "meta": meta}
    return dumps(envelope) + b"\n"


class Head(NamedTuple):
    """The fields that give a message's type and address; empty if they are missing.

    Attributes:
        t: the type in the compact protocol.
        type: the type in the classic one.
        id: of the call or the control.
        sid: of the stream, in the compact protocol.
        codec: the codec of the message.
    """

    t: str
    type: str
    id: str
    sid: str
    codec: Codec


class _Fields(msgspec.Struct, gc=False):
    t: msgspec.Raw = msgspec.Raw()
    type: msgspec.Raw = msgspec.Raw()
    id: msgspec.Raw = msgspec.Raw()
    sid: msgspec.Raw = msgspec.Raw()
    json: msgspec.Raw = msgspec.Raw()


_decode_fields = msgspec.json.Decoder(_Fields).decode
_decode_text = msgspec.json.Decoder(str).decode
_pass_over = msgspec.json.Decoder(msgspec.Raw).decode
_NOT_JSON: Final = (msgspec.DecodeError, UnicodeDecodeError)


def read_head(data: bytes) -> Head | None:
    """The head of one message of either protocol in either codec; None if it is not a message."""
    codec: Codec = "json"
    try:
        fields = _decode_fields(_without_surrogates(data))
        if not bytes(fields.t) and not bytes(fields.type):
            codec, fields = "superjson", _decode_fields(fields.json)
    except _NOT_JSON:
        return None
    except RecursionError:
        return _guess_head(data)
    head = Head(_text(fields.t), _text(fields.type), _text(fields.id), _text(fields.sid), codec)
    return head if head.t or head.type else None


def is_json(data: bytes) -> bool:
    """Whether ``data`` is one whole JSON value, or is nested too deeply to know."""
    try:
        _pass_over(_without_surrogates(data))
    except _NOT_JSON:
        return False
    except RecursionError:
        return True
    return True


def _without_surrogates(data: bytes) -> bytes:
    """The same JSON with surrogates replaced: lone ones could not be skipped."""
    if b"\\ud" not in data and b"\\uD" not in data:
        return data
    return data.replace(b"\\ud", b"\\ua").replace(b"\\uD", b"\\uA")


def _text(raw: msgspec.Raw) -> str:
    try:
        return _decode_text(raw)
    except _NOT_JSON:  # missing, or not text
        return ""


# How the messages of all known peers begin and end.
_BEGIN: Final = re.compile(
    rb'\s*(\{"json":)?\{(?:"t":"([a-z]{1,8})",)?"id":"([^"\\]{1,256})"'
    rb'(?:,"sid":"([^"\\]{1,256})")?'
)
_TYPE: Final = re.compile(rb'"type":"([a-z-]{1,16})"')
_END_BYTES: Final = 1024


def _guess_head(data: bytes) -> Head | None:
    """The head of a message that is nested so deeply that it cannot even be skipped."""
    begin = _BEGIN.match(data)
    if begin is None or not data.rstrip().endswith(b"}"):
        return None
    superjson, t, call_id, stream_id = (
        (text or b"").decode("utf-8", "replace") for text in begin.groups()
    )
    types = _TYPE.findall(data[-_END_BYTES:])
    kind = types[-1].decode() if types and not t else ""
    return Head(t, kind, call_id, stream_id, "superjson" if superjson else "json")
