"""Turns one line of the classic wire, in either codec, into one event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from kkjupyter.errors import ProtocolError
from kkjupyter.wire.events import (
    CallbackInvoked,
    CallbackRef,
    Cancelled,
    Ended,
    Event,
    Failed,
    Item,
    NotUnderstood,
    Opened,
    Operation,
    Replied,
    Requested,
)
from kkjupyter.wire.framing import excerpt
from kkjupyter.wire.kkrpc.base import Codec
from kkjupyter.wire.kkrpc.envelopes import UNREADABLE, parse_leniently, read_head, revive
from kkjupyter.wire.message_cost import (
    CHECKED_FROM_BYTES,
    DEFAULT_MEMORY_BYTES,
    LARGE_BYTES,
    check_weight,
    held_bytes,
    item_bytes,
    uncollected,
)
from kkjupyter.wire.values import json_codec
from kkjupyter.wire.values.error_objects import read_object
from kkjupyter.wire.values.javascript import undefined

__all__ = ["CALLBACK_PREFIX", "CODECS", "REQUEST_TYPES", "read_message", "read_usual_item"]


CODECS: tuple[Codec, ...] = ("superjson", "json")

CALLBACK_PREFIX = "__callback__"
_SUPERJSON_PREFIX = b'{"json":'
# The library sends these two as null, tagged undefined, in nearly every message: no information.
_NOISE = frozenset({"transferSlots", "callbackIds"})
REQUEST_TYPES: dict[str, Operation] = {
    "request": "call",
    "get": "get",
    "set": "set",
    "construct": "new",
}


# Around id and value of an item: superjson of kkrpc, superjson of ours, json of both.
_ITEM_FORMS = (
    (
        b'{"json":{"id":"',
        b'},"type":"stream-chunk","transferSlots":null,"version":"superjson"},'
        b'"meta":{"values":{"transferSlots":["undefined"]},"v":1}}\n',
    ),
    (b'{"json":{"id":"', b'},"type":"stream-chunk","version":"superjson"}}\n'),
    (b'{"id":"', b'},"type":"stream-chunk","version":"json"}\n'),
)
_BEFORE_VALUE = b'","method":"","args":{"value":'


class _Message(msgspec.Struct, gc=False):
    type: str
    id: str = ""
    method: str | None = None
    args: Any = None
    path: list[Any] | None = None
    value: Any = msgspec.UNSET
    meta: Any = None
    callback_ids: list[str] | None = msgspec.field(default=None, name="callbackIds")


class _Envelope(msgspec.Struct, gc=False):
    json: _Message
    meta: dict[str, Any] | None = None


_decode_value = msgspec.json.Decoder().decode
_decode_message = msgspec.json.Decoder(_Message).decode
_decode_envelope = msgspec.json.Decoder(_Envelope).decode


def read_message(line: bytes, memory_bytes: int = DEFAULT_MEMORY_BYTES) -> Event | None:
    """The event of one line; None if the line is blank.

    Only the head is read of a message that must not be decoded; the call or stream that it belongs
    to fails.

    Args:
        line: with or without its end.
        memory_bytes: how much memory the values of one message may take.

    Raises:
        ProtocolError: it is not a message, or not a whole one.
    """
    if len(line) < CHECKED_FROM_BYTES:
        return _read_message(line, memory_bytes)
    try:
        check_weight(line, memory_bytes)
    except ProtocolError as error:
        return _refused(line, error)
    if len(line) < LARGE_BYTES:
        return _read_message(line, memory_bytes)
    with uncollected():
        return _read_message(line, memory_bytes)


def _refused(line: bytes, error: ProtocolError) -> Event:
    head = read_head(line)
    if head is None or not head.type:
        raise error
    if head.type in _ANSWERS:
        return Failed(head.id, error)
    return NotUnderstood(error.reason, excerpt(line), head.id)


def _read_message(line: bytes, memory_bytes: int) -> Event | None:
    if not line.startswith(_SUPERJSON_PREFIX):
        line = line.strip()
        if not line:
            return None
        if not line.startswith(b"{"):
            raise ProtocolError("not a message")
    codec: Codec
    if line.startswith(_SUPERJSON_PREFIX):
        codec = "superjson"
        try:
            envelope = _decode_envelope(line)
        except UNREADABLE as exc:
            envelope = parse_leniently(line, _Envelope, exc, memory_bytes)
        message, meta = envelope.json, envelope.meta
    else:
        codec, meta = "json", None
        try:
            message = _decode_message(line)
        except UNREADABLE as exc:
            message = parse_leniently(line, _Message, exc, memory_bytes)
    try:
        read = _READERS.get(message.type)
        if read is None:
            raise ProtocolError(f"unknown message type {message.type!r}")
        if meta:
            _revive(message, meta)
        elif codec == "json" and b'"Uint8Array"' in line:
            message.args = json_codec.decode(message.args)
            message.value = json_codec.decode(message.value)
        return read(message, codec, line)
    except ProtocolError as error:
        reason = error.reason
    # It has an id, so its answer may be waited for.
    if message.type in _ANSWERS:
        return Failed(message.id, ProtocolError(reason, excerpt(line)))
    return NotUnderstood(reason, excerpt(line), message.id)


def read_usual_item(line: bytes, memory_bytes: int = DEFAULT_MEMORY_BYTES) -> Item | None:
    """An item without annotations, as peers write it; nearly every message is one.

    The bytes around the value are compared, and only the value is parsed: if that is JSON by
    itself, the line is the message that it looks like. None if it has to be read in full, or is too
    heavy; ``memory_bytes`` is as in :func:`read_message`.
    """
    for head, tail in _ITEM_FORMS:
        if line.endswith(tail) and line.startswith(head):
            break
    else:
        return None
    id_end = line.find(b'"', len(head))
    value = line[id_end + len(_BEFORE_VALUE) : -len(tail)]
    stream_id = line[len(head) : id_end]
    if (
        not line.startswith(_BEFORE_VALUE, id_end)
        or b"\\" in stream_id
        or b'"Uint8Array"' in value  # the json codec's own form of bytes
    ):
        return None
    try:
        if len(value) < CHECKED_FROM_BYTES:
            return Item(stream_id.decode(), _decode_value(value), len(line))
        check_weight(value, memory_bytes)
        if len(value) < LARGE_BYTES:
            return Item(stream_id.decode(), _decode_value(value), len(line))
        with uncollected():
            item = _decode_value(value)
        return Item(stream_id.decode(), item, item_bytes(line, item))
    except (*UNREADABLE, ProtocolError):
        return None


def _revive(message: _Message, meta: dict[str, Any]) -> None:
    """Apply superjson's annotations to the parts of ``message`` that hold user values."""
    values = meta.get("values")
    if isinstance(values, dict):
        if not meta.get("referentialEqualities") and _NOISE.issuperset(values):
            return
        meta = {**meta, "values": {k: v for k, v in values.items() if k not in _NOISE}}
    root = revive({"args": message.args, "value": message.value, "meta": message.meta}, meta)
    message.args, message.meta = root["args"], root["meta"]
    message.value = root.get("value", msgspec.UNSET)


