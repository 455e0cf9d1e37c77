"""Loops whose buffer is never empty give the event loop back, and see that they are cancelled."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from support.endpoints import Endpoint
from support.waiting import PATIENCE_S, auntil, until

from kkjupyter.api.in_process import serve_in_memory
from kkjupyter.calls.iterators import AsyncCallIterator, CallIterator
from kkjupyter.calls.state import CallState
from kkjupyter.runtime.turns import CancelWatch


class Taking(Endpoint):
    """Handlers that take what is there without ever having to wait."""

    async def take_all(self, source: Any) -> None:
        """Reads a stream that was passed."""
        self.calls.append("take_all")
        try:
            async for _ in source:
                compute()
        finally:
            self.finals.append("take_all")

    async def call_back(self, function: Callable[..., Any]) -> None:
        """Awaits a function of the caller's."""
        self.calls.append("call_back")
        try:
            while True:
                await function(1)
                compute()
        finally:
            self.finals.append("call_back")


def compute(seconds: float = 0.003) -> None:
    end_s = time.monotonic() + seconds
    while time.monotonic() < end_s:
        pass


@pytest.fixture
def endpoint() -> Taking:
    return Taking()


@pytest.fixture(params=["compact", "classic"])
def api(request: pytest.FixtureRequest, endpoint: Endpoint) -> Iterator[Any]:
    with (
        serve_in_memory(endpoint) as server,
        server.connect(protocol=request.param, codec="json") as api,
    ):
        yield api


class _Nobody:
    """A backend that carries nothing."""

    reading_paused = False

    def cancel_call(self, state: CallState) -> None: ...
    def pull(self, state: CallState) -> None: ...
    def reconsider_reading(self) -> None: ...


def full(items: int = 200_000) -> CallState:
    """A stream of which everything is there already."""
    state = CallState("full", "full()", "1", _Nobody())  # type: ignore[arg-type]
    state.opened("1")
    state.claim()
    for number in range(items):
        state.put(number, 1)
    return state


@contextlib.asynccontextmanager
async def beats(pause_s: float = 0.005) -> AsyncIterator[list[float]]:
    """When another task had its turn."""
    moments: list[float] = []

    async def heart() -> None:
        while True:
            await asyncio.sleep(pause_s)
            moments.append(time.monotonic())

    task = asyncio.create_task(heart())
    try:
        yield moments
    finally:
        task.cancel()


# ---- async loops


def test_others_have_their_turn_while_everything_is_there() -> None:
    async def main() -> int:
        async with beats(0.001) as moments:
            async for _ in AsyncCallIterator(full(200)):
                compute()
                if len(moments) == 20:
                    break
            return len(moments)

    assert asyncio.run(main()) == 20


def test_a_fast_body_does_not_keep_the_loop_either() -> None:
    async def main() -> None:
        taken = 0

        async def take() -> None:
            nonlocal taken
            async for _ in AsyncCallIterator(full()):
                taken += 1

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(take(), 0.02)
        assert 0 < taken < 200_000

    asyncio.run(main())


def test_a_turn_costs_no_item() -> None:
    async def main() -> list[int]:
        state = full(300)
        state.ended(None)
        taken = []
        async for number in AsyncCallIterator(state):
            taken.append(number)
            compute(0.0005)
        return taken

    assert asyncio.run(main()) == list(range(300))


def test_a_time_limit_ends_the_loop(api: Any, endpoint: Endpoint) -> None:
    async def main() -> None:
        async with asyncio.timeout(0.3):
            async for _ in api.tight():
                compute()

    began_s = time.monotonic()
    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert time.monotonic() - began_s < PATIENCE_S
    until(lambda: endpoint.finals == ["tight"])


def test_a_cancelled_task_ends_its_loop(api: Any, endpoint: Endpoint) -> None:
    async def read() -> None:
        async for _ in api.tight():
            compute()

    async def main() -> None:
        task = asyncio.create_task(read())
        await asyncio.sleep(0.2)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, PATIENCE_S)
        assert task.cancelled()

    asyncio.run(main())
    until(lambda: endpoint.finals == ["tight"])


@pytest.mark.slow
def test_two_loops_of_one_program_take_turns(api: Any) -> None:
    counts = [0, 0]

    async def read(which: int) -> None:
        async for _ in api.tight():
            counts[which] += 1
            compute(0.001)

    async def main() -> None:
        async with asyncio.timeout(1), asyncio.TaskGroup() as group:
            group.create_task(read(0))
            group.create_task(read(1))

    with pytest.raises(TimeoutError):
        asyncio.run(main())
    assert min(counts) > 10, counts


