"""A call that comes alone is written to the socket by whoever makes it, and so is its answer."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.endpoints import Endpoint
from support.sessions import carrier
from support.waiting import PATIENCE_S, until

import kkjupyter as kk
from kkjupyter.client.remote import session_of
from kkjupyter.runtime.loop_threads import io_loop
from kkjupyter.transports.websocket import protocol as pushing

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sockets are files on POSIX only")

Write = Callable[[int, bytes], int]


@pytest.fixture
def api() -> Iterator[Any]:
    with kk.serve(Endpoint(), port=0) as server, server.connect() as api:
        assert api.add(0, 0).result() == 0
        yield api


def rest() -> None:
    """Let the I/O loop come to rest."""
    until(lambda: not io_loop().is_busy)


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A number for each time this thread wakes the I/O loop."""
    woken: list[int] = []
    loop, me = io_loop().loop, threading.get_ident()
    wake = loop.call_soon_threadsafe

    def counted(*args: Any, **options: Any) -> Any:
        if threading.get_ident() == me:
            woken.append(len(woken))
        return wake(*args, **options)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    return woken


@pytest.fixture
def write(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Write, int, bytes], int]], None]:
    """Replaces how a frame is written by others than the I/O loop."""

    def replace(instead: Callable[[Write, int, bytes], int]) -> None:
        real = os.write

        def written(file: int, data: bytes) -> int:
            if threading.current_thread() is not threading.main_thread():
                return real(file, data)
            return instead(real, file, data)

        monkeypatch.setattr(pushing.os, "write", written)

    return replace


def test_it_does_not_wake_the_io_loop(api: Any, woken: list[int]) -> None:
    for number in range(10):
        rest()
        call = api.add(number, 1)
        assert woken == []
        assert call.result() == number + 1


def test_those_that_come_together_are_left_to_the_io_loop(api: Any, woken: list[int]) -> None:
    rest()
    calls = [api.add(number, 1) for number in range(50)]
    assert 1 <= len(woken) < 50
    assert [call.result() for call in calls] == list(range(1, 51))


def test_what_was_posted_before_leaves_before(api: Any, woken: list[int]) -> None:
    rest()
    gate = threading.Event()
    io_loop().post(gate.wait, PATIENCE_S)
    before = len(woken)
    call = api.add(1, 2)
    assert session_of(api).calls == []  # behind what was posted
    gate.set()
    assert call.result() == 3
    assert len(woken) == before


def test_a_frame_that_is_written_in_part_is_written_to_its_end(api: Any, write: Any) -> None:
    parts: list[int] = []

    def in_part(real: Write, file: int, data: bytes) -> int:
        parts.append(real(file, data[: 1 + len(parts) % 12]))
        return parts[-1]

    write(in_part)
    for number in range(50):
        rest()
        calls = [api.add(number, 1), api.add(number, 2)]  # the second one is behind the rest
        assert [call.result() for call in calls] == [number + 1, number + 2]
    assert len(parts) == 50


@pytest.mark.parametrize("error", [BlockingIOError(), BrokenPipeError()])
def test_what_cannot_be_written_now_is_left_to_the_io_loop(
    api: Any, write: Any, error: OSError
) -> None:
    tried: list[int] = []

    def refuse(real: Write, file: int, data: bytes) -> int:
        tried.append(file)
        raise error

    write(refuse)
    for number in range(5):
        rest()
        assert api.add(number, 1).result() == number + 1
    assert len(tried) == 5


def test_ctrl_c_in_the_middle_of_a_frame_ends_the_connection_and_nothing_else(
    api: Any, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(real: Write, file: int, data: bytes) -> int:
        real(file, data[:3])
        raise KeyboardInterrupt

    write(interrupted)
    rest()
    with pytest.raises(KeyboardInterrupt):
        api.add(1, 2)
    monkeypatch.undo()
    until(lambda: kk.status().connections[0].state != "open")
    assert api.add(1, 2).result(timeout_s=PATIENCE_S) == 3
    assert session_of(api).calls == []


def test_a_connection_that_ends_at_that_moment_fails_the_call(
    api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel: Any = carrier(api)._channel
    start = channel.calls.start_here

    def start_too_late(call: Any) -> None:
        ended = threading.Event()
        channel._transport._connection.loop.call_soon_threadsafe(channel.abort)
        until(lambda: not channel.is_open)
        io_loop().post(ended.set)
        assert ended.wait(PATIENCE_S)
        start(call)

    monkeypatch.setattr(channel.calls, "start_here", start_too_late)
    rest()
    with pytest.raises(kk.ConnectionLost):
        api.add(1, 2).result(timeout_s=PATIENCE_S)
    assert api.add(1, 2).result(timeout_s=PATIENCE_S) == 3


def test_its_time_limit_runs(api: Any) -> None:
    rest()
    with pytest.raises(kk.CallTimeout):
        kk.call(api.slow, timeout_s=0.05).result()
    until(lambda: session_of(api).calls == [])


def test_its_trace_tells_when_it_was_sent(api: Any) -> None:
    rest()
    call = api.slow(0.2)
    assert call.result() == "done"
    rows = kk.trace(call).rows
    assert [row.kind for row in rows] == ["request", "response"]
    assert rows[1].t_s - rows[0].t_s >= 0.2
