"""kkrpc 0.x, both codecs, both roles. Bytes in, events out, and back; no state but a line buffer.

Facts: one JSON message per line. Requests carry ``method`` (dotted) or ``path``; a response
carries ``args.result`` or ``args.error``; a stream is a response ``{"__stream": true}`` followed by
``stream-chunk`` messages with the call's id and one ``stream-end`` or ``stream-error``;
``stream-cancel`` is never acknowledged. With the superjson codec a message is wrapped as
``{"json": message, "meta": annotations}``; either side reads both codecs, message by message.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar

import msgspec

from kkjupyter.errors import EncodeError, ProtocolError, RemoteError, RemoteThrow
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
_MAX_CAUSES = 16
# The library sends these two as null, tagged undefined, in nearly every message: no information.
_NOISE = frozenset({"transferSlots", "callbackIds"})
_REQUEST_TYPES: dict[str, Operation] = {
    "request": "call",
    "get": "get",
    "set": "set",
    "construct": "new",
}
_MESSAGE_TYPES: dict[Operation, str] = {op: name for name, op in _REQUEST_TYPES.items()}


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
    callback_ids: list[str] | None = msgspec.field(default=None, name="callbackIds")


class _Envelope(msgspec.Struct, gc=False):
    json: _Message
    meta: dict[str, Any] | None = None


# What msgspec raises for bytes that are no message, or none that it can read.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_decode_value = msgspec.json.Decoder().decode
_decode_message = msgspec.json.Decoder(_Message).decode
_decode_envelope = msgspec.json.Decoder(_Envelope).decode


class Classic:
    """One side of one classic connection.

    Feed what arrives to :meth:`receive` and act on the events it returns, in order. The other
    methods each return the bytes of one message, to be sent as one frame; they hold no state, so
    any thread may call them.

    Args:
        codec: the codec of the messages sent; answers go out in the codec of their request.
        limit_bytes: how much of an unfinished message is held at most.
    """

    name = "classic"

    def __init__(
        self, codec: Codec = "superjson", *, limit_bytes: int = DEFAULT_LIMIT_BYTES
    ) -> None:
        self.codec: Codec = codec
        self._lines = LineBuffer(limit_bytes)
        self._tried_bytes = 0  # how long an unfinished message was when it was last tried

    # ---- receiving

    def receive(self, chunks: Sequence[bytes], *, whole: bool = False) -> list[Event]:
        """Take received bytes; return what they say.

        Args:
            chunks: in order; messages may be split over them or joined in one.
            whole: each chunk is one frame of a transport that keeps boundaries. A message that
                lacks its line end is then understood at once (a 0.7 peer would hold it for ever).

        Raises:
            MessageTooBig: an unfinished message is over the limit; the connection cannot go on.
        """
        events: list[Event] = []
        lines = self._lines
        for chunk in chunks:
            # Nearly every chunk is one whole message: spare it the line buffer.
            if not lines.held_bytes and chunk.find(b"\n") == len(chunk) - 1 and chunk:
                item = _read_usual_item(chunk)
                if item is not None:
                    events.append(item)
                else:
                    self._read_line(chunk, 0, events)
            elif whole and chunk.strip() == _DESTROY:
                events.append(Closing())
            elif events and lines.is_overfull:
                break  # told at the next call, so that what came before is not lost
            else:
                self._read_chunk(chunk, whole, events)
        return events

    def _read_chunk(self, chunk: bytes, whole: bool, events: list[Event]) -> None:
        glued_bytes = self._lines.held_bytes if whole else 0
        for line in self._lines.feed(chunk):
            self._read_line(line, glued_bytes, events)
            glued_bytes = 0
        if whole and self._lines.held_bytes:
            self._read_unfinished(glued_bytes, events)

    def _read_line(self, line: bytes, glued_bytes: int, events: list[Event]) -> None:
        try:
            event = self._read_message(line)
        except ProtocolError as error:
            # A frame that waited for its end may be rubbish that spoils a sound one glued to it.
            head, tail = line[:glued_bytes], line[glued_bytes:]
            events.append(NotUnderstood(error.reason, excerpt(head or tail)))
            if head:
                self._read_line(tail, 0, events)
        else:
            if event is not None:
                events.append(event)

    def _read_unfinished(self, glued_bytes: int, events: list[Event]) -> None:
        """A frame without line end: a whole message, a piece of one, or rubbish."""
        lines = self._lines
        newest = lines.newest_piece
        if not glued_bytes:
            self._tried_bytes = 0
            if not newest.lstrip().startswith(b"{"):
                self._drop_held(lines.held_bytes, events)
                return
        if not newest.rstrip().endswith(b"}"):
            return
        # Joined and parsed anew for every piece, a long message would take quadratic time.
        if lines.held_bytes >= 2 * self._tried_bytes:
            self._tried_bytes = lines.held_bytes
            event = self._try_message(lines.held())
            if event is not None:
                lines.take_held()
                events.append(event)
                return
            if not glued_bytes and _is_whole_json(newest):
                # No later frame can make a message of it: say so now, somebody may be waiting.
                self._drop_held(lines.held_bytes, events)
                return
        if glued_bytes and newest.lstrip().startswith(b"{"):
            event = self._try_message(newest)
            if event is not None:
                self._drop_held(glued_bytes, events)
                events.append(event)

    def _drop_held(self, rubbish_bytes: int, events: list[Event]) -> None:
        rubbish = self._lines.take_held()[:rubbish_bytes]
        if rubbish.strip():
            events.append(NotUnderstood("not a message", excerpt(rubbish)))

    def _try_message(self, data: bytes) -> Event | None:
        try:
            return self._read_message(data)
        except ProtocolError:
            return None

    def _read_message(self, line: bytes) -> Event | None:
        """What one line says; None if it is blank.

        Raises:
            ProtocolError: it is no message, or not the whole of one.
        """
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
            except _UNREADABLE as exc:
                envelope = _parse_leniently(line, _Envelope, exc)
            message, meta = envelope.json, envelope.meta
        else:
            codec, meta = "json", None
            try:
                message = _decode_message(line)
            except _UNREADABLE as exc:
                message = _parse_leniently(line, _Message, exc)
        try:
            read = _READERS.get(message.type)
            if read is None:
                raise ProtocolError(f"unknown message type {message.type!r}")
            if meta:
                _revive(message, meta)
            elif codec == "json" and b'"Uint8Array"' in line:
                message.args = jsoncodec.decode(message.args)
                message.value = jsoncodec.decode(message.value)
            return read(message, codec, len(line))
        except ProtocolError as error:
            reason = error.reason
        # It has an id, so somebody may wait for it.
        if message.type in _ANSWERS:
            return Failed(message.id, ProtocolError(reason, excerpt(line)))
        return NotUnderstood(reason, excerpt(line), message.id)

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
        is_property = operation in ("get", "set")
        message: dict[str, Any] = {
            "id": call_id,
            "method": "" if is_property else ".".join(path),
            "args": {},
            "type": _MESSAGE_TYPES[operation],
        }
        if is_property:
            message["path"] = list(path)
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
        return _encode(
            {"id": stream_id, "method": "", "args": None, "type": "stream-cancel"},
            "args",
            {},
            "json",
        )

    # ---- answering

    def reply(self, call_id: str, value: Any, codec: str) -> bytes:
        """The value of a call; :class:`EncodeError` when it cannot be put on the wire."""
        if type(value) is dict and value.get("__stream") is True:
            raise EncodeError("args.result", "the peers take an object with __stream for a stream")
        result = {} if value is undefined and codec == "json" else {"result": value}
        return _encode(_response(call_id), "args", result, codec)

    def open_stream(self, call_id: str, codec: str) -> bytes:
        """The answer to a call whose value is a stream."""
        return _encode(_response(call_id), "args", {"result": _STREAM_MARKER}, codec)

    def item(self, stream_id: str, value: Any, codec: str) -> bytes:
        """One value of a stream; :class:`EncodeError` when it cannot be put on the wire."""
        chunk = {} if value is undefined and codec == "json" else {"value": value}
        message = {"id": stream_id, "method": "", "args": None, "type": "stream-chunk"}
        return _encode(message, "args", chunk, codec)

    def end(self, stream_id: str, codec: str) -> bytes:
        """The end of a stream; the classic protocol carries no return value."""
        return _encode(
            {"id": stream_id, "method": "", "args": None, "type": "stream-end"}, "args", {}, codec
        )

    def refuse(self, request: Requested, reason: Refusal, at: int = 0) -> bytes:
        """The protocol's own error to a request: on this wire a bare string, in the peers' words.

        Args:
            request: what was asked for.
            reason: why it cannot be done.
            at: which part of the path is the trouble.
        """
        error = {"error": _refusal_text(request, reason, at)}
        return _encode(_response(request.call_id), "args", error, request.codec)

    def fail_call(self, call_id: str, error: RemoteError, codec: str) -> bytes:
        """The error that a call ended with."""
        return _encode(_response(call_id), "args", {"error": _error_object(error, codec)}, codec)

    def fail_stream(self, stream_id: str, error: RemoteError, codec: str) -> bytes:
        """The error that a stream ended with."""
        message = {"id": stream_id, "method": "", "args": None, "type": "stream-error"}
        return _encode(message, "args", {"error": _error_object(error, codec)}, codec)

    def invoke_callback(self, callback_id: str, args: Sequence[Any], codec: str) -> bytes:
        """Call a function the peer passed; the classic protocol has no answer to that."""
        message = {"id": self.new_id(), "method": callback_id, "args": None, "type": "callback"}
        return _encode(message, "args", list(args), codec)


def _response(call_id: str) -> dict[str, Any]:
    return {"id": call_id, "method": "", "args": None, "type": "response"}


def _is_whole_json(data: bytes) -> bool:
    try:
        loads(data)
    except ProtocolError:
        return False
    return True


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
    """One message as bytes; ``user_value`` goes under ``key`` and is all that needs a codec.

    The keys of ``message`` are in the peers' order.
    """
    message["version"] = codec
    if codec == "superjson":
        message[key], meta = superjson.encode(user_value, prefix=key)
        envelope = {"json": message} if meta is None else {"json": message, "meta": meta}
        return dumps(envelope) + b"\n"
    message[key] = jsoncodec.encode(user_value, prefix=key)
    return dumps(message) + b"\n"


def _read_usual_item(line: bytes) -> Item | None:
    """An item as peers write it when there is nothing to annotate: nearly every message is one.

    What stands around the value is compared as bytes, and only the value is parsed: if that is JSON
    by itself, the line is the message it looks like. None if it has to be read in full.
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
        or b'"Uint8Array"' in value  # the json codec's own way to say bytes
    ):
        return None
    try:
        return Item(stream_id.decode(), _decode_value(value), len(line))
    except _UNREADABLE:
        return None


