"""kkrpc 0.x, both codecs, both roles. Bytes in, events out, and back; no state but a line buffer.

Facts: one JSON message per line. Requests carry ``method`` (dotted) or ``path``; a response
carries ``args.result`` or ``args.error``; a stream is a response ``{"__stream": true}`` followed by
``stream-chunk`` messages with the call's id and one ``stream-end`` or ``stream-error``;
``stream-cancel`` is never acknowledged. With the superjson codec a message is wrapped as
``{"json": message, "meta": annotations}``; either side reads both codecs, message by message.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

import msgspec

from kkjupyter.errors import ProtocolError, RemoteError
from kkjupyter.wire import jsoncodec, superjson
from kkjupyter.wire.events import (
    CallbackInvoked,
    CallbackRef,
    Cancelled,
    Closing,
    Ended,
    Event,
    Failed,
    Item,
    NotUnderstood,
    Opened,
    Operation,
    Refusal,
    Replied,
    Requested,
)
from kkjupyter.wire.framing import DEFAULT_LIMIT_BYTES, LineBuffer, excerpt
from kkjupyter.wire.jsontext import dumps, loads
from kkjupyter.wire.values import undefined

__all__ = ["CODECS", "Classic", "Codec"]

Codec = Literal["superjson", "json"]
_T = TypeVar("_T")
CODECS: tuple[Codec, ...] = ("superjson", "json")

_DESTROY = b"__DESTROY__"
_SUPERJSON_PREFIX = b'{"json":'
_CALLBACK_PREFIX = "__callback__"
_STREAM_MARKER = {"__stream": True}
# The library sends these two as null, tagged undefined, in nearly every message: no information.
_NOISE = frozenset({"transferSlots", "callbackIds"})
_REQUEST_TYPES: dict[str, Operation] = {
    "request": "call",
    "get": "get",
    "set": "set",
    "construct": "new",
}
_MESSAGE_TYPES: dict[Operation, str] = {op: name for name, op in _REQUEST_TYPES.items()}


class _Message(msgspec.Struct, gc=False):
    type: str
    id: str = ""
    method: str | None = None
    args: Any = None
    path: list[Any] | None = None
    value: Any = msgspec.UNSET
    callback_ids: list[str] | None = msgspec.field(default=None, name="callbackIds")


class _Envelope(msgspec.Struct, gc=False):
    json: _Message
    meta: dict[str, Any] | None = None


_decode_message = msgspec.json.Decoder(_Message).decode
_decode_envelope = msgspec.json.Decoder(_Envelope).decode


class Classic:
    """One side of one classic connection.

    Feed what arrives to :meth:`receive` and act on the events it returns, in order. The other
    methods each return the bytes of one message, to be sent as one frame; they hold no state, so
    any thread may call them.

    Args:
        codec: the codec of the messages sent; answers go out in the codec of their request.
        limit_bytes: the longest message accepted.
    """

    name = "classic"

    def __init__(
        self, codec: Codec = "superjson", *, limit_bytes: int = DEFAULT_LIMIT_BYTES
    ) -> None:
        self.codec: Codec = codec
        self._lines = LineBuffer(limit_bytes)

    # ---- receiving

    def receive(self, chunks: Sequence[bytes], *, whole: bool = False) -> list[Event]:
        """Take received bytes; return what they say.

        Args:
            chunks: in order; messages may be split over them or joined in one.
            whole: each chunk is one frame of a transport that keeps boundaries. A message that
                lacks its line end is then understood at once (a 0.7 peer would hold it for ever).

        Raises:
            MessageTooBig: a message is over the limit; the connection cannot go on.
        """
        events: list[Event] = []
        lines = self._lines
        for chunk in chunks:
            # Nearly every chunk is one whole message: spare it the line buffer.
            if not lines.held_bytes and chunk.find(b"\n") == len(chunk) - 1 and chunk:
                self._read_line(chunk, 0, events)
            elif whole and chunk.strip() == _DESTROY:
                events.append(Closing())
            else:
                self._read_chunk(chunk, whole, events)
        return events

    def _read_chunk(self, chunk: bytes, whole: bool, events: list[Event]) -> None:
        glued_bytes = self._lines.held_bytes
        for line in self._lines.feed(chunk):
            self._read_line(line, glued_bytes, events)
            glued_bytes = 0
        if whole and self._lines.held_bytes:
            self._read_unfinished(glued_bytes, events)

    def _read_line(self, line: bytes, glued_bytes: int, events: list[Event]) -> None:
        try:
            self._read_message(line, events)
        except ProtocolError as error:
            # What waited for its end may be rubbish that spoils a sound message glued to it.
            head, tail = line[:glued_bytes], line[glued_bytes:]
            if not head:
                events.append(NotUnderstood(error.reason, error.excerpt))
                return
            events.append(NotUnderstood(error.reason, excerpt(head)))
            self._read_line(tail, 0, events)

    def _read_unfinished(self, glued_bytes: int, events: list[Event]) -> None:
        held = self._lines.take_held()
        complete: list[Event] = []
        if held.rstrip().endswith(b"}"):
            self._read_line(held, glued_bytes, complete)
        if any(type(event) is not NotUnderstood for event in complete):
            events.extend(complete)
        elif held.lstrip().startswith(b"{"):
            self._lines.hold(held)
        elif held.strip():
            events.append(NotUnderstood("not a message", excerpt(held)))

    def _read_message(self, line: bytes, events: list[Event]) -> None:
        if line.startswith(_SUPERJSON_PREFIX):
            codec: Codec = "superjson"
            message = _parse_superjson(line)
        else:
            line = line.strip()
            if not line:
                return
            if line.startswith(_SUPERJSON_PREFIX):
                self._read_message(line, events)
                return
            codec = "json"
            message = _parse_json(line)
        read = _READERS.get(message.type)
        if read is None:
            raise ProtocolError(f"unknown message type {message.type!r}", excerpt(line))
        events.append(read(message, codec, len(line)))

    # ---- asking

    def new_id(self) -> str:
        """A fresh id for a call or a callback."""
        return secrets.token_hex(12)

    def request(
        self,
        call_id: str,
        operation: Operation,
        path: Sequence[str],
        args: Sequence[Any] = (),
        value: Any = undefined,
    ) -> bytes:
        """A request; a function among ``args`` is given as a :class:`CallbackRef`.

        Raises:
            EncodeError: a value cannot be put on the wire; ``path`` says which.
        """
        callback_ids = [arg.id for arg in args if type(arg) is CallbackRef]
        message: dict[str, Any] = {"id": call_id, "type": _MESSAGE_TYPES[operation]}
        if operation in ("get", "set"):
            message.update(method="", args={}, path=list(path))
        else:
            message["method"] = ".".join(path)
        if callback_ids:
            message["callbackIds"] = callback_ids
        if operation == "set":
            return _encode(message, "value", value, self.codec)
        if operation == "get":
            return _encode(message, "args", {}, self.codec)
        wire_args = [_CALLBACK_PREFIX + a.id if type(a) is CallbackRef else a for a in args]
        return _encode(message, "args", wire_args, self.codec)

    def cancel(self, stream_id: str) -> bytes:
        """Tell the peer that a stream, or the answer to a call, is no longer wanted."""
        return _encode({"id": stream_id, "method": "", "type": "stream-cancel"}, "args", {}, "json")

    # ---- answering

    def reply(self, call_id: str, value: Any, codec: str) -> bytes:
        """The value of a call; :class:`EncodeError` when it cannot be put on the wire."""
        result = {} if value is undefined and codec == "json" else {"result": value}
        return _encode({"id": call_id, "method": "", "type": "response"}, "args", result, codec)

    def open_stream(self, call_id: str, codec: str) -> bytes:
        """The answer to a call whose value is a stream."""
        return self.reply(call_id, _STREAM_MARKER, codec)

    def item(self, stream_id: str, value: Any, codec: str) -> bytes:
        """One value of a stream; :class:`EncodeError` when it cannot be put on the wire."""
        chunk = {} if value is undefined and codec == "json" else {"value": value}
        message = {"id": stream_id, "method": "", "type": "stream-chunk"}
        return _encode(message, "args", chunk, codec)

    def end(self, stream_id: str, codec: str) -> bytes:
        """The end of a stream; the classic protocol carries no return value."""
        return _encode({"id": stream_id, "method": "", "type": "stream-end"}, "args", {}, codec)

    def refuse(self, request: Requested, reason: Refusal, at: int = 0) -> bytes:
        """The protocol's own error to a request: on this wire a bare string, in the peers' words.

        Args:
            request: what was asked for.
            reason: why it cannot be done.
            at: which part of the path is the trouble.
        """
        message = {"id": request.call_id, "method": "", "type": "response"}
        error = {"error": _refusal_text(request, reason, at)}
        return _encode(message, "args", error, request.codec)

    def fail_call(self, call_id: str, error: RemoteError, codec: str) -> bytes:
        """The error that a call ended with."""
        message = {"id": call_id, "method": "", "type": "response"}
        return _encode(message, "args", {"error": _error_object(error)}, codec)

    def fail_stream(self, stream_id: str, error: RemoteError, codec: str) -> bytes:
        """The error that a stream ended with."""
        message = {"id": stream_id, "method": "", "type": "stream-error"}
        return _encode(message, "args", {"error": _error_object(error)}, codec)

    def invoke_callback(self, callback_id: str, args: Sequence[Any], codec: str) -> bytes:
        """Call a function the peer passed; the classic protocol has no answer to that."""
        message = {"id": self.new_id(), "method": callback_id, "type": "callback"}
        return _encode(message, "args", list(args), codec)


def _refusal_text(request: Requested, reason: Refusal, at: int) -> str:
    path = ".".join(request.path)
    part = request.path[at] if at < len(request.path) else ""
    is_last = at == len(request.path) - 1
    match request.operation, reason:
        case _, "no_api":
            return "No API implementation available"
        case operation, "no_path":
            return f"Invalid {operation} request: missing path"
        case _, "read_only":
            return f"Property {path} cannot be set"
        case (("get" | "set"), _):
            return f"Property path {path} not found at {part}"
        case "new", "missing" if not is_last:
            return f"Constructor path {path} not found at {part}"
        case "new", _:
            return f"{path} is not a constructor function"
        case _, "missing" if not is_last:
            return f"Method path {path} not found at {part}"
    return f"Method {path} is not a function"


def _encode(message: dict[str, Any], key: str, user_value: Any, codec: str) -> bytes:
    """One message as bytes; ``user_value`` goes under ``key`` and is all that needs a codec."""
    message["version"] = codec
    if codec == "superjson":
        message[key], meta = superjson.encode(user_value, prefix=key)
        envelope = {"json": message} if meta is None else {"json": message, "meta": meta}
        return dumps(envelope) + b"\n"
    message[key] = jsoncodec.encode(user_value, prefix=key)
    return dumps(message) + b"\n"


def _parse_superjson(line: bytes) -> _Message:
    try:
        envelope = _decode_envelope(line)
    except msgspec.DecodeError as exc:
        envelope = _parse_leniently(line, _Envelope, exc)
    message, meta = envelope.json, envelope.meta
    if meta:
        values, equalities = meta.get("values"), meta.get("referentialEqualities")
        if equalities or (values and not _NOISE.issuperset(values)):
            _revive(message, meta)
    return message


def _parse_json(line: bytes) -> _Message:
    if not line.startswith(b"{"):
        raise ProtocolError("not a message", excerpt(line))
    try:
        message = _decode_message(line)
    except msgspec.DecodeError as exc:
        message = _parse_leniently(line, _Message, exc)
    if b'"Uint8Array"' in line:
        message.args = jsoncodec.decode(message.args)
        message.value = jsoncodec.decode(message.value)
    return message


def _parse_leniently(line: bytes, kind: type[_T], refused: msgspec.DecodeError) -> _T:
    """Node sends lone surrogates, which msgspec refuses and the standard json accepts."""
    try:
        if isinstance(refused, msgspec.ValidationError):
            raise refused
        return msgspec.convert(loads(line), kind)
    except msgspec.ValidationError as exc:
        raise ProtocolError(f"not a classic message ({exc})", excerpt(line)) from exc


def _revive(message: _Message, meta: dict[str, Any]) -> None:
    """Apply superjson's annotations to the parts of ``message`` that hold user values."""
    root = {"args": message.args, "value": message.value}
    if message.value is msgspec.UNSET:
        del root["value"]
    values = meta.get("values")
    if isinstance(values, dict):
        meta = {**meta, "values": {k: v for k, v in values.items() if k not in _NOISE}}
    root = superjson.decode(root, meta)
    message.args = root["args"]
    message.value = root.get("value", msgspec.UNSET)


