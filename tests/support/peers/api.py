"""What we offer to the real peers' clients; their names are JavaScript's, as in their own API."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterable, AsyncIterator, Callable, Generator, Iterator
from typing import Any

import kkjupyter as kk

__all__ = ["Error", "PeerApi"]


class Error(Exception):
    """JavaScript's own, by name."""


class Counter:
    def __init__(self, start: int, step: int = 1) -> None:
        self.start = start
        self.step = step


class PeerApi:
    """Served by kk.serve, and by a child process over its standard streams."""

    Counter = Counter

    def __init__(self) -> None:
        self.settings: dict[str, Any] = {"theme": "light", "empty": None}
        self.math = {"grade1": {"add": self.add}}
        self._open = 0
        self._produced = 0
        self._kept: Callable[..., Any] | None = None

    # ---- values

    def add(self, a: float, b: float) -> float:
        return a + b

    def echo(self, value: Any) -> Any:
        return value

    def describe(self, *args: Any) -> list[Any]:
        names = {type(None): "null", type(kk.undefined): "undefined", int: "number"}
        return [len(args), *(names.get(type(arg), "other") for arg in args)]

    def undef(self) -> Any:
        return kk.undefined

    def nil(self) -> None:
        return None

    async def slow(self, ms: float) -> str:
        self._open += 1
        try:
            await asyncio.sleep(ms / 1000)
            return "done"
        finally:
            self._open -= 1

    def metaOf(self) -> dict[str, Any]:
        return kk.context().meta

    async def askClient(self, name: str) -> Any:
        return await kk.context().caller.greet(name)

    # ---- errors

    def fail(self) -> None:
        error = Error("went wrong")
        error.code = "E_OURS"  # type: ignore[attr-defined]
        raise error from ValueError("the root of it")

    # ---- callbacks

    async def onProgress(self, count: int, callback: Callable[[int, int], Any]) -> str:
        for i in range(1, count + 1):
            callback(i, count)
        return "done"

    def keep(self, callback: Callable[..., Any]) -> None:
        self._kept = callback

    def callKept(self, value: Any) -> None:
        assert self._kept is not None
        self._kept(value)

    def forgetKept(self) -> None:
        self._kept = None

    # ---- streams

    async def countdown(self, start: int) -> AsyncIterator[int]:
        for i in range(start, -1, -1):
            yield i

    def syncCountdown(self, start: int) -> Iterator[int]:
        yield from range(start, -1, -1)

    def syncWithReturn(self, count: int) -> Generator[int, None, str]:
        yield from range(count)
        return "the end"

    async def tokens(self, count: int) -> AsyncIterator[str]:
        for i in range(count):
            self._produced += 1
            yield f"tok{i % 100}"

    async def blobs(self, count: int, size: int) -> AsyncIterator[str]:
        for _ in range(count):
            yield "é😀" * (size // 6)

    def produced(self) -> int:
        return self._produced

    async def empty(self) -> AsyncIterator[int]:
        return
        yield

    async def failingStream(self) -> AsyncIterator[int]:
        yield 1
        yield 2
        raise Error("something went wrong")

    async def sleepy(self) -> AsyncIterator[int]:
        """One value, and then a long wait for the next."""
        self._open += 1
        try:
            for i in itertools.count():
                yield i
                await asyncio.sleep(60)
        finally:
            self._open -= 1

    def open(self) -> int:
        """How many calls of ``slow`` and ``sleepy`` have not come to their ``finally``."""
        return self._open

    async def catching(self) -> AsyncIterator[Any]:
        answer: Any = 0
        while True:
            try:
                yield answer
                answer = 0
            except Exception as error:  # noqa: BLE001  whatever was thrown in
                answer = f"caught {error}"

    # ---- streams as arguments

    async def sum(self, numbers: AsyncIterable[float]) -> float:
        return sum([number async for number in numbers])

    async def firstOf(self, stream: AsyncIterable[Any], count: int) -> list[Any]:
        taken: list[Any] = []
        async for value in stream:
            taken.append(value)
            if len(taken) == count:
                break
        return taken

    async def doubled(self, numbers: AsyncIterable[float]) -> AsyncIterator[float]:
        async for number in numbers:
            yield number * 2

    async def errorOf(self, stream: AsyncIterable[Any]) -> str | None:
        try:
            async for _ in stream:
                pass
        except kk.RemoteError as error:
            return error.message
        return None

    def refuseStream(self, stream: AsyncIterable[Any]) -> None:
        raise Error("not wanted")
