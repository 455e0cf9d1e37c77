"""kkrpc 0.x, both codecs, both roles. Bytes in, events out, and back; no state but a line buffer.

Facts: one JSON message per line. Requests carry ``method`` (dotted) or ``path``; a response
carries ``args.result`` or ``args.error``; a stream is a response ``{"__stream": true}`` followed by
``stream-chunk`` messages with the call's id and one ``stream-end`` or ``stream-error``;
``stream-cancel`` is never acknowledged. With the superjson codec a message is wrapped as
``{"json": message, "meta": annotations}``; either side reads both codecs, message by message.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from typing import Any

from kkjupyter.errors import EncodeError, ProtocolError, RemoteError, UsageError
from kkjupyter.wire.events import (
    CallbackRef,
    Closing,
    Event,
    NotUnderstood,
    Operation,
    Refusal,
    Requested,
)
from kkjupyter.wire.framing import DEFAULT_LIMIT_BYTES, LineBuffer, excerpt
from kkjupyter.wire.kkrpc.base import Codec
from kkjupyter.wire.kkrpc.classic.errors import refusal_text, write_error
from kkjupyter.wire.kkrpc.classic.reader import (
    CALLBACK_PREFIX,
    CODECS,
    REQUEST_TYPES,
    read_message,
    read_usual_item,
)
from kkjupyter.wire.kkrpc.envelopes import is_json
from kkjupyter.wire.message_cost import DEFAULT_MEMORY_BYTES
from kkjupyter.wire.values import json_codec, superjson
from kkjupyter.wire.values.javascript import undefined
from kkjupyter.wire.values.json_text import dumps, escape_non_ascii

__all__ = ["CODECS", "Classic", "Codec"]

_DESTROY = b"__DESTROY__"
_STREAM_MARKER = {"__stream": True}
_MESSAGE_TYPES: dict[Operation, str] = {op: name for name, op in REQUEST_TYPES.items()}


class Classic:
    """One side of one classic connection.

    Feed received bytes to :meth:`receive` and handle the events that it returns, in order. The
    other methods each return the bytes of one message, to be sent as one frame; they hold no state,
    so any thread may call them.

    Args:
        codec: the codec of the messages sent; an answer is sent in the codec of its request.
        limit_bytes: how many bytes of an unfinished message are held at most.
        memory_bytes: how much memory the values of one message may take.
        ascii_only: whether to escape all other characters in what is sent. Over stdio the peers
            decode each chunk by itself, and spoil a character that is split over two.
    """

    name = "classic"
    has_credit = False

    def __init__(
        self,
        codec: Codec = "superjson",
        *,
        limit_bytes: int = DEFAULT_LIMIT_BYTES,
        memory_bytes: int = DEFAULT_MEMORY_BYTES,
        ascii_only: bool = False,
    ) -> None:
        self.codec: Codec = codec
        self._ascii_only = ascii_only
        self._lines = LineBuffer(limit_bytes)
        self._memory_bytes = memory_bytes
        self._tried_bytes = 0  # how long an unfinished message was when it was last tried

    # ---- receiving

    def receive(self, chunks: Sequence[bytes], *, whole: bool = False) -> list[Event]:
        """Take received bytes; return their events.

        Args:
            chunks: in order; a message may be split over several, and one may hold several
                messages.
            whole: whether each chunk is one frame of a transport that keeps boundaries. A message
                that lacks its line end is then understood at once (a 0.7 peer would hold it for
                ever).

        Raises:
            MessageTooBig: an unfinished message is over the limit; the connection cannot go on.
        """
        events: list[Event] = []
        lines = self._lines
        for chunk in chunks:
            # Nearly every chunk is one whole message, which needs no line buffer.
            if not lines.held_bytes and chunk.find(b"\n") == len(chunk) - 1 and chunk:
                item = read_usual_item(chunk, self._memory_bytes)
                if item is not None:
                    events.append(item)
                else:
                    self._read_line(chunk, 0, events)
            elif whole and chunk.strip() == _DESTROY:
                events.append(Closing())
            elif events and lines.is_overfull:
                break  # raised at the next call, so that earlier messages are not lost
            else:
                self._read_chunk(chunk, whole, events)
        return events

    def read_frame(self, frame: bytes) -> Event | None:
        """The events of a frame of many lines: none, because each line is a message."""
        return None

    @property
    def held_bytes(self) -> int:
        """How many bytes of an unfinished message are held."""
        return self._lines.held_bytes

    def _read_chunk(self, chunk: bytes, whole: bool, events: list[Event]) -> None:
        glued_bytes = self._lines.held_bytes if whole else 0
        for line in self._lines.feed(chunk):
            self._read_line(line, glued_bytes, events)
            glued_bytes = 0
        if whole and self._lines.held_bytes:
            self._read_unfinished(glued_bytes, events)

    def _read_line(self, line: bytes, glued_bytes: int, events: list[Event]) -> None:
        try:
            event = read_message(line, self._memory_bytes)
        except ProtocolError as error:
            # A frame that waited for its end may be rubbish that would spoil a sound one after it.
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
            if not glued_bytes and is_json(newest):
                # No later frame can make a message of it: report it now, its answer may be waited
                # for.
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
            return read_message(data, self._memory_bytes)
        except ProtocolError:
            return None

    # ---- requests

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
        meta: dict[str, Any] | None = None,
    ) -> bytes:
        # The peers do not know `meta` and ignore it; our own server reads it.
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
        if meta is not None:
            message["meta"] = json_codec.encode(meta, prefix="meta")
        if operation == "set":
            return self._encode(message, "value", value, self.codec)
        if operation == "get":
            return self._encode(message, "args", {}, self.codec)
        wire_args = [CALLBACK_PREFIX + a.id if type(a) is CallbackRef else a for a in args]
        return self._encode(message, "args", wire_args, self.codec)

    def cancel(self, target_id: str) -> bytes:
        """Tell the peer that a stream, or the answer to a call, is no longer wanted."""
        return self._encode(
            {"id": target_id, "method": "", "args": None, "type": "stream-cancel"},
            "args",
            {},
            "json",
        )

    def pull(self, stream_id: str, count: int) -> bytes:
        raise _not_carried("credit")

    def throw(self, control_id: str, stream_id: str, error: Any) -> bytes:
        raise _not_carried("errors thrown into a generator")

    def release_callbacks(self, callback_ids: Sequence[str]) -> bytes:
        raise _not_carried("releases of callbacks")

    # ---- answers

    def reply(self, call_id: str, value: Any, codec: str) -> bytes:
        """The value of a call; raises :class:`EncodeError` if it cannot be put on the wire."""
        if type(value) is dict and value.get("__stream") is True:
            raise EncodeError(
                "args.result", "the peers would read an object with __stream as a stream"
            )
        result = {} if value is undefined and codec == "json" else {"result": value}
        return self._encode(_response(call_id), "args", result, codec)

    def open_stream(self, call_id: str, stream_id: str, codec: str) -> bytes:
        """The answer to a call whose value is a stream; here a stream has the id of its call."""
        return self._encode(_response(call_id), "args", {"result": _STREAM_MARKER}, codec)

    def item(self, stream_id: str, value: Any, codec: str) -> bytes:
        """One value of a stream; raises :class:`EncodeError` if it cannot be put on the wire."""
        chunk = {} if value is undefined and codec == "json" else {"value": value}
        message = {"id": stream_id, "method": "", "args": None, "type": "stream-chunk"}
        return self._encode(message, "args", chunk, codec)

    def end(self, stream_id: str, value: Any, codec: str) -> bytes:
        """The end of a stream; the classic protocol carries no return value."""
        return self._encode(
            {"id": stream_id, "method": "", "args": None, "type": "stream-end"}, "args", {}, codec
        )

    def refuse(self, request: Requested, reason: Refusal, at: int = 0) -> bytes:
        """The protocol's own error to a request: on this wire a bare string, in the peers' words.

        Args:
            request: the request that is refused.
            reason: why it cannot be done.
            at: the index of the part of the path that is at fault.
        """
        error = {"error": refusal_text(request, reason, at)}
        return self._encode(_response(request.call_id), "args", error, request.codec)

    def fail_call(self, call_id: str, error: RemoteError, codec: str) -> bytes:
        """The error that a call ended with."""
        return self._encode(_response(call_id), "args", {"error": write_error(error, codec)}, codec)

    def fail_stream(self, stream_id: str, error: RemoteError, codec: str) -> bytes:
        """The error that a stream ended with."""
        message = {"id": stream_id, "method": "", "args": None, "type": "stream-error"}
        return self._encode(message, "args", {"error": write_error(error, codec)}, codec)

    def acknowledge(
        self, control_id: str, stream_id: str, value: Any, codec: str, *, done: bool = True
    ) -> bytes:
        raise _not_carried("acknowledgements")

    def fail_control(
        self, control_id: str, stream_id: str, error: RemoteError, codec: str
    ) -> bytes:
        raise _not_carried("acknowledgements")

    def invoke_callback(self, callback_id: str, args: Sequence[Any], codec: str) -> bytes:
        """Call a function that the peer passed; in the classic protocol it sends no answer."""
        message = {"id": self.new_id(), "method": callback_id, "args": None, "type": "callback"}
        return self._encode(message, "args", list(args), codec)

    def _encode(self, message: dict[str, Any], key: str, user_value: Any, codec: str) -> bytes:
        """One message as bytes; ``user_value`` goes under ``key`` and is all that needs a codec.

        The keys of ``message`` are in the peers' order.
        """
        message["version"] = codec
        envelope = message
        if codec == "superjson":
            message[key], meta = superjson.encode(user_value, prefix=key)
            envelope = {"json": message} if meta is None else {"json": message, "meta": meta}
        else:
            message[key] = json_codec.encode(user_value, prefix=key)
        line = dumps(envelope) + b"\n"
        return escape_non_ascii(line) if self._ascii_only else line


def _not_carried(what: str) -> UsageError:
    return UsageError(f"the classic protocol (kkrpc 0.x) does not carry {what}")


def _response(call_id: str) -> dict[str, Any]:
    return {"id": call_id, "method": "", "args": None, "type": "response"}