def _parse_leniently(line: bytes, kind: type[_T], refused: Exception) -> _T:
    """Node sends lone surrogates, which msgspec refuses and the standard json accepts."""
    try:
        if isinstance(refused, msgspec.ValidationError):
            raise refused
        return msgspec.convert(loads(line), kind)
    except (msgspec.ValidationError, UnicodeEncodeError) as exc:  # the latter for a field's name
        raise ProtocolError(f"not a classic message ({exc})") from exc


def _revive(message: _Message, meta: dict[str, Any]) -> None:
    """Apply superjson's annotations to the parts of ``message`` that hold user values."""
    values = meta.get("values")
    if isinstance(values, dict):
        if not meta.get("referentialEqualities") and _NOISE.issuperset(values):
            return
        meta = {**meta, "values": {k: v for k, v in values.items() if k not in _NOISE}}
    root = {"args": message.args, "value": message.value}
    if message.value is msgspec.UNSET:
        del root["value"]
    root = superjson.decode(root, meta)
    if type(root) is not dict:
        raise ProtocolError("superjson annotations of the message itself")
    message.args = root["args"]
    message.value = root.get("value", msgspec.UNSET)


def _args_object(message: _Message) -> Mapping[str, Any]:
    if isinstance(message.args, dict):
        return message.args
    raise ProtocolError(f"a {message.type} without args")


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
    # Not ==: to Python {"__stream": 1} is the same, and to the peers it is a value.
    if type(result) is dict and len(result) == 1 and result.get("__stream") is True:
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