def _args_object(message: _Message) -> Mapping[str, Any]:
    if isinstance(message.args, dict):
        return message.args
    raise ProtocolError(f"a {message.type} without args", repr(message.args)[:80])


def _read_item(message: _Message, codec: str, size_bytes: int) -> Event:
    args = message.args
    if type(args) is not dict:
        args = _args_object(message)
    return Item(message.id, args.get("value", undefined), size_bytes)


def _read_end(message: _Message, codec: str, size_bytes: int) -> Event:
    return Ended(message.id, undefined)


def _read_response(message: _Message, codec: str, size_bytes: int) -> Event:
    args = _args_object(message)
    if "error" in args:
        return Failed(message.id, _remote_error(args["error"]))
    result = args.get("result", undefined)
    if result == _STREAM_MARKER:
        return Opened(message.id, message.id)
    return Replied(message.id, result)


def _read_stream_error(message: _Message, codec: str, size_bytes: int) -> Event:
    return Failed(message.id, _remote_error(_args_object(message).get("error")))


def _read_cancel(message: _Message, codec: str, size_bytes: int) -> Event:
    return Cancelled(message.id)


def _read_callback(message: _Message, codec: str, size_bytes: int) -> Event:
    args = message.args if isinstance(message.args, list) else []
    return CallbackInvoked(message.method or "", args)


