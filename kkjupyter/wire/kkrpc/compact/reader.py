"""Turns one line of the compact wire, in either codec, into one event."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import msgspec

from kkjupyter.errors import KKError, ProtocolError
from kkjupyter.wire.events import (
    Acknowledged,
    CallbackInvoked,
    CallbackRef,
    CallbacksReleased,
    Cancelled,
    Credited,
    Ended,
    Event,
    Failed,
    Item,
    NotUnderstood,
    Opened,
    Operation,
    Replied,
    Requested,
    StreamRef,
    Thrown,
)
from kkjupyter.wire.framing import excerpt
from kkjupyter.wire.kkrpc.base import Codec
from kkjupyter.wire.kkrpc.compact.errors import NO_REFERENCES, read_error
from kkjupyter.wire.kkrpc.envelopes import (
    UNREADABLE,
    Head,
    convert,
    parse_leniently,
    read_head,
    revive,
)
from kkjupyter.wire.message_cost import (
    CHECKED_FROM_BYTES,
    DEFAULT_MEMORY_BYTES,
    LARGE_BYTES,
    check_weight,
    held_bytes,
    item_bytes,
    uncollected,
)
from kkjupyter.wire.values.javascript import undefined
from kkjupyter.wire.values.superjson.decoder import shorten

__all__ = ["ARGUMENT_TAG", "STREAM_KIND", "STREAM_TAG", "Reader"]

ARGUMENT_TAG = "__kkrpc_next_arg__"
STREAM_TAG = "__kkrpc_next_stream__"
STREAM_KIND = "async-iterable"

_OPERATIONS: dict[str, Operation] = {"call": "call", "get": "get", "set": "set", "new": "new"}
_SUPERJSON_PREFIX = b'{"json":'
_MAX_CREDIT = 2**53
_UNSET = msgspec.UNSET


class _Message(msgspec.Struct, gc=False):
    # Any type is accepted here, so that a wrong message is reported in words, to its call.
    t: Any = _UNSET
    id: Any = _UNSET
    sid: Any = _UNSET
    d: Any = None
    v: Any = _UNSET
    e: Any = None
    op: Any = None
    p: Any = None
    a: Any = _UNSET
    n: Any = None
    ids: Any = None
    meta: Any = None
    json: Any = _UNSET


class _Envelope(msgspec.Struct, gc=False):
    json: _Message
    meta: Any = None
    t: Any = _UNSET


class _ItemMessage(msgspec.Struct, gc=False, tag_field="t", tag="sr"):
    # Nearly every message is one of these; msgspec checks the types while it parses them.
    id: str
    sid: str
    d: bool = False
    v: Any = _UNSET
    e: Any = None


class _ItemEnvelope(msgspec.Struct, gc=False):
    json: _ItemMessage
    meta: Any = None
    t: Any = _UNSET


_decode_message = msgspec.json.Decoder(_Message).decode
_decode_envelope = msgspec.json.Decoder(_Envelope).decode
_decode_item = msgspec.json.Decoder(_ItemMessage).decode
_decode_item_envelope = msgspec.json.Decoder(_ItemEnvelope).decode
_ITEM_PREFIX = b'{"t":"sr"'
_ENVELOPED_ITEM_PREFIX = b'{"json":{"t":"sr"'
# All fields that may hold a user's values, or values that JSON cannot express.
_ANNOTATED = ("v", "a", "e", "meta", "d", "n", "ids")


class Reader:
    """Reads the messages that one side of a connection receives.

    Args:
        control_mark: the beginning of the ids of this side's own controls. A stream message with
            such an id is the outcome of that control.
        memory_bytes: how much memory the values of one message may take.
    """

    def __init__(self, control_mark: str, memory_bytes: int = DEFAULT_MEMORY_BYTES) -> None:
        self._control_mark = control_mark
        self._memory_bytes = memory_bytes

    def read(self, line: bytes, is_checked: bool = False) -> Event:
        """The event of one line.

        Only the head is read of a message that must not be decoded; the call or stream that it
        belongs to fails.

        Args:
            line: with or without its end.
            is_checked: whether it was already checked that it may be decoded.

        Raises:
            ProtocolError: it is not a message, or not a whole one.
        """
        if len(line) >= CHECKED_FROM_BYTES and not is_checked:
            return self._check_and_read(line)
        item: _ItemMessage | None = None
        try:
            if line.startswith(_ITEM_PREFIX):
                item = _decode_item(line)
            elif line.startswith(_ENVELOPED_ITEM_PREFIX):
                envelope = _decode_item_envelope(line)
                if not envelope.meta and envelope.t is _UNSET:
                    item = envelope.json
        except UNREADABLE:
            pass  # it may still be another kind of message; if not, that is reported then
        if (
            item is not None
            and item.e is None
            and not (item.d or item.id.startswith(self._control_mark))
        ):
            value = item.v
            size_bytes = len(line) if len(line) < LARGE_BYTES else item_bytes(line, value)
            return Item(item.sid, undefined if value is _UNSET else value, size_bytes)
        return self._read_any(line)

    def _check_and_read(self, line: bytes) -> Event:
        try:
            check_weight(line, self._memory_bytes)
        except ProtocolError as error:
            return self._refused(line, error)
        if len(line) < LARGE_BYTES:
            return self.read(line, is_checked=True)
        with uncollected():
            return self.read(line, is_checked=True)

    def _refused(self, line: bytes, error: ProtocolError) -> Event:
        head = read_head(line)
        if head is None or not head.t:
            raise error
        if head.t in _ANSWERS:
            return self._failed(head, error)
        call_id = head.id if head.t not in _UNANSWERED else ""
        return NotUnderstood(error.reason, excerpt(line), call_id)

    def _read_any(self, line: bytes) -> Event:
        message, codec, meta = _open(line, self._memory_bytes)
        try:
            if type(message.t) is not str:
                raise ProtocolError("not a message of kkrpc 2")
            read = _READERS.get(message.t)
            if read is None:
                raise ProtocolError(f"unknown message type {shorten(message.t)}")
            if type(message.id) is not str and message.t != "cbr":
                raise ProtocolError("a message without an id that is text")
            try:
                if meta:
                    _revive(message, meta)
                return read(self, message, codec, line)
            except ProtocolError as error:
                # It has an address, so it may be waited for.
                if message.t in _ANSWERS:
                    return self._failed(message, ProtocolError(error.reason, excerpt(line)))
                raise
        except ProtocolError as error:
            is_request = type(message.t) is str and message.t not in _UNANSWERED
            call_id = message.id if is_request and type(message.id) is str else ""
            return NotUnderstood(error.reason, excerpt(line), call_id)

    def _failed(self, message: _Message | Head, error: KKError) -> Event:
        if message.t == "r":
            return Failed(message.id, error)
        if type(message.sid) is not str:
            raise error
        if message.id.startswith(self._control_mark):
            control_id = message.id[len(self._control_mark) :]
            return Acknowledged(control_id, message.sid, True, undefined, error)
        return Failed(message.sid, error)

    def _read_response(self, message: _Message, codec: Codec, line: bytes) -> Event:
        if _is_error(message.e):
            return self._failed(message, read_error(message.e))
        stream_id = _stream_id(message.v)
        if stream_id is not None:
            return Opened(message.id, stream_id)
        return Replied(message.id, _value(message))

    def _read_stream_response(self, message: _Message, codec: Codec, line: bytes) -> Event:
        if type(message.sid) is not str:
            raise ProtocolError("a stream's message without a stream id")
        if _is_error(message.e):
            return self._failed(message, read_error(message.e))
        done, value = message.d is True, _value(message)
        if message.id.startswith(self._control_mark):
            control_id = message.id[len(self._control_mark) :]
            return Acknowledged(control_id, message.sid, done, value)
        if done:
            return Ended(message.sid, value)
        return Item(message.sid, value, item_bytes(line, value))

    def _read_stream_request(self, message: _Message, codec: Codec, line: bytes) -> Event:
        if type(message.sid) is not str:
            raise ProtocolError("a stream's message without a stream id")
        match message.op:
            case "pull":
                return Credited(message.sid, _credit(message.n), message.id)
            case "return":
                return Cancelled(message.sid, message.id, _value(message))
            case "throw":
                return Thrown(message.sid, message.id, _value(message))
        raise ProtocolError(f"unknown stream operation {shorten(message.op)}")

    def _read_request(self, message: _Message, codec: Codec, line: bytes) -> Event:
        if message.op == "ref":
            raise ProtocolError(NO_REFERENCES)
        operation = _OPERATIONS.get(message.op) if type(message.op) is str else None
        if operation is None:
            raise ProtocolError(f"unknown operation {shorten(message.op)}")
        path = message.p
        if type(path) is not list or not all(type(part) is str for part in path):
            raise ProtocolError("a request whose path is not a list of names")
        value = _value(message)
        if _stream_id(value) is not None:
            raise ProtocolError("a stream cannot be the value of a property")
        meta = message.meta if type(message.meta) is dict else None
        return Requested(
            message.id,
            operation,
            tuple(path),
            _arguments(message),
            value,
            codec,
            meta,
            held_bytes(line),
        )

    def _read_callback(self, message: _Message, codec: Codec, line: bytes) -> Event:
        return CallbackInvoked(message.id, _arguments(message), held_bytes(line))

    def _read_release(self, message: _Message, codec: Codec, line: bytes) -> Event:
        ids = message.ids
        if type(ids) is not list or not all(type(callback_id) is str for callback_id in ids):
            raise ProtocolError("a release whose ids are not a list of strings")
        return CallbacksReleased(tuple(ids))


_Read = Callable[[Reader, _Message, Codec, bytes], Event]
_READERS: dict[str, _Read] = {
    "sr": Reader._read_stream_response,
    "r": Reader._read_response,
    "sq": Reader._read_stream_request,
    "q": Reader._read_request,
    "cb": Reader._read_callback,
    "cbr": Reader._read_release,
}
_ANSWERS = frozenset({"r", "sr"})
# No one waits for an answer with the id of one of these.
_UNANSWERED = frozenset({"r", "sr", "sq", "cb", "cbr"})


def _open(line: bytes, memory_bytes: int) -> tuple[_Message, Codec, Any]:
    """The message in a line, its codec and superjson's annotations, not yet applied."""
    try:
        if line.startswith(_SUPERJSON_PREFIX):
            envelope = _decode_envelope(line)
            if envelope.t is _UNSET:
                return envelope.json, "superjson", envelope.meta
        message = _decode_message(line)
    except UNREADABLE as exc:
        if not line.lstrip().startswith(b"{"):  # not parsed again: there may be thousands
            raise ProtocolError(f"not a message ({exc})", excerpt(line)) from exc
        message = parse_leniently(line, _Message, exc, memory_bytes)
    if message.t is not _UNSET or message.json is _UNSET:
        return message, "json", None
    return convert(message.json, _Message, line), "superjson", message.meta