def _args_object(message: _Message) -> Mapping[str, Any]:
    if isinstance(message.args, dict):
        return message.args
    raise ProtocolError(f"a {message.type} without args")


def _read_item(message: _Message, codec: str, line: bytes) -> Event:
    args = message.args
    if type(args) is not dict:
        args = _args_object(message)
    value = args.get("value", undefined)
    return Item(message.id, value, item_bytes(line, value))


def _read_end(message: _Message, codec: str, line: bytes) -> Event:
    return Ended(message.id, undefined)


def _read_response(message: _Message, codec: str, line: bytes) -> Event:
    args = _args_object(message)
    if "error" in args:
        return Failed(message.id, read_object(args["error"]))
    result = args.get("result", undefined)
    # Not ==: to Python {"__stream": 1} is the same, and to the peers it is a value.
    if type(result) is dict and len(result) == 1 and result.get("__stream") is True:
        return Opened(message.id, message.id)
    return Replied(message.id, result)


def _read_stream_error(message: _Message, codec: str, line: bytes) -> Event:
    return Failed(message.id, read_object(_args_object(message).get("error")))


def _read_cancel(message: _Message, codec: str, line: bytes) -> Event:
    return Cancelled(message.id)


def _read_callback(message: _Message, codec: str, line: bytes) -> Event:
    args = message.args if isinstance(message.args, list) else []
    return CallbackInvoked(message.method or "", args, held_bytes(line))


def _read_request(message: _Message, codec: str, line: bytes) -> Event:
    operation = REQUEST_TYPES[message.type]
    if operation in ("get", "set"):
        path = tuple(str(part) for part in message.path or ())
    else:
        path = tuple((message.method or "").split("."))
    args = message.args if isinstance(message.args, list) else []
    # A string that only looks like a callback is the user's own unless it is listed.
    refs = {
        CALLBACK_PREFIX + callback_id: callback_id for callback_id in message.callback_ids or ()
    }
    if refs:
        args = [
            CallbackRef(refs[arg]) if isinstance(arg, str) and arg in refs else arg for arg in args
        ]
    value = undefined if message.value is msgspec.UNSET else message.value
    meta = message.meta if type(message.meta) is dict else None
    return Requested(message.id, operation, path, args, value, codec, meta, held_bytes(line))


_Reader = Callable[[_Message, Codec, bytes], Event]
_READERS: dict[str, _Reader] = {
    "stream-chunk": _read_item,
    "stream-end": _read_end,
    "stream-error": _read_stream_error,
    "stream-cancel": _read_cancel,
    "response": _read_response,
    "callback": _read_callback,
    **dict.fromkeys(REQUEST_TYPES, _read_request),
}
_ANSWERS = frozenset({"response", "stream-chunk", "stream-end", "stream-error"})
