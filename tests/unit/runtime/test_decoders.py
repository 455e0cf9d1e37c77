"""Decoding in threads: whose turn it is, what is raised, what is forgotten."""

from __future__ import annotations

import asyncio
import gc
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.waiting import PATIENCE_S, auntil, until

from kkjupyter.runtime import decoders
from kkjupyter.runtime.decoders import WORTH_A_THREAD_BYTES, decode, submit

MIB = 1024 * 1024


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """All threads wait for it."""
    gate = threading.Event()
    waiting: list[int] = []

    def wait() -> None:
        waiting.append(1)
        gate.wait(PATIENCE_S)

    for _ in range(2):
        submit(wait, 0)
    until(lambda: len(waiting) == 2)
    yield gate
    gate.set()


def test_what_is_little_does_not_wait_behind_what_is_big(gate: threading.Event) -> None:
    done: list[str] = []
    for _ in range(20):
        submit(lambda: done.append("big"), 4 * MIB)
    submit(lambda: done.append("little"), 20_000)
    gate.set()
    until(lambda: len(done) == 21)
    assert "little" in done[:2]  # there are two threads


def test_what_is_big_does_not_wait_for_all_that_comes_later(
    gate: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = decoders.time.monotonic()
    monkeypatch.setattr(decoders.time, "monotonic", lambda: now_s)
    done: list[str] = []
    submit(lambda: done.append("big"), 4 * MIB)
    now_s += 2.0
    for _ in range(20):
        submit(lambda: done.append("little"), 20_000)
    monkeypatch.undo()
    gate.set()
    until(lambda: len(done) == 21)
    assert "big" in done[:2]


@pytest.mark.parametrize("size_bytes", [1, WORTH_A_THREAD_BYTES])
def test_a_value_or_an_error(size_bytes: int) -> None:
    def fail() -> Any:
        raise LookupError("a word")

    async def main() -> None:
        thread = await decode(threading.current_thread, size_bytes)
        assert (thread is threading.current_thread()) == (size_bytes == 1)
        with pytest.raises(LookupError, match="a word"):
            await decode(fail, size_bytes)

    asyncio.run(main())
    until(gc.isenabled)  # the thread switches it on after it has answered


def test_a_collector_that_was_switched_off_stays_off() -> None:
    gc.disable()
    try:
        assert not asyncio.run(decode(gc.isenabled, MIB))
        until(lambda: not decoders._collector_pauses)
        with decoders._collector_lock:  # whoever counted down is through by then
            assert not gc.isenabled()
    finally:
        gc.enable()


def test_who_is_cancelled_leaves_nothing_behind(gate: threading.Event) -> None:
    class Body:
        def decode(self) -> None:
            called.append(1)

    called: list[int] = []

    async def main() -> None:
        body = Body()
        task = asyncio.create_task(decode(body.decode, MIB))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        del body, task
        await auntil(lambda: not any(type(one) is Body for one in gc.get_objects()))

    asyncio.run(main())
    gate.set()
    until(lambda: not decoders._row)
    assert called == []