def _revive(message: _Message, meta: Any) -> None:
    for name, value in revive({n: getattr(message, n) for n in _ANNOTATED}, meta).items():
        setattr(message, name, value)


def _is_error(field: Any) -> bool:
    return field is not None and field is not undefined


def _value(message: _Message) -> Any:
    return undefined if message.v is _UNSET else message.v


def _stream_id(value: Any) -> str | None:
    """The id in a stream's handle; None for any other value."""
    if type(value) is dict and len(value) == 2 and value.get(STREAM_TAG) == STREAM_KIND:
        stream_id = value.get("id")
        return stream_id if type(stream_id) is str else None
    return None


def _arguments(message: _Message) -> list[Any]:
    if message.a is _UNSET:
        return []
    if type(message.a) is not list:
        raise ProtocolError("arguments that are not a list")
    return [_argument(arg) for arg in message.a]


def _argument(arg: Any) -> Any:
    """An argument out of its envelope; kkrpc's own Python client sends it without one."""
    kind = arg.get(ARGUMENT_TAG) if type(arg) is dict else None
    if kind == "callback":
        if type(arg.get("id")) is not str:
            raise ProtocolError("a callback without an id that is text")
        return CallbackRef(arg["id"])
    value = arg.get("v", undefined) if kind == "value" else arg
    stream_id = _stream_id(value)
    return value if stream_id is None else StreamRef(stream_id)


def _credit(count: Any) -> int:
    """The credit in a message, by the peers' rule: a non-number, or less than 1, counts as 1."""
    if type(count) is float and math.isfinite(count):
        count = int(min(count, _MAX_CREDIT))
    if type(count) is not int:
        return 1
    return max(1, min(count, _MAX_CREDIT))
