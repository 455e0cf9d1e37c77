"""Reads the body of a streamed reply, as it arrives, into values and its end.

No state but a buffer. JSON Lines (3.x): JSON and a line feed for each value. Divider (0.1 to 2.x):
JSON and the divider for each value. In both, an error is a last value ``{"isError": true, "reason":
R}``, where R is an Error's message or another thrown value; it is missing for ``undefined``. The
old server aborts the connection after it.

A *yielded* object of that form (only the keys ``isError``, which is ``true``, and perhaps
``reason``) cannot be told from an error. With any other key, or ``isError: false``, it is a value.
"""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from kkjupyter.errors import (
    EncodeError,
    KKError,
    MessageTooBig,
    ProtocolError,
    RemoteError,
    RemoteThrow,
)
from kkjupyter.wire.events import Ended, Failed
from kkjupyter.wire.framing import DEFAULT_LIMIT_BYTES, excerpt
from kkjupyter.wire.message_cost import (
    CHECKED_FROM_BYTES,
    DEFAULT_MEMORY_BYTES,
    LARGE_BYTES,
    check_weight,
    uncollected,
    weigh,
)
from kkjupyter.wire.values.error_objects import read_text
from kkjupyter.wire.values.javascript import undefined
from kkjupyter.wire.values.json_text import dumps, loads
from kkjupyter.wire.vovk.schema.model import WireFormat

__all__ = ["DIVIDER", "BodyDecoder", "BodyEvent", "Items", "read_reason"]

DIVIDER: Final = b"__##DIV123##__"


class Items(msgspec.Struct, gc=False):
    """The next values of the stream, at least one.

    ``size_bytes`` is their size on the wire together, or, with a large one among them, the memory
    that they may take.
    """

    values: list[Any]
    size_bytes: int


BodyEvent = Items | Ended | Failed

