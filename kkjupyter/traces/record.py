"""Noting the frames of one call while it runs, for next to nothing.

What a stream brings is not noted frame by frame: its buffer counts the values anyway, and a run is
the difference between two looks at those numbers.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from kkjupyter.calls.buffer import StreamBuffer
from kkjupyter.calls.state import CallState
from kkjupyter.calls.titles import Title
from kkjupyter.plaintext import readable
from kkjupyter.runtime.loop_threads import io_loop
from kkjupyter.traces.secrets import Excerpts, Kept
from kkjupyter.traces.trace import Direction, Trace, TraceRow

__all__ = ["CallRecord", "record_of"]

# Of a call with more rows than that, the first and the newest are kept.
_ROWS: Final = 256
_FIRST_ROWS: Final = 64
# Of a run of frames, the payloads of so many at its beginning and at its end.
_RUN_ENDS: Final = 8
_PAYLOAD_BYTES: Final = 512 * 1024
# So many rows of credit and chunks that take turns are kept apart, so that a short stream is shown
# as it was; when more come, the first four become two.
_TURNS: Final = 6
_FOLDED: Final = frozenset({"callback", "credit", "release"})


class _Entry:
    """A row that may still grow. Each has one writer."""

    __slots__ = (
        "amount",
        "count",
        "detail",
        "direction",
        "first",
        "kind",
        "last",
        "size_bytes",
        "stream_id",
        "t_s",
        "until_s",
    )

    def __init__(
        self,
        t_s: float,
        direction: Direction,
        kind: str,
        count: int,
        size_bytes: int,
        detail: str = "",
        amount: int = 0,
    ) -> None:
        self.t_s = self.until_s = t_s
        self.direction: Direction = direction
        self.kind = kind
        self.count = count
        self.size_bytes = size_bytes
        self.detail = detail
        self.amount = amount  # of credit
        self.stream_id = ""
        self.first: list[Kept] | None = None
        self.last: deque[Kept] | None = None

    def add(self, other: _Entry) -> None:
        """Take in a later row of the same kind."""
        self.count += other.count
        self.size_bytes += other.size_bytes
        self.amount += other.amount
        self.until_s = other.until_s

    def row(self, start_s: float, with_payloads: bool) -> TraceRow:
        payloads: tuple[str, ...] | None = None
        first, last = self.first, self.last
        if first is not None and with_payloads:
            newest = tuple(last or ())
            missing = self.count - len(first) - len(newest)
            gap = (f"… {missing:,} more …",) if missing > 0 else ()
            payloads = (*(kept.text for kept in first), *gap, *(kept.text for kept in newest))
        detail = f"+{self.amount:,}" if self.amount else _one_line(self.detail)
        return TraceRow(
            self.t_s - start_s,
            self.direction,
            self.kind,
            self.count,
            self.size_bytes,
            detail,
            self.until_s - start_s,
            payloads,
        )


class CallRecord:
    """What is noted of one call, which it observes.

    Made by :meth:`~kkjupyter.traces.recorder.Recorder.begin`. What is noted of the peer's frames
    is noted on the I/O loop; :meth:`trace` may be asked for on any thread.

    Args:
        number: of the call.
        title: the call as written.
        url: where to, without secrets.
        wire: what is spoken there, as far as that is known.
        buffer: counts what a stream brings.
        excerpts: makes the text of payloads; None to keep none.
        hide: makes text that has no secrets in it.
    """

    __slots__ = (
        "_buffer",
        "_bytes",
        "_entries",
        "_excerpts",
        "_hide",
        "_items",
        "_kept_bytes",
        "_run",
        "_sent",
        "chunk_kind",
        "ids",
        "number",
        "over_at_s",
        "title",
        "url",
        "version",
        "wire",
    )

    def __init__(
        self,
        number: int,
        title: str | Title,
        url: str,
        wire: str,
        buffer: StreamBuffer | None,
        excerpts: Excerpts | None,
        hide: Callable[[str], str] = str,
    ) -> None:
        self.number = number
        self.title = title
        self.url = url
        self.wire = wire
        self.chunk_kind = "chunk"
        self.ids: tuple[str, ...] = ()
        self.over_at_s = 0.0
        self._buffer = buffer
        self._excerpts = excerpts
        self._hide = hide
        self._entries: list[_Entry] = []
        self._items = self._bytes = self._kept_bytes = 0
        self._run: _Entry | None = None  # the chunks that are coming
        self._sent: _Entry | None = None  # and those that go

    # ---- noting

    @property
    def keeps_payloads(self) -> bool:
        """Whether what the frames hold is kept, too."""
        return self._excerpts is not None

    @property
    def is_over(self) -> bool:
        """Whether nothing more is expected; something may come all the same."""
        return self.over_at_s > 0

    def note(
        self,
        direction: Direction,
        kind: str,
        size_bytes: int = 0,
        *,
        detail: str = "",
        amount: int = 0,
        payload: bytes | None = None,
        over: bool = False,
    ) -> None:
        """Note one frame.

        Args:
            direction: which way it goes.
            kind: see :class:`~kkjupyter.traces.trace.TraceRow`.
            size_bytes: on the wire.
            detail: a word more about it.
            amount: of credit.
            payload: the frame itself; kept as far as payloads are.
            over: the call ends with it.
        """
        now_s = time.monotonic()
        if self._buffer is not None and self._buffer.put_items != self._items:
            self.received(now_s)
        entry = _Entry(now_s, direction, kind, 1, size_bytes, detail, amount)
        self._run = self._sent = None
        last = self._entries[-1] if kind in _FOLDED and self._entries else None
        if last is not None and (last.kind, last.direction) == (kind, direction):
            last.add(entry)
            entry = last
        else:
            if amount:
                self._fold_turns()
            self._append(entry)
        if self._excerpts is not None:
            self._keep(entry, payload)
        if over:
            self.over()

    def received(self, now_s: float) -> None:
        """Note what the stream has brought since the last look."""
        buffer = self._buffer
        if buffer is None:
            return
        items = buffer.put_items
        if items == self._items:
            return
        run = self._run
        if run is None:
            run = self._run = _Entry(now_s, "in", self.chunk_kind, 0, 0)
            self._append(run)
        size_bytes = buffer.put_bytes
        run.count += items - self._items
        run.size_bytes += size_bytes - self._bytes
        run.until_s = now_s
        self._items, self._bytes = items, size_bytes

    def received_payloads(self, payloads: Sequence[bytes]) -> None:
        """As :meth:`received`, with what the frames hold."""
        self.received(time.monotonic())
        if self._run is not None:
            for payload in payloads:
                self._keep(self._run, payload)

    def dropped(self, size_bytes: int, payload: bytes | None) -> None:
        """Note a chunk that came after the call was over here."""
        last = self._entries[-1] if self._entries else None
        now_s = time.monotonic()
        if last is None or last.detail != "dropped":
            last = _Entry(now_s, "in", self.chunk_kind, 0, 0, "dropped")
            self._append(last)
        last.count += 1
        last.size_bytes += size_bytes
        last.until_s = now_s
        self._keep(last, payload)

    def sent_chunk(self, stream_id: str, message: bytes) -> None:
        """Note a value of a stream that is an argument. The thread that pumps it."""
        now_s = time.monotonic()
        run = self._sent
        if run is None or run.stream_id != stream_id:
            run = _Entry(now_s, "out", "chunk", 0, 0)
            run.stream_id = stream_id
            self._sent = run
            self._append(run)
        run.count += 1
        run.size_bytes += len(message)
        run.until_s = now_s
        self._keep(run, message)

    def sent(self, kind: str, frame: bytes, detail: str) -> None:
        """Note another frame of such a stream."""
        self.note("out", kind, len(frame), detail=detail, payload=frame)

    def call_ended(self) -> None:
        """The call has ended. Any thread."""
        if not self.over_at_s:
            # Behind the frames that the end may still bring; it is known as under way until then.
            io_loop().post(self.over)

    def over(self) -> None:
        """Nothing more is expected."""
        if not self.over_at_s:
            now_s = time.monotonic()
            self.received(now_s)
            self.over_at_s = now_s
            self._buffer = None  # the values in it are for whoever takes them

    def forget_payloads(self) -> None:
        """Keep the headers only. Any thread."""
        self._excerpts = None
        for entry in list(self._entries):
            entry.first = entry.last = None
        self._kept_bytes = 0

    def _append(self, entry: _Entry) -> None:
        entries = self._entries
        entries.append(entry)
        if len(entries) > _ROWS:
            left_out, next_ = entries[_FIRST_ROWS], entries[_FIRST_ROWS + 1]
            if left_out.kind != "left out":
                gap = _Entry(left_out.t_s, "here", "left out", 0, 0)
                gap.add(left_out)
                left_out = entries[_FIRST_ROWS] = gap
            left_out.add(next_)
            left_out.amount = 0
            left_out.detail = f"{left_out.count:,} frames"
            del entries[_FIRST_ROWS + 1]

    def _fold_turns(self) -> None:
        """Credit and chunks that take turns become one row each, except the newest of them."""
        entries = self._entries
        newest = entries[-_TURNS:]
        if len(newest) < _TURNS:
            return
        credit, chunks = newest[:2]
        if all(one.amount and one.direction == credit.direction for one in newest[::2]) and all(
            one.kind == self.chunk_kind and one.direction == chunks.direction != credit.direction
            for one in newest[1::2]
        ):
            self._join(credit, newest[2])
            self._join(chunks, newest[3])
            chunks.detail = "in turns"
            del entries[2 - _TURNS : 4 - _TURNS]

    # ---- payloads

    def _keep(self, entry: _Entry, payload: bytes | None) -> None:
        excerpts = self._excerpts
        if excerpts is not None and payload is not None:
            self._put(entry, Kept(payload, excerpts))

    def _put(self, entry: _Entry, kept: Kept) -> None:
        if entry.first is None:
            entry.first = []
        if len(entry.first) < _RUN_ENDS and entry.last is None:
            if self._kept_bytes + kept.size_bytes <= _PAYLOAD_BYTES:
                entry.first.append(kept)
                self._kept_bytes += kept.size_bytes
            return
        if entry.last is None:
            entry.last = deque()
        if len(entry.last) == _RUN_ENDS:
            self._kept_bytes -= entry.last.popleft().size_bytes
        if self._kept_bytes + kept.size_bytes <= _PAYLOAD_BYTES:
            entry.last.append(kept)
            self._kept_bytes += kept.size_bytes

    def _join(self, entry: _Entry, later: _Entry) -> None:
        entry.add(later)
        for kept in (*(later.first or ()), *(later.last or ())):
            self._kept_bytes -= kept.size_bytes
            self._put(entry, kept)

    # ---- looking

    def trace(self, *, settled_only: bool = False) -> Trace:
        """What was noted until now. Any thread.

        Args:
            settled_only: leave out what rows hold that may still be folded into others; for who
                looks often.
        """
        entries = [entry for entry in list(self._entries) if entry.count]
        start_s = entries[0].t_s if entries else 0.0
        unsettled = entries[-_TURNS:] if settled_only else []
        rows = tuple(
            entry.row(start_s, entry.count == 1 or entry not in unsettled) for entry in entries
        )
        has_payloads = any(entry.first is not None for entry in entries)
        title = _one_line(self._hide(str(self.title)))
        return Trace(self.number, title, self.url, self.wire, rows, self.is_over, has_payloads)


def record_of(state: CallState) -> CallRecord | None:
    """What is noted of a call; None where nothing is."""
    observer = state.observer
    return observer if type(observer) is CallRecord else None


def _one_line(text: str) -> str:
    """``text``, which may be the peer's (the name of an error), as a diagram can show it."""
    return text if text.isprintable() else readable(text).replace("\n", " ")
