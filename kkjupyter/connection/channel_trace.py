"""Which frames of a channel belong to which call, and what they are called in a trace."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from kkjupyter.calls.state import CallState
from kkjupyter.connection.outgoing_call import OutgoingCall
from kkjupyter.errors import CallTimeout, RemoteError
from kkjupyter.traces.record import CallRecord, record_of
from kkjupyter.traces.recorder import Recorder
from kkjupyter.wire.events import (
    Acknowledged,
    CallbackInvoked,
    CallbacksReleased,
    Cancelled,
    Credited,
    Ended,
    Event,
    Failed,
    Item,
    NotUnderstood,
    Opened,
    Replied,
    Thrown,
)
from kkjupyter.wire.kkrpc.base import Protocol
from kkjupyter.wire.values.javascript import undefined

__all__ = ["ChannelTrace", "error_name"]

_Handler = Callable[[Any], object]


class ChannelTrace:
    """Notes the frames of one channel. I/O loop only.

    Args:
        recorder: has the records of the calls.
        protocol: reads what arrives; only where payloads are kept.
        keeps_boundaries: whether a chunk that arrives is a frame.

    Attributes:
        batch: what has arrived and what it says, while that is handed in.
    """

    def __init__(self, recorder: Recorder, protocol: Protocol, *, keeps_boundaries: bool) -> None:
        self.recorder = recorder
        self.batch: tuple[Sequence[bytes], list[Event]] | None = None
        self._protocol = protocol
        self._wire = f"{protocol.name}, {protocol.codec}"
        self._whole = keeps_boundaries
        self._sizes: list[int] | None = None
        self._at = 0
        self._tail_bytes = 0  # of a message that has not arrived in full
        self._pieces: list[bytes] = []  # of a frame that has not arrived in full
        self._frame: bytes | None = None  # the one that is handed in, where payloads are kept

    # ---- what goes

    def sent_request(self, call: OutgoingCall) -> None:
        """A call goes out."""
        record = record_of(call.state)
        if record is None:
            return
        recorder, frame = self.recorder, call.frame
        recorder.know(record, call.state.call_id, *call.streams, *call.function_ids)
        recorder.watch(record)
        record.wire = self._wire
        what = call.state.method
        detail = what if call.operation == "call" else f"{call.operation} {what}"
        record.note("out", "request", len(frame), detail=detail, payload=frame)

    def sent_credit(self, state: CallState, count: int, frame: bytes) -> None:
        """Credit goes out."""
        record = record_of(state)
        if record is not None:
            record.note("out", "credit", len(frame), amount=count, payload=frame)

    def sent_cancel(self, record: CallRecord | None, frame: bytes, detail: str = "") -> None:
        """The word that a call or a stream is not wanted goes out."""
        if record is not None:
            record.note("out", "cancel", len(frame), detail=detail, payload=frame, over=True)

    def sent_throw(self, state: CallState, control_id: str, frame: bytes) -> None:
        """An error for a generator goes out."""
        record = record_of(state)
        if record is not None:
            self.recorder.know(record, control_id)
            record.note("out", "throw", len(frame), payload=frame)

    def lost(self, states: Iterable[CallState], reason: str) -> None:
        """The connection ended under these calls."""
        for state in states:
            record = record_of(state)
            if record is not None:
                record.note("here", "lost", detail=reason.partition("\n")[0], over=True)

    # ---- what comes

    def watch(self, handlers: dict[type, _Handler]) -> dict[type, _Handler]:
        """``handlers``, which now also note what they are given; those of items do not."""
        noted = {kind: self._noting(read, handlers[kind]) for kind, read in _READERS.items()}
        return {**handlers, **noted}

    def _noting(self, read: Callable[[Any], _Noted], handle: _Handler) -> _Handler:
        def note_and_handle(event: Any) -> None:
            self._note(event, read(event))
            handle(event)

        return note_and_handle

    def _note(self, event: Any, noted: _Noted) -> None:
        ids, kind, detail, amount, over = noted
        for id_ in ids:
            record = self.recorder.find(id_)
            if record is not None:
                size_bytes = self._size_of(event) if self._frame is None else len(self._frame)
                if kind == "response (stream)":
                    self.recorder.know(record, event.stream_id)
                    over = record.is_over
                if kind == "error" and record.is_over:
                    detail = "to credit that came after the end"
                record.note(
                    "in",
                    kind,
                    size_bytes,
                    detail=detail,
                    amount=amount,
                    payload=self._frame,
                    over=over,
                )
                return

    def replied(self, state: CallState | None, event: Replied) -> None:
        """The value of a call has come; ``state`` is None where nobody waits for it any more."""
        record = self.recorder.find(event.call_id) if state is None else record_of(state)
        if record is not None:
            frame = self._frame
            size_bytes = self._size_of(event) if frame is None else len(frame)
            record.note("in", "response", size_bytes, payload=frame, over=True)

    def dropped(self, event: Item) -> None:
        """An item came that nobody wants any more."""
        record = self.recorder.find(event.stream_id)
        if record is not None and record.is_over:
            record.dropped(event.size_bytes, self._frame)

    def filled(self, states: Iterable[CallState]) -> None:
        """Items came for these calls."""
        now_s = time.monotonic()
        for state in states:
            record = state.observer
            if type(record) is CallRecord:  # as record_of(), which costs something for each item
                record.received(now_s)

    # ---- frames one by one, where payloads are kept

    def read(self, chunks: Sequence[bytes], on: dict[type, _Handler]) -> None:
        """Hand in what arrives, message by message, and keep each with what it says.

        Raises:
            MessageTooBig: as :meth:`Protocol.receive` does.
        """
        for chunk in chunks:
            for piece in [chunk] if self._whole else _lines(chunk):
                events = self._protocol.receive([piece], whole=self._whole)
                self._pieces.append(piece)
                for event, frame in self._frames(events):
                    self._frame = frame
                    if type(event) is Item:
                        on[Item](event)
                        record = self.recorder.find(event.stream_id)
                        if record is not None and not record.is_over:
                            record.received_payloads([frame])
                    else:
                        on[type(event)](event)
                self._frame = None
        self.recorder.tidy()
        if not self.recorder.traced:
            self._pieces.clear()

    def _frames(self, events: list[Event]) -> Iterator[tuple[Event, bytes]]:
        """Each event with what says it."""
        if not events:  # the rest is yet to come, or nothing was said
            return
        piece = b"".join(self._pieces)
        self._pieces.clear()
        if len(events) == 1:
            yield events[0], piece
            return
        lines = [line for line in piece.split(b"\n") if line.strip()]
        for index, event in enumerate(events):
            yield event, lines[index] if len(lines) == len(events) else piece

    # ---- the size of a frame

    def arrived(self, chunks: Sequence[bytes], events: list[Event]) -> None:
        """This has come; its events are handed in now, one after the other."""
        self.batch = chunks, events
        self._sizes = None
        self._at = 0

    def through(self) -> None:
        """All of it was handed in."""
        if not self._whole and self.batch is not None:
            self._tail_bytes = _tail_bytes(self._tail_bytes, self.batch[0])
        self.batch = None

    def _size_of(self, event: Event) -> int:
        if self.batch is None:
            return 0
        chunks, events = self.batch
        if self._sizes is None:
            self._sizes = _sizes(chunks, len(events), self._whole, self._tail_bytes)
        at = self._at
        while at < len(events) and events[at] is not event:
            at += 1
        self._at = at
        return self._sizes[at] if at < len(self._sizes) else 0


def _lines(chunk: bytes) -> list[bytes]:
    *lines, tail = chunk.split(b"\n")
    return [*(line + b"\n" for line in lines), *([tail] if tail else [])]


def _sizes(chunks: Sequence[bytes], count: int, whole: bool, tail_bytes: int) -> list[int]:
    """The sizes of ``count`` messages in what arrived."""
    if whole and len(chunks) == count:
        return [len(chunk) for chunk in chunks]
    lines = b"".join(chunks).split(b"\n")
    sizes = [len(line) + 1 for line in lines]
    sizes[0] += tail_bytes
    full = [
        size
        for line, size in zip(lines, sizes, strict=True)
        if line.strip() or size > len(line) + 1
    ]
    if not whole and lines[-1]:
        full.pop()
    total = sum(map(len, chunks)) + tail_bytes
    return full if len(full) == count else [total // max(1, count)] * count


def _tail_bytes(before: int, chunks: Sequence[bytes]) -> int:
    for chunk in chunks:
        end = chunk.rfind(b"\n") + 1
        before = len(chunk) - end if end else before + len(chunk)
    return before


def error_name(error: BaseException | None) -> str:
    """What an error is called; its text may hold anything."""
    match error:
        case None:
            return ""
        case RemoteError():
            return error.name or "Error"
        case CallTimeout():
            return "time limit"
    return type(error).__name__


_Noted = tuple[Sequence[str], str, str, int, bool]
"""The ids it may be found by, its kind, a detail, an amount, whether the call is over with it."""


def _acknowledged(event: Acknowledged) -> _Noted:
    return (event.control_id, event.stream_id), "acknowledgement", error_name(event.error), 0, False


def _ended(event: Ended) -> _Noted:
    detail = "" if event.value is undefined or event.value is None else "with a return value"
    return (event.stream_id,), "end", detail, 0, True


def _failed(event: Failed) -> _Noted:
    return (event.id,), "error", error_name(event.error), 0, True


_READERS: dict[type, Callable[[Any], _Noted]] = {
    Opened: lambda event: ((event.call_id,), "response (stream)", "", 0, False),
    Ended: _ended,
    Failed: _failed,
    Acknowledged: _acknowledged,
    Credited: lambda event: ((event.stream_id,), "credit", "", event.count, False),
    Cancelled: lambda event: ((event.stream_id,), "cancel", "", 0, False),
    Thrown: lambda event: ((event.stream_id,), "throw", "", 0, False),
    CallbackInvoked: lambda event: ((event.callback_id,), "callback", "", 0, False),
    CallbacksReleased: lambda event: (event.callback_ids, "release", "", 0, False),
    NotUnderstood: lambda event: ((event.call_id,), "not understood", "", 0, False),
}