_SPACE: Final = b" \t\r\n"
_ERROR_KEY: Final = b'"isError"'
_SHORT_BYTES: Final = 100
_CHUNK_BYTES: Final = 256 * 1024
_decode = msgspec.json.Decoder().decode
_REFUSED: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class BodyDecoder:
    """Reads one body.

    Give what arrives to :meth:`feed`, then call :meth:`end` when the body is complete, or
    :meth:`cut` when the connection ended too early. After Ended or Failed nothing more is returned:
    the rest of the body no longer matters.

    Args:
        wire_format: the format of the body.
        limit_bytes: how large an unfinished value may grow.
        memory_bytes: how much memory one value may take.

    Attributes:
        is_over: whether Ended or Failed was returned.
        items_received: how many values have arrived.
    """

    def __init__(
        self,
        wire_format: WireFormat,
        *,
        limit_bytes: int = DEFAULT_LIMIT_BYTES,
        memory_bytes: int = DEFAULT_MEMORY_BYTES,
    ) -> None:
        self.limit_bytes = limit_bytes
        self._memory_bytes = memory_bytes
        self.is_over = False
        self.items_received = 0
        self._end = b"\n" if wire_format == "jsonlines" else DIVIDER
        self._held: list[bytes] = []  # an unfinished value
        self._held_bytes = 0
        self._open: list[bytes] = []  # a value whose text contains a divider
        self._open_bytes = 0
        self._seam = b""  # the last bytes held, in case the divider begins there

    @property
    def held_bytes(self) -> int:
        """How much of an unfinished value is held."""
        return self._held_bytes + self._open_bytes

    def feed(self, chunk: bytes) -> list[BodyEvent]:
        """Take a piece of the body, of any size; return its events."""
        events: list[BodyEvent] = []
        # One piece of compressed text can be very long, and its lines very many.
        for at in range(0, len(chunk), _CHUNK_BYTES):
            events += self._feed(chunk[at : at + _CHUNK_BYTES])
        return events

    def _feed(self, chunk: bytes) -> list[BodyEvent]:
        if self.is_over:
            return []
        arrived_bytes = self._held_bytes + len(chunk)
        pieces = self._split(chunk)
        tail = pieces.pop()
        if tail:
            self._hold(tail)
        events = self._read(pieces, chunk, arrived_bytes - len(tail)) if pieces else []
        unfinished_bytes = self.held_bytes
        if unfinished_bytes > self.limit_bytes and not self.is_over:
            self._fail(MessageTooBig(unfinished_bytes, self.limit_bytes), events)
        return events

    def end(self) -> list[BodyEvent]:
        """The body is complete: return its last value, which may lack its end, and Ended."""
        if self.is_over:
            return []
        tail = self._take_held()
        events = self._read_each([tail], len(tail), "the stream ended within a value")
        if not self.is_over:
            self.is_over = True
            events.append(Ended("", undefined))
        return events

    def cut(self, error: KKError) -> list[BodyEvent]:
        """The connection ended too early: return what had arrived in full, and then Failed.

        Args:
            error: what happened; it is returned unless the stream itself had failed before.
        """
        if self.is_over:
            return []
        tail = self._take_held().strip(_SPACE)
        events: list[BodyEvent] = []
        # These are visibly complete; 1 may be the beginning of 12.
        if not self._open and tail[:1] in (b"{", b"[", b'"') and _is_json(tail):
            events = self._read_each([tail], len(tail))
        if not self.is_over:
            self._fail(error, events)
        return events

    def _split(self, chunk: bytes) -> list[bytes]:
        """The values that ``chunk`` completes, without their ends, and its unfinished rest."""
        end = self._end
        if not self._held:
            return chunk.split(end)
        if self._seam and end in self._seam + chunk[: len(end) - 1]:
            return (self._take_held() + chunk).split(end)
        pieces = chunk.split(end)
        if len(pieces) > 1:
            pieces[0] = self._take_held() + pieces[0]
        return pieces

    def _hold(self, piece: bytes) -> None:
        self._held.append(piece)
        self._held_bytes += len(piece)
        if self._end is DIVIDER:
            self._seam = (self._seam + piece)[1 - len(DIVIDER) :]

    def _take_held(self) -> bytes:
        held = b"".join(self._held)
        self._held.clear()
        self._held_bytes = 0
        self._seam = b""
        return held

    def _read(self, pieces: list[bytes], chunk: bytes, size_bytes: int) -> list[BodyEvent]:
        """Read values without their ends: all at once, if none of them is unusual.

        All of them but the first are within ``chunk``.
        """
        if self._open:
            return self._read_each(pieces, size_bytes)
        try:
            # The first may have come in many chunks. All others are within this one, so that what
            # they can hold is bounded; they are looked at if they are long on the average.
            if size_bytes >= CHECKED_FROM_BYTES * len(pieces) or len(pieces[0]) >= LARGE_BYTES:
                size_bytes = self._weigh(pieces)
                with uncollected():
                    values = list(map(_decode, pieces))
            else:
                values = list(map(_decode, pieces))
        except (*_REFUSED, ProtocolError):
            return self._read_each(pieces, size_bytes)
        # JSON.stringify never escapes a letter, so the key would be visible. The cost of searching
        # the bytes depends on their number, and the cost of checking the values on theirs.
        is_short = size_bytes < _SHORT_BYTES * len(values)
        if not is_short or _ERROR_KEY in chunk or _ERROR_KEY in pieces[0]:
            for index, value in enumerate(values):
                if type(value) is dict and "isError" in value and _is_error(value):
                    events = self._items(values[:index], size_bytes)
                    self._fail(read_reason(value), events)
                    return events
        return self._items(values, size_bytes)

    def _weigh(self, pieces: list[bytes]) -> int:
        """How much memory values without their ends may take; ProtocolError if it is too much."""
        size_bytes = 0
        for piece in pieces:
            if len(piece) >= CHECKED_FROM_BYTES:
                check_weight(piece, self._memory_bytes)
            size_bytes += len(piece) if len(piece) < LARGE_BYTES else weigh(piece)
        return size_bytes

    def _read_each(self, pieces: list[bytes], size_bytes: int, fault: str = "") -> list[BodyEvent]:
        """Values without their ends, one at a time."""
        values: list[Any] = []
        failure: KKError | None = None
        for piece in pieces:
            text = self._continued(piece) if self._open else piece.strip(_SPACE)
            if not text:
                continue
            if text == b"undefined":  # as JSON.stringify writes it and the servers send it
                values.append(undefined)
                continue
            try:
                value = loads(text, memory_bytes=self._memory_bytes)
            except MessageTooBig as error:
                failure = error
                break
            except ProtocolError as error:
                if self._end is DIVIDER and not fault and _ends_in_text(text):
                    self._open, self._open_bytes = [text], len(text)
                    continue
                failure = ProtocolError(fault, error.excerpt) if fault else error
                break
            if _is_error(value):
                failure = read_reason(value)
                break
            values.append(value)
        if self._open and fault:
            failure = ProtocolError(fault, excerpt(self._open[0]))
        events = self._items(values, size_bytes)
        if failure is not None:
            self._fail(failure, events)
        return events

    def _continued(self, piece: bytes) -> bytes:
        """The value that ``piece``, after a divider, completes; empty if it is still incomplete."""
        self._open += (DIVIDER, piece)
        self._open_bytes += len(DIVIDER) + len(piece)
        if not _ends_in_text(piece):  # an even number of quotes: the text goes on
            return b""
        text = b"".join(self._open).strip(_SPACE)
        self._open, self._open_bytes = [], 0
        return text

    def _items(self, values: list[Any], size_bytes: int) -> list[BodyEvent]:
        self.items_received += len(values)
        return [Items(values, size_bytes)] if values else []

    def _fail(self, error: KKError, events: list[BodyEvent]) -> None:
        self.is_over = True
        self._take_held()
        self._open, self._open_bytes = [], 0
        events.append(Failed("", error))


def read_reason(message: dict[str, Any]) -> RemoteError:
    """The error that an error message stands for.

    Text is the message of an Error, or was itself thrown: the wire does not say which.
    """
    reason = message.get("reason", undefined)
    if isinstance(reason, str):
        return RemoteError(reason)
    if reason is undefined:
        return RemoteThrow(undefined, "undefined")
    try:
        return RemoteThrow(reason, dumps(reason).decode())
    except EncodeError:  # it was read, but is nested too deeply to be written
        return RemoteThrow(reason, read_text(reason))


def _is_error(value: Any) -> bool:
    return (
        type(value) is dict
        and value.get("isError") is True
        and (len(value) == 1 or (len(value) == 2 and "reason" in value))
    )


def _ends_in_text(data: bytes) -> bool:
    """Whether JSON that begins outside of a text ends within one: it has an odd number of quotes.

    The divider may be part of a text, and the servers do not escape it.
    """
    if b"\\" in data:
        data = re.sub(rb"\\.", b"", data, flags=re.DOTALL)
    return data.count(b'"') % 2 == 1


def _is_json(data: bytes) -> bool:
    try:
        loads(data)
    except ProtocolError:
        return False
    return True