def _read_request(message: _Message, codec: str, size_bytes: int) -> Event:
    operation = _REQUEST_TYPES[message.type]
    if operation in ("get", "set"):
        path = tuple(str(part) for part in message.path or ())
    else:
        path = tuple((message.method or "").split("."))
    args = message.args if isinstance(message.args, list) else []
    # A string that merely looks like a callback is the user's own unless it is listed.
    refs = {
        _CALLBACK_PREFIX + callback_id: callback_id for callback_id in message.callback_ids or ()
    }
    if refs:
        args = [
            CallbackRef(refs[arg]) if isinstance(arg, str) and arg in refs else arg for arg in args
        ]
    value = undefined if message.value is msgspec.UNSET else message.value
    return Requested(message.id, operation, path, args, value, codec)


_READERS = {
    "stream-chunk": _read_item,
    "stream-end": _read_end,
    "stream-error": _read_stream_error,
    "stream-cancel": _read_cancel,
    "response": _read_response,
    "callback": _read_callback,
    **dict.fromkeys(_REQUEST_TYPES, _read_request),
}


def _remote_error(error: Any) -> RemoteError:
    """An error as sent: a bare string (the protocol's own) or an object (a thrown value)."""
    if isinstance(error, RemoteError):  # superjson tagged it as an Error value
        return error
    if not isinstance(error, dict):
        return RemoteError(error if isinstance(error, str) else str(error))
    known = {"name", "message", "stack", "cause"}
    cause = error.get("cause")
    if isinstance(cause, dict) and isinstance(cause.get("message"), str):
        cause = _remote_error(cause)
    stack = error.get("stack")
    return RemoteError(
        str(error.get("message", "")),
        name=str(error.get("name") or "Error"),
        stack=stack if isinstance(stack, str) else None,
        cause=cause,
        data={key: value for key, value in error.items() if key not in known},
    )


def _error_object(error: RemoteError) -> dict[str, Any]:
    """``error`` as the peers send it; they misread an empty name or message, so neither is sent."""
    fields: dict[str, Any] = {
        "name": error.name or "Error",
        "message": error.message or error.name or "Error",
    }
    if error.stack is not None:
        fields["stack"] = error.stack
    if isinstance(error.cause, RemoteError):
        fields["cause"] = _error_object(error.cause)
    elif error.cause is not None:
        fields["cause"] = error.cause
    return fields | {key: value for key, value in error.data.items() if key not in fields}
