"""Records calls over HTTP for traces: the request, the answer, and the values in its body."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Mapping
from urllib.parse import urlsplit

from kkjupyter.calls.state import CallState
from kkjupyter.connection.channel_trace import error_name
from kkjupyter.errors import ConnectError, ConnectionLost, KKError
from kkjupyter.traces.record import CallRecord
from kkjupyter.traces.recorder import Recorder
from kkjupyter.traces.secrets import without_secret_fields
from kkjupyter.wire.vovk.schema.model import WireFormat
from kkjupyter.wire.vovk.stream_body import DIVIDER

__all__ = ["HttpTrace"]

_KINDS: dict[WireFormat, str] = {"jsonlines": "line", "divider": "chunk"}

_Answer = tuple[str, int, bytes | None]
"""Of an answer: what to say of it, the size of its body, and what it holds."""


class HttpTrace:
    """Records one exchange. I/O loop only. Sizes are those of the bodies.

    Args:
        recorder: the recorder of the connection.
        record: the record of the call; None if nothing is recorded.

    Attributes:
        chunk: the newest piece of a stream's body.
    """

    def __init__(self, recorder: Recorder, record: CallRecord | None) -> None:
        self.chunk = b""
        self._end = b"\n"
        self._whole: _Answer | None = None
        self._recorder = recorder
        self._record = record
        self._excerpts = recorder.excerpts

    def sent(
        self, method: str, url: str, body: bytes, headers: Mapping[str, str], detail: str = ""
    ) -> None:
        """The request is sent.

        Args:
            method: ``"POST"`` and so on.
            url: complete; secrets in its query are left out.
            body: empty for no body.
            headers: the headers of the request; the library adds a few.
            detail: its name in the trace; the path if empty.
        """
        record = self._record
        if record is None:
            return
        self._recorder.hide_headers(headers)
        self._excerpts = self._recorder.excerpts
        parts = urlsplit(url)
        query = f"?{parts.query}" if parts.query else ""
        target = without_secret_fields((parts.path or "/") + query)
        head = self._excerpts.head(f"{method} {target} HTTP/1.1", headers)
        payload = head + body if record.keeps_payloads else None
        line = f"{method} {detail or parts.path}"
        record.note("out", "request", len(body), detail=line, payload=payload)

    def opened(
        self, status: int, headers: Mapping[str, str], content_type: str, wire_format: WireFormat
    ) -> None:
        """The answer is a stream, and its head has arrived."""
        if self._record is not None:
            self._record.chunk_kind = _KINDS[wire_format]
            self._end = b"\n" if wire_format == "jsonlines" else DIVIDER
            detail, _, payload = self._answer(status, headers, content_type, b"")
            self._record.note("in", "response (stream)", detail=detail, payload=payload)

    def answered(
        self, status: int, headers: Mapping[str, str], content_type: str, body: bytes
    ) -> None:
        """The whole answer has arrived; reading it shows whether it is an error."""
        self._whole = self._answer(status, headers, content_type, body)

    def _answer(
        self, status: int, headers: Mapping[str, str], content_type: str, body: bytes
    ) -> _Answer:
        payload = None
        if self._record is not None and self._record.keeps_payloads:
            payload = self._excerpts.head(f"HTTP/1.1 {status}", headers) + body
        return f"{status} {content_type}".rstrip(), len(body), payload

    def values(self, count: int) -> None:
        """The chunk contained so many values."""
        record = self._record
        if record is not None:
            pieces = self._pieces() if record.keeps_payloads else []
            record.received_payloads(pieces[:count])

    def _pieces(self) -> list[bytes]:
        return [piece for piece in self.chunk.split(self._end) if piece.strip()]

    def ended(self) -> None:
        """The stream is complete."""
        if self._record is not None:
            self._record.note("in", "end", over=True)

    def over(self) -> None:
        """The exchange is over without an error."""
        record = self._record
        if record is not None:
            if self._whole is not None:
                detail, size_bytes, payload = self._whole
                record.note("in", "response", size_bytes, detail=detail, payload=payload)
            record.over()

    @contextlib.contextmanager
    def watching(self, state: CallState) -> Iterator[None]:
        """Record the end if it comes too early."""
        record = self._record
        try:
            yield
        except asyncio.CancelledError:
            if record is not None:
                detail = error_name(state.error) if state.phase == "failed" else ""
                record.note("out", "abort", detail=detail or "the connection is closed", over=True)
            raise
        except (ConnectError, ConnectionLost) as error:
            if record is not None:
                record.note("here", "lost", detail=error.reason.partition("\n")[0], over=True)
            raise
        except KKError as error:
            if record is not None:
                self._failed(record, error_name(error))
            raise

    def _failed(self, record: CallRecord, name: str) -> None:
        detail, size_bytes, payload = name, 0, None
        if self._whole is not None:
            status, size_bytes, payload = self._whole
            detail = f"{status} {name}"
        elif record.keeps_payloads:
            payload = b"".join(self._pieces()[-1:]) or None
            size_bytes = len(payload or b"")
        record.note("in", "error", size_bytes, detail=detail, payload=payload, over=True)
