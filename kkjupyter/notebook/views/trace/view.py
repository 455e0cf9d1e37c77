"""The trace view: the frames of a call as a sequence diagram that grows."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.views.base import PARTS, RETAINED_BYTES, SAVED_BYTES, View
from kkjupyter.notebook.views.saved_form import MIME_TYPE, Body, static_bundle
from kkjupyter.notebook.views.saved_size import ONLY_TEXT, file_bytes, fitting_text
from kkjupyter.notebook.views.trace.html import trace_html
from kkjupyter.notebook.views.transcript import Transcript
from kkjupyter.traces.record import CallRecord
from kkjupyter.traces.trace import Trace, TraceRow

__all__ = ["TraceView"]

_INTERVAL_S = 1 / 30
# When the oldest of many rows are folded, each new row moves all following ones.
_MANY_ROWS = 200
_SLOW_INTERVAL_S = 1.0
_ANEW_CHARS = 500_000
# How long to wait for frames after the end of a call (its cancel, the acknowledgement).
_AFTERMATH_S = 0.15
_LOOK_S = 0.003


class TraceView(View):
    """Draws the recorded frames of a call. The items that it is fed only trigger a new look.

    The source is lines of JSON: ``[index, row]`` puts a row in its place, ``{"rows": n}`` removes
    all from the n-th on, ``{"heading": ..., "summary": ...}`` are above and below.

    Args:
        record: the record of the call.
    """

    name = "trace"
    pane = "trace"
    part = PARTS / "trace.js"

    def __init__(self, record: CallRecord) -> None:
        super().__init__(saved_bytes=RETAINED_BYTES)
        self.version = 0
        self._record = record
        self._shown: list[dict[str, Any]] = []
        self._around: dict[str, str] = {}
        self._looked_at_s = 0.0
        self._sent_chars = 0
        self.feed([])

    def render(self, items: Sequence[Any]) -> str:
        """The changes since the last look; it looks at most 30 times a second."""
        now_s = time.monotonic()
        many = len(self._shown) >= _MANY_ROWS
        if now_s - self._looked_at_s < (_SLOW_INTERVAL_S if many else _INTERVAL_S):
            return ""
        self._looked_at_s = now_s
        return self._changes(self._record.trace(settled_only=True))

    def flush(self) -> str:
        """The last changes, after everything at the end was recorded."""
        deadline_s = time.monotonic() + _AFTERMATH_S
        while self._expects_more() and time.monotonic() < deadline_s:
            time.sleep(_LOOK_S)
        return self._changes(self._record.trace())

    def bundle(self, status: Status) -> dict[str, Any]:
        """The diagram, in each of its shapes; what the state line says stands in the other view."""
        trace = self._record.trace()
        body = Body(trace_html(trace, is_open=True), trace.text, data={"source": _source(trace)})
        if file_bytes(body) > SAVED_BYTES:
            text = fitting_text(_transcript_of(trace.text).excerpt, SAVED_BYTES).text
            return static_bundle(self.name, "text", Body("", text, notes=(ONLY_TEXT,)), status)
        kept = {"view": self.name, "pane": self.pane, "left_out": 0, **body.data}
        return {
            MIME_TYPE: {**kept, **status.sound().to_json()},
            "text/html": body.html,
            "text/plain": body.plain,
        }

    def _expects_more(self) -> bool:
        if not self._record.is_over:
            return True
        if not self._record.wire.startswith("compact"):
            return False
        kinds = [row.kind for row in self._record.trace().rows]
        return "cancel" in kinds and "acknowledgement" not in kinds[kinds.index("cancel") :]

    def _changes(self, trace: Trace) -> str:
        if self._sent_chars > _ANEW_CHARS:
            self._transcript = Transcript(RETAINED_BYTES)
            self.version += 1
            self._shown, self._around, self._sent_chars = [], {}, 0
        lines: list[Any] = []
        around = {"heading": trace.heading, "summary": trace.summary}
        if around != self._around:
            self._around = around
            lines.append(around)
        rows = trace.rows
        for index, row in enumerate(rows):
            drawn = _drawn(row)
            if index == len(self._shown):
                self._shown.append({})
            if self._shown[index] != drawn:
                self._shown[index] = drawn
                lines.append([index, drawn])
        if len(self._shown) > len(rows):
            del self._shown[len(rows) :]
            lines.append({"rows": len(rows)})
        source = "".join([f"{_line(line)}\n" for line in lines])
        self._sent_chars += len(source)
        return source


def _transcript_of(text: str) -> Transcript:
    transcript = Transcript(RETAINED_BYTES)
    transcript.append(text)
    return transcript


def _source(trace: Trace) -> str:
    """The source of a finished trace."""
    rows = [[index, _drawn(row)] for index, row in enumerate(trace.rows)]
    lines = [{"heading": trace.heading, "summary": trace.summary}, *rows]
    return "".join([f"{_line(line)}\n" for line in lines])


def _drawn(row: TraceRow) -> dict[str, Any]:
    payload = row.payload_text
    return {**row.to_json(), **({"payload": payload} if payload else {})}


_line = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True).encode
