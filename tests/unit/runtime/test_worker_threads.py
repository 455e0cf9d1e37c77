"""Threads that are shared: how many there are, and whom they keep waiting."""

from __future__ import annotations

import asyncio
import functools
import gc
import threading
import weakref

import pytest
from support.waiting import PATIENCE_S, until

from kkjupyter.runtime import worker_threads
from kkjupyter.runtime.worker_threads import Lane, WorkerPool


def test_a_pool_runs_so_many_at_once_and_the_rest_later() -> None:
    pool, gate, begun = WorkerPool("tested", 2), threading.Event(), []

    def work(number: int) -> None:
        begun.append(number)
        gate.wait(PATIENCE_S)

    for number in range(5):
        pool.submit(lambda number=number: work(number))  # type: ignore[misc]
    until(lambda: len(begun) == 2)
    assert pool.threads == 2
    gate.set()
    until(lambda: sorted(begun) == [0, 1, 2, 3, 4])
    assert pool.threads == 2


def test_a_lane_that_is_full_leaves_the_pool_to_others() -> None:
    pool, gate, done = WorkerPool("tested", 4), threading.Event(), []
    lane = Lane(2)
    for _ in range(6):
        pool.submit(lambda: gate.wait(PATIENCE_S), lane)
    pool.submit(lambda: done.append("other"))
    until(lambda: done == ["other"])
    assert (lane.running, len(lane.waiting)) == (2, 4)
    gate.set()
    until(lambda: lane.running == 0)
    assert not lane.waiting


def test_the_work_of_a_lane_begins_in_order() -> None:
    pool, begun = WorkerPool("tested", None), []
    lane = Lane(1)
    for number in range(50):
        pool.submit(lambda number=number: begun.append(number), lane)  # type: ignore[misc]
    until(lambda: len(begun) == 50)
    assert begun == [*range(50)]


@pytest.mark.slow
def test_a_thread_is_used_again_and_ends_when_there_is_nothing_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_threads, "_IDLE_S", 1.0)
    pool = WorkerPool("tested", None)

    async def main() -> set[str]:
        return {str(await pool.run(threading.get_ident)) for _ in range(20)}

    # One or two, as it has handed over its result before it is idle; on a busy machine a few more.
    assert len(asyncio.run(main())) < 10
    until(lambda: pool.threads == 0)
    assert asyncio.run(main())


def test_what_was_cancelled_before_it_began_does_not_run() -> None:
    pool, gate, begun = WorkerPool("tested", 1), threading.Event(), []

    async def main() -> None:
        first = asyncio.create_task(pool.run(lambda: gate.wait(PATIENCE_S)))
        second = asyncio.create_task(pool.run(lambda: begun.append("second")))
        await asyncio.sleep(0.02)
        second.cancel()
        await asyncio.sleep(0)
        gate.set()
        assert await first
        with pytest.raises(asyncio.CancelledError):
            await second
        assert await pool.run(lambda: "third") == "third"

    asyncio.run(main())
    assert begun == []


@pytest.mark.parametrize("lane", [Lane(1), None], ids=["in a lane", "in the pool"])
def test_what_was_cancelled_before_it_began_holds_nothing(lane: Lane | None) -> None:
    """The one thread there is may be busy for ever."""
    pool, gate = WorkerPool("tested", 1), threading.Event()

    class Held:
        """What a function would be called with."""

    async def main() -> None:
        first = asyncio.create_task(pool.run(gate.wait, lane))
        await asyncio.sleep(0.02)
        held = Held()
        gone = weakref.ref(held)
        waiting = asyncio.create_task(pool.run(functools.partial(id, held), lane))
        await asyncio.sleep(0.02)
        waiting.cancel()
        await asyncio.wait([waiting])
        del held, waiting
        gc.collect()
        assert gone() is None
        last = asyncio.create_task(pool.run(lambda: "last", lane))
        await asyncio.sleep(0)
        gate.set()
        assert await first
        assert await last == "last"

    asyncio.run(main())


def test_what_was_cancelled_before_it_began_leaves_its_place_in_the_lane() -> None:
    pool, gate, lane = WorkerPool("tested", 1), threading.Event(), Lane(1)

    async def main() -> None:
        others = asyncio.create_task(pool.run(gate.wait))
        await asyncio.sleep(0)
        waiting = asyncio.create_task(pool.run(lambda: "waiting", lane))
        await asyncio.sleep(0)
        assert lane.is_full
        waiting.cancel()
        await asyncio.wait([waiting])
        assert not lane.is_full
        gate.set()
        assert await others
        assert await asyncio.wait_for(pool.run(lambda: "next", lane), PATIENCE_S) == "next"

    asyncio.run(main())


def test_errors_come_to_whoever_waits() -> None:
    pool = WorkerPool("tested", 1)

    def stop() -> None:
        raise StopIteration

    def leave() -> None:
        raise SystemExit(3)

    async def main() -> None:
        with pytest.raises(RuntimeError, match="StopIteration"):
            await pool.run(stop)
        with pytest.raises(SystemExit):
            await pool.run(leave)
        assert await pool.run(lambda: "goes on") == "goes on"

    # In a task of its own a SystemExit would end the loop.
    loop = asyncio.new_event_loop()
    try:
        loop.run_until_complete(main())
    finally:
        loop.close()


@pytest.mark.parametrize("kind", [StopIteration, GeneratorExit])
def test_what_a_future_cannot_carry_is_raised_all_the_same(kind: type[BaseException]) -> None:
    def leave() -> None:
        raise kind

    async def main() -> None:
        with pytest.raises(RuntimeError, match=f"{kind.__name__} was raised") as caught:
            await WorkerPool("tested", 1).run(leave)
        assert isinstance(caught.value.__cause__, kind)

    asyncio.run(asyncio.wait_for(main(), PATIENCE_S))
