"""An object to serve in tests, which records what happens to it."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import kkjupyter as kk
from support.waiting import PATIENCE_S


class Group:
    """A nested object: ``api.data.stream(3)``."""

    async def stream(self, count: int) -> AsyncIterator[str]:
        for index in range(count):
            yield f"item-{index}"


class Point:
    """Something to construct."""

    def __init__(self, x: float, y: float = 0) -> None:
        self.x = x
        self.y = y
        self._secret = "not sent"


class Settings:
    """Properties."""

    def __init__(self) -> None:
        self.theme = "light"


class Endpoint:
    """What the tests call. ``calls`` says what has begun, ``finals`` what has ended."""

    Point = Point

    def __init__(self) -> None:
        self.finals: list[str] = []
        self.calls: list[str] = []
        self.produced = 0
        self.data = Group()
        self.settings = Settings()
        self.gate = threading.Event()

    # ---- values

    def add(self, a: int, b: int) -> int:
        self.calls.append("add")
        return a + b

    async def echo(self, value: Any) -> Any:
        return value

    def nothing(self) -> None:
        return None

    async def undefined(self) -> Any:
        return kk.undefined

    def thread_name(self) -> str:
        return threading.current_thread().name

    async def loop_thread_name(self) -> str:
        return threading.current_thread().name

    def options(self, a: int, *, scale: int = 1, shift: int = 0) -> int:
        return a * scale + shift

    async def slow(self, seconds: float = 10 * PATIENCE_S) -> str:
        """Longer than a test waits: else its own end would pass for that of a cancel."""
        self.calls.append("slow")
        try:
            await asyncio.sleep(seconds)
            return "done"
        finally:
            self.finals.append("slow")

    def blocked(self) -> str:
        """A sync function that waits for the test's gate."""
        self.calls.append("blocked")
        self.gate.wait(5)
        self.finals.append("blocked")
        return "released"

    async def block_the_loop(self, seconds: float) -> None:
        """What an async handler must not do, and users' handlers do."""
        self.calls.append("block_the_loop")
        time.sleep(seconds)  # noqa: ASYNC251

    # ---- streams

    async def countdown(self, start: int) -> AsyncIterator[int]:
        for number in range(start, -1, -1):
            yield number

    async def late_stream(self) -> AsyncIterator[int]:
        """Takes its time until there is a stream at all."""
        await asyncio.sleep(0.2)
        return self.countdown(1)

    async def ticks(self, pause_s: float = 0.0) -> AsyncIterator[int]:
        """Endless."""
        number = 0
        try:
            while True:
                self.produced = number + 1
                yield number
                number += 1
                await asyncio.sleep(pause_s)
        finally:
            self.finals.append("ticks")

    async def tight(self) -> AsyncIterator[int]:
        """Endless, and never really waits."""
        number = 0
        try:
            while True:
                yield number
                number += 1
                self.produced = number
        finally:
            self.finals.append("tight")

    async def once_then_wait(self) -> AsyncIterator[str]:
        try:
            self.calls.append("once_then_wait")
            yield "first"
            await asyncio.sleep(30)
        finally:
            self.finals.append("once_then_wait")

    async def items(self, count: int, size: int = 0) -> AsyncIterator[Any]:
        for number in range(count):
            self.produced = number + 1
            yield "x" * size if size else number

    def sync_ticks(self, pause_s: float = 0.001) -> Iterator[int]:
        number = 0
        try:
            self.calls.append("sync_ticks")
            while True:
                yield number
                number += 1
                self.produced = number
                time.sleep(pause_s)
        finally:
            self.finals.append("sync_ticks")

    def sync_then_blocked(self) -> Iterator[str]:
        """Yields once and then cannot be reached until the test opens the gate."""
        try:
            yield "first"
            self.calls.append("sync_then_blocked")
            self.gate.wait(5)
            yield "second"
        finally:
            self.finals.append("sync_then_blocked")

    # ---- failures

    async def fails(self, text: str = "something went wrong") -> None:
        raise ValueError(text)

    async def failing_stream(self) -> AsyncIterator[int]:
        yield 1
        yield 2
        raise RuntimeError("something went wrong")

    # ---- callbacks

    async def progress(self, count: int, callback: Callable[..., Any]) -> str:
        for number in range(count):
            callback(number, count)
            await asyncio.sleep(0)
        return "done"
