"""kkrpc 1.0 to 2.x, both codecs, both roles. Bytes in, events out, and back; no state but a buffer.

Facts: a message is one JSON object with ``t``: a request ``q`` and its response ``r``, a callback's
call ``cb`` and release ``cbr``, a stream's controls ``sq`` and messages ``sr``. A stream that is a
result or an argument is a handle, ``{"__kkrpc_next_stream__": "async-iterable", "id": ...}``; its
consumer pulls with credit, and a value, the end and an error each take one. With the superjson
codec a message is wrapped as ``{"json": message, "meta": annotations}``.
"""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Sequence
from typing import Any

import msgspec

from kkjupyter.errors import EncodeError, ProtocolError, RemoteError
from kkjupyter.wire.events import (
    CallbackRef,
    Event,
    NotUnderstood,
    Operation,
    Refusal,
    Requested,
    StreamRef,
)
from kkjupyter.wire.framing import DEFAULT_LIMIT_BYTES, LineBuffer, excerpt
from kkjupyter.wire.kkrpc.base import Codec
from kkjupyter.wire.kkrpc.compact.errors import refusal, write_error
from kkjupyter.wire.kkrpc.compact.reader import ARGUMENT_TAG, STREAM_KIND, STREAM_TAG, Reader
from kkjupyter.wire.kkrpc.envelopes import write_message
from kkjupyter.wire.message_cost import DEFAULT_MEMORY_BYTES
from kkjupyter.wire.values import json_codec, superjson
from kkjupyter.wire.values.error_objects import thrown_value
from kkjupyter.wire.values.javascript import undefined
from kkjupyter.wire.values.normalize import SCALARS, is_plain

__all__ = ["Compact"]


