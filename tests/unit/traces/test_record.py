"""What is noted of a call: runs, turns, limits."""

from __future__ import annotations

import sys
import tracemalloc

import pytest

from kkjupyter.calls.buffer import BatchBuffer, StreamBuffer
from kkjupyter.traces.record import CallRecord
from kkjupyter.traces.secrets import Excerpts
from kkjupyter.traces.trace import Trace


def record_of(buffer: StreamBuffer | None = None, *, payloads: bool = False) -> CallRecord:
    excerpts = Excerpts() if payloads else None
    return CallRecord(7, "api.ticks()", "ws://here", "compact, json", buffer, excerpts)


def lines(trace: Trace) -> list[str]:
    """``"<- chunk × 3 300"`` for each row."""
    marks = {"out": "->", "in": "<-", "here": ".."}
    return [
        f"{marks[row.direction]} {row.label} {row.detail} {row.size_bytes}".replace("  ", " ")
        for row in trace.rows
    ]


def test_a_call_of_two_frames_is_two_rows() -> None:
    record = record_of()
    record.note("out", "request", 90, detail="add")
    record.note("in", "response", 40, over=True)
    trace = record.trace()
    assert lines(trace) == ["-> request add 90", "<- response 40"]
    assert trace.is_over
    assert not trace.has_payloads
    assert trace.rows[0].t_s == 0
    assert trace.rows[1].t_s >= 0


@pytest.mark.parametrize("kind", [StreamBuffer, BatchBuffer])
def test_what_a_stream_brings_is_one_row_whoever_looks(kind: type[StreamBuffer]) -> None:
    buffer = kind()
    record = record_of(buffer)
    record.note("out", "request", 90)
    record.note("in", "response (stream)", 50)
    for number in range(412):
        buffer.put(number, 10)
        if number % 100 == 0:
            record.received(float(number))
    record.note("in", "end", 30, over=True)
    assert lines(record.trace())[2:] == ["<- chunk × 412 4120", "<- end 30"]


def test_nothing_is_noted_for_each_item() -> None:
    buffer = StreamBuffer()
    record = record_of(buffer)
    record.note("out", "request", 90)
    buffer.put(None, 10)
    record.received(1.0)
    size_bytes = record_size(record)
    for _ in range(10_000):
        buffer.put(None, 10)
        buffer.take()
    tracemalloc.start()
    record.received(2.0)
    grown_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown_bytes < 2_000
    assert record_size(record) == size_bytes
    assert lines(record.trace())[1] == "<- chunk × 10,001 100010"


def record_size(record: CallRecord) -> int:
    return sum(sys.getsizeof(getattr(record, name, None)) for name in CallRecord.__slots__)


def test_a_buffer_is_let_go_at_the_end() -> None:
    buffer = StreamBuffer()
    buffer.put("a large value", 10)
    record = record_of(buffer)
    record.note("in", "response (stream)", 50)
    references = sys.getrefcount(buffer)
    record.over()
    assert sys.getrefcount(buffer) == references - 1
    assert lines(record.trace()) == ["<- response (stream) 50", "<- chunk 10"] or lines(
        record.trace()
    ) == ["<- chunk 10", "<- response (stream) 50"]


def test_what_the_peer_calls_its_error_is_one_line_that_can_be_shown() -> None:
    record = CallRecord(7, "\x1b]0;x\x07()", "ws://here", "compact, json", None, None)
    record.note("in", "error", 50, detail="\x1b[31mOops\ud83d\nsecond\x9b", over=True)
    trace = record.trace()
    assert trace.title == "\ufffd]0;x\ufffd()"
    assert lines(trace) == ["<- error \ufffd[31mOops\ufffd second\ufffd 50"]
    trace.text.encode()


def test_a_few_turns_are_shown_as_they_were() -> None:
    buffer = StreamBuffer()
    record = record_of(buffer)
    for number in range(3):
        record.note("out", "credit", 70, amount=16)
        buffer.put(number, 10)
        record.received(1.0)
    record.note("in", "end", 30, over=True)
    assert lines(record.trace()) == ["-> credit +16 70", "<- chunk 10"] * 3 + ["<- end 30"]


def test_credit_and_chunks_that_take_turns_are_folded_save_the_newest() -> None:
    buffer = StreamBuffer()
    record = record_of(buffer)
    record.note("out", "request", 90)
    for _ in range(100):
        record.note("out", "credit", 70, amount=16)
        for _ in range(16):
            buffer.put(None, 10)
        record.received(1.0)
    record.note("in", "end", 30, over=True)
    assert lines(record.trace()) == [
        "-> request 90",
        "-> credit × 98 +1,568 6860",
        "<- chunk × 1,568 in turns 15680",
        *["-> credit +16 70", "<- chunk × 16 160"] * 2,
        "<- end 30",
    ]


