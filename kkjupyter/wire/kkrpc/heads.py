"""Reads the addressee of a message without decoding it: the values are skipped, not built.

Used for a message that must not be decoded, and for a first one, of which only the protocol
matters.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple

import msgspec

from kkjupyter.wire.kkrpc.base import Codec

__all__ = ["Head", "is_json", "read_head"]


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
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError)


def read_head(data: bytes) -> Head | None:
    """The head of one message of either protocol in either codec; None if it is not a message."""
    codec: Codec = "json"
    try:
        fields = _decode_fields(_without_surrogates(data))
        if not bytes(fields.t) and not bytes(fields.type):
            codec, fields = "superjson", _decode_fields(fields.json)
    except _UNREADABLE:
        return None
    except RecursionError:
        return _guess_head(data)
    head = Head(_text(fields.t), _text(fields.type), _text(fields.id), _text(fields.sid), codec)
    return head if head.t or head.type else None


def is_json(data: bytes) -> bool:
    """Whether ``data`` is one whole JSON value, or is nested too deeply to know."""
    try:
        _pass_over(_without_surrogates(data))
    except _UNREADABLE:
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
    except _UNREADABLE:  # missing, or not text
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
