"""The diagram in characters."""

from __future__ import annotations

import pytest

from kkjupyter.traces.trace import Trace, TraceRow, diagram, size_text, time_text

ROWS = (
    TraceRow(0.0, "out", "request", 1, 131, "countdown"),
    TraceRow(0.0012, "in", "response (stream)", 1, 117, "", 0.0012),
    TraceRow(0.0121, "in", "chunk", 412, 28_100, "", 0.4),
    TraceRow(0.41, "here", "lost", 1, 0, "closed by the other side", 0.41),
)


def trace_of(*rows: TraceRow, is_over: bool = True) -> Trace:
    payloads = any(row.payloads for row in rows)
    return Trace(3, "countdown(5)", "ws://here:1", "compact, json", rows, is_over, payloads)


def test_the_diagram() -> None:
    assert repr(trace_of(*ROWS)) == "\n".join(
        [
            "countdown(5) · compact, json · ws://here:1",
            "    time  notebook                            server     size",
            "  0.0 ms  │───────── request  countdown ────────►│    131 B",
            "  1.2 ms  │◄───────── response (stream) ─────────│    117 B",
            "   12 ms  │◄──────────── chunk × 412 ────────────│  28.1 kB",
            "  410 ms  │··· lost  closed by the other side ···│",
            "          1 frame out (131 B), 413 in (28.2 kB), 410 ms",
        ]
    )


def test_a_call_that_runs_says_so() -> None:
    assert "still running" in trace_of(*ROWS, is_over=False).heading
    assert "(nothing has gone over the wire)" in trace_of().text


@pytest.mark.parametrize("method", ["m", "m" * 40, "m" * 400])
def test_the_lifelines_are_straight_and_within_the_width(method: str) -> None:
    lines = diagram(trace_of(TraceRow(0.0, "out", "request", 1, 10, method), *ROWS)).split("\n")
    drawn = [line for line in lines if "│" in line]
    assert len({line.index("│") for line in drawn}) == 1
    assert len({line.rindex("│") for line in drawn}) == 1
    assert max(map(len, drawn)) <= 80


def test_payloads_stand_below_their_arrow_and_are_cut_in_height() -> None:
    row = TraceRow(0.0, "in", "chunk", 40, 10, payloads=tuple(f"line {n}" for n in range(40)))
    text = diagram(trace_of(row))
    assert text.count("\n            line ") == 11
    assert "            … 29 more lines …\n            line 37" in text
    assert "line 0" not in diagram(trace_of(row), payloads=False)


@pytest.mark.parametrize(
    ("size", "text"),
    [
        *((0, ""), (1, "1 B"), (999, "999 B"), (1000, "1.0 kB"), (99_949, "99.9 kB")),
        *((99_960, "100 kB"), (999_400, "999 kB"), (999_600, "1.0 MB"), (3_210_000, "3.2 MB")),
        (12_345_000_000, "12,345 MB"),
    ],
)
def test_sizes(size: int, text: str) -> None:
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        *((0.0, "0.0 ms"), (0.0099, "9.9 ms"), (0.00996, "10 ms"), (0.9994, "999 ms")),
        *((0.9996, "1.00 s"), (99.99, "99.99 s"), (100.0, "100 s"), (12_345.0, "12,345 s")),
    ],
)
def test_times(seconds: float, text: str) -> None:
    assert time_text(seconds) == text