_Reader = Callable[[_Message, Codec, int], Event]
_READERS: dict[str, _Reader] = {
    "stream-chunk": _read_item,
    "stream-end": _read_end,
    "stream-error": _read_stream_error,
    "stream-cancel": _read_cancel,
    "response": _read_response,
    "callback": _read_callback,
    **dict.fromkeys(_REQUEST_TYPES, _read_request),
}
_ANSWERS = frozenset({"response", "stream-chunk", "stream-end", "stream-error"})


def _remote_error(error: Any, depth: int = 1) -> RemoteError:
    """An error as sent: a bare string (the protocol's own) or an object (a thrown value)."""
    if isinstance(error, RemoteError):  # superjson tagged it as an Error value
        return error
    if isinstance(error, str):
        return RemoteError(error)
    if not isinstance(error, dict):
        return RemoteThrow(error, _text(error))
    known = {"name", "message", "stack", "cause"}
    cause = error.get("cause")
    # An error may be its own cause; from some depth on causes stay as they were sent.
    if isinstance(cause, dict) and isinstance(cause.get("message"), str) and depth < _MAX_CAUSES:
        cause = _remote_error(cause, depth + 1)
    stack = error.get("stack")
    return RemoteError(
        _text(error.get("message", "")),
        name=_text(error.get("name") or "Error"),
        stack=stack if isinstance(stack, str) else None,
        cause=cause,
        data={key: value for key, value in error.items() if key not in known},
    )


def _text(value: Any) -> str:
    """``value`` in a line; what is nested may be nested too deeply to be printed."""
    plain = value is None or isinstance(value, str | int | float)
    return str(value) if plain else f"a thrown {type(value).__name__}"


def _error_object(error: RemoteError, codec: str, depth: int = 1) -> dict[str, Any]:
    """``error`` as the peers send it; they misread an empty name or message, so neither is sent."""
    fields: dict[str, Any] = {
        "name": error.name or "Error",
        "message": error.message or error.name or "Error",
    }
    if error.stack is not None:
        fields["stack"] = error.stack
    cause = error.cause
    if isinstance(cause, RemoteError) and codec == "json" and depth < _MAX_CAUSES:
        cause = _error_object(cause, codec, depth + 1)
    if cause is not None:
        fields["cause"] = cause
    return fields | {key: value for key, value in error.data.items() if key not in fields}
