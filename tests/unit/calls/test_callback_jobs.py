"""Calls of passed functions that wait: in which order they run, and what their errors come to."""

from __future__ import annotations

import asyncio
import contextvars
import logging
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest
from support.waiting import PATIENCE_S, until

from kkjupyter.calls.buffer import SOFT_LIMIT_BYTES, SOFT_LIMIT_ITEMS
from kkjupyter.calls.callback_jobs import CALLBACK_LIMITS, Job, Jobs
from kkjupyter.runtime.waiting import Notifier


def job(fn: Callable[..., Any], *args: Any, size_bytes: int = 0) -> Job:
    return Job(fn, contextvars.copy_context(), args, size_bytes)


def nobody_waits() -> bool:
    return False


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def leave(text: str) -> None:
    sys.exit(text)


async def leave_later(text: str) -> None:
    await asyncio.sleep(0)
    sys.exit(text)


def interrupt(text: str) -> None:
    raise KeyboardInterrupt(text)


async def cancel_oneself(text: str) -> None:
    raise asyncio.CancelledError(text)


@pytest.mark.parametrize(
    ("fn", "said"),
    [
        (leave, "callback leave raised SystemExit: enough"),
        (leave_later, "callback leave_later raised SystemExit: enough"),
        (interrupt, "callback interrupt raised KeyboardInterrupt: enough"),
        (cancel_oneself, "callback cancel_oneself raised CancelledError"),
    ],
)
def test_what_ends_no_thread_is_one_line_in_the_log_and_the_next_one_runs(
    fn: Callable[..., Any], said: str, caplog: pytest.LogCaptureFixture
) -> None:
    jobs, came = Jobs(Notifier()), []
    jobs.add(job(fn, "enough"))
    jobs.add(job(came.append, "next"))
    jobs.hand_to_worker(nobody_waits)
    until(lambda: came == ["next"])
    (line,) = warnings_of(caplog)
    assert line.startswith(said)
    assert "\n" not in line


def test_an_order_to_leave_is_followed_where_somebody_waits() -> None:
    jobs = Jobs(Notifier())
    jobs.add(job(leave, "enough"))
    with pytest.raises(SystemExit):
        jobs.run_one()
    assert jobs.idle


def test_a_callback_that_cancels_itself_does_not_cancel_whoever_waits(
    caplog: pytest.LogCaptureFixture,
) -> None:
    jobs = Jobs(Notifier())

    async def main() -> None:
        jobs.add(job(cancel_oneself, "enough"))
        await jobs.run_one_async()

    asyncio.run(main())
    assert warnings_of(caplog) == ["callback cancel_oneself failed"]


def test_whoever_waits_is_cancelled_with_what_it_waits_for() -> None:
    jobs, ended = Jobs(Notifier()), []

    async def wait() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("callback")

    async def main() -> None:
        jobs.add(job(wait))
        task = asyncio.create_task(jobs.run_one_async())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert ended == ["callback"]


def test_one_that_blocks_holds_up_its_own_call_only() -> None:
    gate, came = threading.Event(), []
    slow, others = Jobs(Notifier()), [Jobs(Notifier()) for _ in range(20)]
    slow.add(job(gate.wait, PATIENCE_S))
    slow.add(job(came.append, "behind it"))
    slow.hand_to_worker(nobody_waits)
    for number, jobs in enumerate(others):
        jobs.add(job(came.append, number))
        jobs.hand_to_worker(nobody_waits)
    until(lambda: len(came) == len(others))
    assert "behind it" not in came
    gate.set()
    until(lambda: came[-1] == "behind it")


def test_those_of_one_call_run_one_at_a_time_in_order() -> None:
    jobs, came, at_once = Jobs(Notifier()), [], []
    running = threading.Lock()

    def one(number: int) -> None:
        at_once.append(running.acquire(blocking=False))
        came.append(number)
        running.release()

    for number in range(500):
        jobs.add(job(one, number))
        jobs.hand_to_worker(nobody_waits)
    until(lambda: len(came) == 500)
    assert came == [*range(500)]
    assert all(at_once)


@pytest.mark.parametrize(
    ("size_bytes", "count"), [(0, SOFT_LIMIT_ITEMS), (64 * 1024, SOFT_LIMIT_BYTES // (64 * 1024))]
)
def test_too_many_are_noticed_and_told_when_few_are_left(size_bytes: int, count: int) -> None:
    jobs, told, ran = Jobs(Notifier()), [], []
    for _ in range(count):
        jobs.add(job(ran.append, 0, size_bytes=size_bytes))
    assert not jobs.is_over_soft
    jobs.add(job(ran.append, 0, size_bytes=size_bytes))
    assert jobs.is_over_soft
    assert jobs.has_room
    assert not jobs.is_over(**CALLBACK_LIMITS)
    jobs.when_low = lambda: told.append(len(ran))
    assert jobs.is_crowded
    while not jobs.idle:
        jobs.run_one()
    assert told == [count + 1 - count // 2]
    assert not jobs.is_crowded


def test_those_that_are_dropped_are_told_of_as_well() -> None:
    jobs, told = Jobs(Notifier()), []
    for _ in range(SOFT_LIMIT_ITEMS + 1):
        jobs.add(job(print, size_bytes=1))
    jobs.when_low = lambda: told.append("low")
    jobs.drop()
    assert told == ["low"]
    assert jobs.idle


def test_each_runs_in_a_context_of_its_own() -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")
    variable.set("the caller's")
    jobs, seen = Jobs(Notifier()), []

    def look(value: str) -> None:
        seen.append(variable.get())
        variable.set(value)

    for value in ("one", "two"):
        jobs.add(job(look, value))
    jobs.hand_to_worker(nobody_waits)
    until(lambda: len(seen) == 2)
    assert seen == ["the caller's"] * 2