class Compact:
    """One side of one compact connection.

    Feed received bytes to :meth:`receive` and handle the events that it returns, in order. The
    other methods each return the bytes of one message, to be sent as one frame; they hold no state,
    so any thread may call them.

    A message of ours ends in a line end: stdio needs it, and on other transports the peers ignore
    it.

    Args:
        codec: the codec of the messages sent; an answer is sent in the codec of its request. The
            peers understand only their own, so it must be theirs.
        limit_bytes: how many bytes of an unfinished message are held at most.
        memory_bytes: how much memory the values of one message may take.
        sent_limit_bytes: the longest message that can be sent; with a longer one its value is
            refused. None for any length.
        id_mark: what the ids made here begin with; empty for a random one.
    """

    name = "compact"
    has_credit = True

    def __init__(
        self,
        codec: Codec = "superjson",
        *,
        limit_bytes: int = DEFAULT_LIMIT_BYTES,
        memory_bytes: int = DEFAULT_MEMORY_BYTES,
        sent_limit_bytes: int | None = None,
        id_mark: str = "",
    ) -> None:
        self.codec: Codec = codec
        self._lines = LineBuffer(limit_bytes)
        self._sent_limit_bytes = sent_limit_bytes
        token = id_mark or secrets.token_urlsafe(9)
        self._id_mark = f"{token}-"
        # The answer to a control has the control's id, and only that tells it from a stream's own
        # messages. So the ids of controls have their own form, and need not be remembered.
        self._control_mark = f"c{token}-"
        self._count = itertools.count(1)
        self._read = Reader(self._control_mark, memory_bytes).read

    # ---- receiving

    def receive(self, chunks: Sequence[bytes], *, whole: bool = False) -> list[Event]:
        """Take received bytes; return their events.

        Args:
            chunks: in order; a message may be split over several, and one may hold several
                messages.
            whole: whether each chunk is one frame of a transport that keeps boundaries: one
                message, or several lines with a message each (a 2.1 peer would drop those).

        Raises:
            MessageTooBig: an unfinished message is over the limit; the connection cannot go on.
        """
        events: list[Event] = []
        read = self._read
        for chunk in chunks:
            if whole:
                try:
                    events.append(read(chunk))
                except ProtocolError:
                    for line in chunk.split(b"\n"):
                        self._read_line(line, events)
            elif events and self._lines.is_overfull:
                break  # raised at the next call, so that earlier messages are not lost
            else:
                for line in self._lines.feed(chunk):
                    self._read_line(line, events)
        return events

    def read_frame(self, frame: bytes) -> Event | None:
        """The events of a frame that is one message of many lines; None if it is many messages."""
        try:
            return self._read(frame)
        except ProtocolError:
            return None

    @property
    def held_bytes(self) -> int:
        """How many bytes of an unfinished message are held."""
        return self._lines.held_bytes

    def _read_line(self, line: bytes, events: list[Event]) -> None:
        text = line.strip()
        if not text.startswith(b"{"):  # not read any further: there may be thousands
            if text:
                events.append(NotUnderstood("not a message", excerpt(text)))
            return
        try:
            events.append(self._read(line))
        except ProtocolError as error:
            events.append(NotUnderstood(error.reason, excerpt(text)))

    # ---- requests

    def new_id(self) -> str:
        """A fresh id, different from those of all other connections."""
        return f"{self._id_mark}{next(self._count)}"

    def request(
        self,
        call_id: str,
        operation: Operation,
        path: Sequence[str],
        args: Sequence[Any] = (),
        value: Any = undefined,
        meta: dict[str, Any] | None = None,
    ) -> bytes:
        message: dict[str, Any] = {"t": "q", "id": call_id, "op": operation, "p": list(path)}
        if meta is not None:
            message["meta"] = json_codec.encode(meta, prefix="meta")
        if operation == "get":
            return write_message(message, None, self.codec)
        if operation == "set":
            return self._sized(_with_value(message, value, self.codec, "value"), "value")
        return self._sized(_with_arguments(message, args, self.codec), "args")

    def pull(self, stream_id: str, count: int) -> bytes:
        """Grant the peer's stream ``count`` credits."""
        # Not a control's id: an error in answer to this belongs to the stream.
        message = {"t": "sq", "id": self.new_id(), "sid": stream_id, "op": "pull", "n": count}
        return write_message(message, None, self.codec)

    def cancel(self, target_id: str) -> bytes:
        """Tell the peer that a stream, or the answer to a call, is no longer wanted.

        The peers only acknowledge the id of a call, because it is not a stream's; our server ends
        the work.
        """
        message = {"t": "sq", "id": f"{self._control_mark}{self.new_id()}", "sid": target_id}
        return write_message(message | {"op": "return"}, None, self.codec)

    def throw(self, control_id: str, stream_id: str, error: Any) -> bytes:
        """Raise ``error``, an exception or any value, inside the generator behind a stream."""
        message = {"t": "sq", "id": f"{self._control_mark}{control_id}", "sid": stream_id}
        value = thrown_value(error, self.codec)
        return self._sized(
            _with_value(message | {"op": "throw"}, value, self.codec, "error"), "error"
        )

    def release_callbacks(self, callback_ids: Sequence[str]) -> bytes:
        """Tell the peer that these functions of its are no longer held."""
        return write_message({"t": "cbr", "ids": list(callback_ids)}, None, self.codec)

    # ---- answers

    def reply(self, call_id: str, value: Any, codec: str) -> bytes:
        """The value of a call."""
        return self._sized(_with_value({"t": "r", "id": call_id}, value, codec, "result"), "result")

    def open_stream(self, call_id: str, stream_id: str, codec: str) -> bytes:
        """The answer to a call whose value is a stream."""
        return write_message({"t": "r", "id": call_id, "v": _handle(stream_id)}, None, codec)

    def item(self, stream_id: str, value: Any, codec: str) -> bytes:
        """One value of a stream."""
        message = {"t": "sr", "id": self.new_id(), "sid": stream_id, "d": False}
        return self._sized(_with_value(message, value, codec, "value"), "value")

    def end(self, stream_id: str, value: Any, codec: str) -> bytes:
        """The end of a stream, with its return value."""
        message = {"t": "sr", "id": self.new_id(), "sid": stream_id, "d": True}
        return self._sized(_with_value(message, value, codec, "return value"), "return value")

    def refuse(self, request: Requested, reason: Refusal, at: int = 0) -> bytes:
        """The protocol's own error to a request, in the peers' words.

        To them, a property that is missing from an object is undefined, which is not an error.

        Args:
            request: the request that is refused.
            reason: why it cannot be done.
            at: the index of the part of the path that is at fault.
        """
        error = refusal(request, reason, at)
        if error is None:
            return self.reply(request.call_id, undefined, request.codec)
        return self.fail_call(request.call_id, error, request.codec)

    def fail_call(self, call_id: str, error: RemoteError, codec: str) -> bytes:
        """The error that a call ended with."""
        return self._sized(_with_error({"t": "r", "id": call_id}, error, codec), "error")

    def fail_stream(self, stream_id: str, error: RemoteError, codec: str) -> bytes:
        """The error that a stream ended with.

        The peers send only a text here, but read everything that a call's error may have.
        """
        return self._sized(
            _with_error({"t": "sr", "id": self.new_id(), "sid": stream_id}, error, codec), "error"
        )

    def acknowledge(
        self, control_id: str, stream_id: str, value: Any, codec: str, *, done: bool = True
    ) -> bytes:
        """A cancel or a throw of the peer's was carried out; see Acknowledged."""
        message = {"t": "sr", "id": control_id, "sid": stream_id, "d": done}
        return self._sized(_with_value(message, value, codec, "value"), "value")

    def fail_control(
        self, control_id: str, stream_id: str, error: RemoteError, codec: str
    ) -> bytes:
        """A pull, cancel or throw of the peer's could not be carried out, or raised ``error``."""
        return self._sized(
            _with_error({"t": "sr", "id": control_id, "sid": stream_id}, error, codec), "error"
        )

    def invoke_callback(self, callback_id: str, args: Sequence[Any], codec: str) -> bytes:
        """Call a function that the peer passed; it sends no answer."""
        return self._sized(_with_arguments({"t": "cb", "id": callback_id}, args, codec), "args")

    def _sized(self, message: bytes, shown: str) -> bytes:
        """A message, if it is not too long; ``shown`` names what is in it."""
        limit_bytes = self._sent_limit_bytes
        if limit_bytes is not None and len(message) > limit_bytes:
            raise EncodeError(
                shown,
                f"the message would have {len(message):,} bytes, and what carries it takes "
                f"{limit_bytes:,}; send it in parts, or as a stream",
            )
        return message


