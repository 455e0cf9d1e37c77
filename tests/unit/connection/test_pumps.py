"""Pumps, with a sink that takes everything: what they owe to the rest of the loop."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from kkjupyter.connection.pumps import ThrowRequest, pump_async


class Greedy:
    """A reader who is never full."""

    cancelled = False
    interrupted = False
    must_wait = False

    def __init__(self) -> None:
        self.throw_requests: deque[ThrowRequest] = deque()
        self.items = 0

    async def room(self) -> None:
        raise AssertionError("there is always room")

    def wait_for_room(self) -> None:
        raise AssertionError("there is always room")

    def answer_throw(self, request: ThrowRequest, value: Any) -> None:
        raise AssertionError("nothing is thrown")

    def send_item(self, value: Any) -> None:
        self.items += 1


async def tight() -> AsyncIterator[int]:
    """Endless, without a single wait."""
    for number in itertools.count():
        yield number


def test_a_tight_generator_lets_others_run_and_can_be_cancelled() -> None:
    async def main() -> None:
        sink = Greedy()
        task = asyncio.create_task(pump_async(tight(), sink))
        delays_s = []
        for _ in range(20):
            started_s = time.monotonic()
            await asyncio.sleep(0)
            delays_s.append(time.monotonic() - started_s)
        assert sorted(delays_s)[10] < 0.05
        assert sink.items > 100
        task.cancel()
        started_s = time.monotonic()
        await asyncio.wait([task], timeout=2)
        assert task.cancelled()
        assert time.monotonic() - started_s < 1.9

    asyncio.run(asyncio.wait_for(main(), 5))


def test_a_pump_of_many_does_not_take_long_for_yielding_the_loop() -> None:
    async def limited() -> AsyncIterator[int]:
        for number in range(50_000):
            yield number

    async def main() -> int:
        sink = Greedy()
        await pump_async(limited(), sink)
        return sink.items

    started_s = time.monotonic()
    assert asyncio.run(main()) == 50_000
    assert time.monotonic() - started_s < 2