def test_a_body_that_swallows_the_cancellation_does_not_keep_the_loop() -> None:
    async def main() -> None:
        swallowed: list[int] = []

        async def read() -> None:
            async for _ in AsyncCallIterator(full()):
                try:
                    await asyncio.sleep(0.001)
                except asyncio.CancelledError:
                    swallowed.append(1)

        task = asyncio.create_task(read())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(task, PATIENCE_S)
        assert swallowed == [1]

    asyncio.run(main())


def test_a_time_limit_inside_the_body_is_the_bodys_own() -> None:
    async def main() -> int:
        state, count = full(20), 0
        state.ended(None)
        async for _ in AsyncCallIterator(state):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.003):
                    await asyncio.sleep(5)
            count += 1
        return count

    assert asyncio.run(main()) == 20


def test_a_loop_in_the_cleanup_of_a_cancelled_task_goes_on(api: Any) -> None:
    async def main() -> list[int]:
        seen: list[int] = []

        async def work() -> None:
            try:
                await asyncio.sleep(30)
            finally:
                seen.extend([number async for number in api.countdown(3)])

        task = asyncio.create_task(work())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return seen

    assert asyncio.run(main()) == [3, 2, 1, 0]


# ---- awaiting what is there


@pytest.mark.slow
def test_awaiting_what_is_answered_already(api: Any) -> None:
    async def ask() -> None:
        while True:
            call = api.add(1, 2)
            until(lambda call=call: call.state == "done")
            compute()
            assert await call == 3

    async def main() -> None:
        async with beats() as moments:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(ask(), 0.5)
            assert moments

    asyncio.run(main())


def test_a_handler_that_reads_what_it_was_passed(endpoint: Taking) -> None:
    async def numbers() -> AsyncIterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    with serve_in_memory(endpoint) as server, server.connect(protocol="compact") as api:
        call = api.take_all(numbers())
        until(lambda: endpoint.calls)
        for number in range(3):  # on the same loop as the handler
            assert api.echo(number).result(timeout_s=PATIENCE_S) == number
        call.cancel()
        until(lambda: endpoint.finals == ["take_all"])


def test_a_handler_that_calls_back_again_and_again(api: Any, endpoint: Taking) -> None:
    call = api.call_back(lambda number: None)
    until(lambda: endpoint.calls)
    call.cancel()
    until(lambda: endpoint.finals == ["call_back"])


# ---- plain loops


def cancel_at_signal(wait: Callable[[], object], ready: Callable[[], object]) -> None:
    """``wait()`` in a task that a signal handler cancels; the loop has no moment to say so."""

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        before = signal.signal(signal.SIGUSR1, lambda *_: task.cancel())
        main_thread = threading.main_thread().ident
        assert main_thread is not None

        def fire() -> None:
            until(ready)
            signal.pthread_kill(main_thread, signal.SIGUSR1)

        timer = threading.Timer(0.1, fire)
        timer.start()
        try:
            wait()
        finally:
            timer.join()
            signal.signal(signal.SIGUSR1, before)

    began_s = time.monotonic()
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(main())
    assert time.monotonic() - began_s < PATIENCE_S


@pytest.mark.parametrize(
    "wait",
    [
        lambda api: [compute() for _ in api.ticks()],
        lambda api: [compute() for _ in api.tight()],
        lambda api: list(api.once_then_wait()),
        lambda api: api.once_then_wait().result(),
        lambda api: api.slow().result(),
        lambda api: api.slow().result(timeout_s=30),
    ],
)
def test_plain_code_sees_that_its_task_was_cancelled(
    api: Any, endpoint: Endpoint, wait: Callable[[Any], object]
) -> None:
    cancel_at_signal(lambda: wait(api), lambda: endpoint.calls or endpoint.produced)
    until(lambda: len(endpoint.finals) == 1)


def test_a_plain_loop_of_what_is_there_sees_it_too() -> None:
    state = full()
    cancel_at_signal(lambda: [compute(0.001) for _ in CallIterator(state)], lambda: True)
    assert state.phase == "cancelled"


def test_a_loop_that_went_to_a_thread_is_not_the_tasks_any_more() -> None:
    async def main() -> list[int]:
        state = full(1000)
        state.ended(None)
        loop = CallIterator(state)
        task = asyncio.current_task()
        assert task is not None
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(0)
        return await asyncio.to_thread(list, loop)

    assert asyncio.run(main()) == list(range(1000))


def test_a_watch_where_no_task_runs() -> None:
    assert not CancelWatch().is_cancelled


def test_a_watch_begins_anew_in_another_task() -> None:
    async def main() -> None:
        watch = CancelWatch()

        async def look() -> bool:
            task = asyncio.current_task()
            assert task is not None
            task.cancel()
            found = watch.is_cancelled
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
            task.uncancel()
            return found

        assert not await asyncio.create_task(look())
        assert not watch.is_cancelled
        await auntil(lambda: True)

    asyncio.run(main())