def _handle(stream_id: str) -> dict[str, str]:
    return {STREAM_TAG: STREAM_KIND, "id": stream_id}


def _with_value(message: dict[str, Any], value: Any, codec: str, shown: str) -> bytes:
    """One message with a user's value, named ``shown`` in errors; undefined is left out."""
    if value is undefined or value is msgspec.UNSET:
        return write_message(message, None, codec)
    message["v"], meta = _encode(value, "v", codec, shown)
    _refuse_handle(message["v"], shown)
    return write_message(message, meta, codec)


def _with_arguments(message: dict[str, Any], args: Sequence[Any], codec: str) -> bytes:
    """One message with arguments, each in its envelope."""
    if SCALARS.issuperset(map(type, args)) and all(map(is_plain, args)):
        message["a"] = [{ARGUMENT_TAG: "value", "v": arg} for arg in args]
        return write_message(message, None, codec)
    wrapped: list[dict[str, Any]] = []
    for index, arg in enumerate(args):
        if type(arg) is CallbackRef:
            wrapped.append({ARGUMENT_TAG: "callback", "id": arg.id})
            continue
        envelope: dict[str, Any] = {ARGUMENT_TAG: "value"}
        wrapped.append(envelope)
        if type(arg) is StreamRef:
            envelope["v"] = _handle(arg.id)
        elif arg is not undefined and arg is not msgspec.UNSET:
            envelope["v"] = (
                arg if codec == "superjson" else _encode(arg, "", codec, f"args.{index}")[0]
            )
            _refuse_handle(envelope["v"], f"args.{index}")
    meta = None
    if codec == "superjson":  # all together: two arguments may share an object
        wrapped, meta = _encode(wrapped, "a", codec, "args")
    message["a"] = wrapped
    return write_message(message, meta, codec)


def _with_error(message: dict[str, Any], error: RemoteError, codec: str) -> bytes:
    message["e"], meta = _encode(write_error(error, codec), "e", codec, "error")
    return write_message(message, meta, codec)


def _encode(value: Any, key: str, codec: str, shown: str) -> tuple[Any, dict[str, Any] | None]:
    """``value`` as JSON and its annotations; it will stand under ``key`` in the message."""
    if codec != "superjson":
        return json_codec.encode(value, prefix=shown, tags_bytes=False), None
    try:
        return superjson.encode(value, prefix=key)
    except EncodeError as error:
        path = shown + error.path[len(key) :]
        error.path = _ARGUMENT_PATH.sub(r"args.\1", path)
        raise


# To the caller, args.0.v.when is args.0.when.
_ARGUMENT_PATH = re.compile(r"^args\.(\d+)\.v\b")


def _refuse_handle(json: Any, shown: str) -> None:
    if type(json) is dict and json.get(STREAM_TAG) == STREAM_KIND and type(json.get("id")) is str:
        raise EncodeError(shown, f"the peers would read an object with {STREAM_TAG} as a stream")
