"""``vovk.delegate`` on its own; within a server it is in tests/contract/test_vovk_streaming.py."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

import kkjupyter as kk
from kkjupyter import vovk
from kkjupyter.vovk.server.delegating import close_delegated, collect_delegated


class Log:
    """Generators, and which of them have ended."""

    def __init__(self) -> None:
        self.ended: list[str] = []

    async def count(self, name: str = "inner") -> AsyncIterator[int]:
        try:
            for i in range(3):
                yield i
        finally:
            await asyncio.sleep(0)
            self.ended.append(name)

    def count_sync(self) -> Iterator[int]:
        try:
            yield from range(3)
        finally:
            self.ended.append("sync")

    async def nested(self, kept: list[Any]) -> AsyncIterator[int]:
        kept.append(inner := self.count())
        async for i in vovk.delegate(inner):
            yield i


async def items(source: Any) -> list[Any]:
    return [item async for item in vovk.delegate(source)]


def test_everything_is_handed_through() -> None:
    log = Log()
    assert asyncio.run(items(log.count())) == [0, 1, 2]
    assert asyncio.run(items(log.count_sync())) == [0, 1, 2]
    assert asyncio.run(items([1, 2])) == [1, 2]
    assert log.ended == ["inner", "sync"]


def test_what_is_no_stream() -> None:
    with pytest.raises(kk.UsageError, match="not int"):
        vovk.delegate(3)  # type: ignore[type-var]

    async def coroutine() -> None: ...

    forgotten = coroutine()
    with pytest.raises(kk.UsageError, match="await a coroutine first"):
        vovk.delegate(forgotten)  # type: ignore[type-var]
    forgotten.close()


@pytest.mark.parametrize("source", ["count", "count_sync"])
def test_leaving_the_loop_closes(source: str) -> None:
    async def main() -> None:
        log = Log()
        kept = getattr(log, source)()
        async for _ in vovk.delegate(kept):
            break
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(log.ended) == 1

    asyncio.run(main())


def test_aclose() -> None:
    async def main() -> None:
        log = Log()
        kept = log.count()
        delegation = vovk.delegate(kept)
        assert await anext(delegation) == 0
        await delegation.aclose()
        await delegation.aclose()
        assert log.ended == ["inner"]
        with pytest.raises(StopAsyncIteration):
            await anext(delegation)

    asyncio.run(main())


def test_the_stream_closes_what_is_open_the_innermost_first() -> None:
    async def main() -> None:
        log = Log()
        collect_delegated()
        kept: list[Any] = []
        outer = vovk.delegate(log.count("outer"))
        inner = vovk.delegate(log.nested(kept))
        assert await anext(outer) == await anext(inner) == 0
        await close_delegated()
        assert log.ended == ["inner", "outer"]
        await close_delegated()

    asyncio.run(main())


def test_all_are_closed_although_one_fails() -> None:
    async def main() -> None:
        log = Log()

        async def bad() -> AsyncIterator[int]:
            try:
                yield 0
            finally:
                raise ValueError("at the end")

        collect_delegated()
        outer, inner = vovk.delegate(log.count()), vovk.delegate(bad())
        assert await anext(outer) == await anext(inner) == 0
        with pytest.raises(ValueError, match="at the end"):
            await close_delegated()
        assert log.ended == ["inner"]

    asyncio.run(main())


def test_an_abandoned_one_outlives_its_loop_quietly() -> None:
    delegations: list[Any] = []

    async def main() -> None:
        delegations.append(vovk.delegate([1, 2]))
        assert await anext(delegations[0]) == 1

    asyncio.run(main())
    delegations.clear()
    gc.collect()