def test_callbacks_in_a_row_are_one_row() -> None:
    record = record_of()
    record.note("out", "request", 90)
    for _ in range(5):
        record.note("in", "callback", 20)
    record.note("in", "response", 10)
    for _ in range(2):
        record.note("in", "callback", 20)
    assert lines(record.trace())[1:] == [
        "<- callback × 5 100",
        "<- response 10",
        "<- callback × 2 40",
    ]


def test_of_very_many_rows_the_first_and_the_newest_stay() -> None:
    record = record_of()
    for number in range(10_000):
        record.note("out", "throw", 1, detail=str(number))
    rows = record.trace().rows
    assert len(rows) == 256
    assert [row.detail for row in rows[:64]] == [str(number) for number in range(64)]
    assert rows[-1].detail == "9999"
    [gap] = [row for row in rows if row.kind == "left out"]
    assert gap.direction == "here"
    assert sum(row.count for row in rows) == 10_000
    assert sum(row.size_bytes for row in rows) == 10_000


def test_what_comes_after_the_end_is_told_apart() -> None:
    buffer = StreamBuffer()
    record = record_of(buffer)
    record.note("in", "response (stream)", 50)
    buffer.put(None, 10)
    record.note("out", "cancel", 60, over=True)
    record.dropped(10, None)
    record.dropped(10, None)
    record.note("in", "acknowledgement", 40)
    assert lines(record.trace())[2:] == [
        "-> cancel 60",
        "<- chunk × 2 dropped 20",
        "<- acknowledgement 40",
    ]


def test_sent_chunks_are_runs_by_stream() -> None:
    record = record_of()
    record.note("out", "request", 90)
    for _ in range(3):
        record.sent_chunk("a", b"12345")
    record.sent_chunk("b", b"1")
    record.note("in", "credit", 5, amount=16)
    record.sent_chunk("b", b"1")
    assert lines(record.trace())[1:] == [
        "-> chunk × 3 15",
        "-> chunk 1",
        "<- credit +16 5",
        "-> chunk 1",
    ]


# ---- payloads


def test_payloads_are_kept_only_where_asked_for() -> None:
    for wanted in (False, True):
        record = record_of(payloads=wanted)
        record.note("out", "request", 5, payload=b'{"a":1}\n')
        assert record.trace().has_payloads is wanted
        assert record.trace().rows[0].payload_text == ('{"a":1}' if wanted else "")


def test_of_a_long_run_the_first_and_the_last_payloads_are_kept() -> None:
    buffer = StreamBuffer()
    record = record_of(buffer, payloads=True)
    for number in range(100):
        buffer.put(number, 3)
        record.received_payloads([str(number).encode()])
    [row] = record.trace().rows
    assert row.payloads == (*map(str, range(8)), "… 84 more …", *map(str, range(92, 100)))


def test_folding_turns_keeps_the_first_and_the_last_payloads() -> None:
    buffer = StreamBuffer()
    record = record_of(buffer, payloads=True)
    for number in range(50):
        record.note("out", "credit", 1, amount=1, payload=f"c{number}".encode())
        buffer.put(number, 3)
        record.received_payloads([f"v{number}".encode()])
    credit, chunks, *_ = record.trace().rows
    assert credit.payloads is not None
    assert credit.payloads[0] == "c0"
    assert credit.payloads[-1] == "c47"
    assert chunks.payloads is not None
    assert chunks.payloads[0] == "v0"
    assert chunks.payloads[-1] == "v47"


def test_all_payloads_of_a_call_together_are_bounded() -> None:
    record = record_of(payloads=True)
    for number in range(1_000):
        record.note("out", "throw", 1, detail=str(number), payload=b"x" * 4_000)
    kept = sum(len(row.payload_text) for row in record.trace().rows)
    assert 100_000 < kept <= 512 * 1024


def test_payloads_can_be_forgotten() -> None:
    record = record_of(payloads=True)
    record.note("out", "request", 5, payload=b"{}")
    record.forget_payloads()
    record.note("in", "response", 5, payload=b"{}")
    trace = record.trace()
    assert not trace.has_payloads
    assert lines(trace) == ["-> request 5", "<- response 5"]
