"""The live diagram: what the page is sent, how often, and what stays."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import pytest

from kkjupyter.calls.buffer import StreamBuffer
from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.views import VIEWS
from kkjupyter.notebook.views.trace import view as trace_views
from kkjupyter.notebook.views.trace.view import TraceView
from kkjupyter.traces.record import CallRecord
from kkjupyter.traces.secrets import Excerpts


def record_of(wire: str = "compact, json", buffer: StreamBuffer | None = None) -> CallRecord:
    return CallRecord(7, "ticks()", "ws://here", wire, buffer, Excerpts())


def played(source: str) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """The rows and what stands around them, as the page has them after this source."""
    rows: list[dict[str, Any]] = []
    around: dict[str, str] = {}
    for line in map(json.loads, source.splitlines()):
        if isinstance(line, list):
            index, row = line
            rows[index : index + 1] = [row]
        elif "rows" in line:
            del rows[line["rows"] :]
        else:
            around = line
    return rows, around


def drawn(record: CallRecord) -> list[tuple[str, str, str]]:
    return [(row.label, row.detail, row.direction) for row in record.trace().rows]


def status(state: Any = "done") -> Status:
    return Status(7, "ticks()", state, "stream", 3, 1.0, 0.1, "", ())


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_views, "_INTERVAL_S", 0.0)
    monkeypatch.setattr(trace_views, "_SLOW_INTERVAL_S", 0.0)


def test_it_is_not_for_users_to_name() -> None:
    assert "trace" not in VIEWS


def test_the_page_sees_what_is_noted_also_when_rows_are_folded(at_once: None) -> None:
    buffer = StreamBuffer()
    record = record_of(buffer=buffer)
    record.note("out", "request", 90, payload=b'{"p":1}')
    view = TraceView(record)
    assert played(view.text)[0][0]["payload"] == '{"p":1}'
    for number in range(30):
        record.note("out", "credit", 70, amount=16, payload=b"credit")
        view.feed([None])
        buffer.put(number, 10)
        record.received_payloads([str(number).encode()])
        view.feed([None])
        rows, _ = played(view.text)
        assert [(row["label"], row["detail"], row["direction"]) for row in rows] == drawn(record)
    record.note("in", "end", 30, over=True)
    view.finish()
    rows, around = played(view.text)
    assert [(row["label"], row["detail"], row["direction"]) for row in rows] == drawn(record)
    assert all("payload" in row for row in rows[:-1])
    assert around["heading"] == "ticks() · compact, json · ws://here"
    assert "31 frames out" in around["summary"]


def test_the_page_is_not_told_what_it_knows(at_once: None) -> None:
    record = record_of()
    record.note("out", "request", 90)
    view = TraceView(record)
    assert view.feed([None] * 100) == ""
    record.note("in", "response", 90, over=True)
    assert [json.loads(line)[0] for line in view.feed([None]).splitlines()[1:]] == [1]


def test_it_looks_at_most_thirty_times_a_second() -> None:
    record = record_of()
    record.note("out", "request", 90)
    view = TraceView(record)
    told = 0
    started_s = time.monotonic()
    for number in range(300):
        record.note("in", "throw", 1, detail=str(number))
        told += bool(view.feed([None]))
        time.sleep(0.001)
    assert told <= (time.monotonic() - started_s) * 30 + 1
    record.over()
    view.finish()
    assert len(played(view.text)[0]) == len(record.trace().rows)


def test_a_long_source_is_begun_anew(at_once: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trace_views, "_ANEW_CHARS", 5_000)
    record = record_of()
    view = TraceView(record)
    for number in range(200):
        record.note("in", "throw", 1, detail=str(number))
        version, source = view.version, view.feed([None])
        if view.version != version:
            assert view.text == source
        rows, _ = played(view.text)
        assert [row["detail"] for row in rows] == [row.detail for row in record.trace().rows]
    assert view.version > 1
    assert len(view.text) < 60_000


def test_the_end_waits_for_what_belongs_to_it() -> None:
    record = record_of()
    record.note("out", "request", 90)
    view = TraceView(record)

    def note_the_rest() -> None:
        record.note("out", "cancel", 90, over=True)
        record.note("in", "acknowledgement", 90)

    timer = threading.Timer(0.03, note_the_rest)
    timer.start()
    view.finish()
    timer.join()
    assert [row["label"] for row in played(view.text)[0]] == [
        "request",
        "cancel",
        "acknowledgement",
    ]


@pytest.mark.parametrize("wire", ["classic, json", "compact, json", "vovk, jsonlines"])
def test_the_end_does_not_wait_for_ever(wire: str) -> None:
    record = record_of(wire)
    record.note("out", "request", 90)
    view = TraceView(record)
    started_s = time.monotonic()
    view.finish()
    assert time.monotonic() - started_s < 1
    record.note("out", "cancel", 90, over=True)
    started_s = time.monotonic()
    assert view._expects_more() is wire.startswith("compact")


def test_what_stays_has_a_shape_for_everybody() -> None:
    record = record_of()
    record.note("out", "request", 90, payload=b"{}")
    record.note("in", "response", 40, over=True)
    view = TraceView(record)
    view.finish()
    bundle = view.bundle(status())
    vendor = bundle.pop("application/vnd.kkjupyter.v1+json")
    assert vendor["pane"] == "trace"
    assert played(vendor["source"])[0][0]["payload"] == "{}"
    assert set(bundle) == {"text/html", "text/plain"}
    assert "◄" in bundle["text/plain"]
    # On paper nobody can open what a frame holds.
    assert "<details open>" in bundle["text/html"]
    assert "max-height" not in bundle["text/html"]
    json.dumps(bundle)
