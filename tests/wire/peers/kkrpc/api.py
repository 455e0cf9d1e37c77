"""The API that the transcripts were recorded with, in Python.

The recordings were made by a JavaScript server; names, values and errors are its own. Differences
are those of the languages: Python cannot throw a value that is no error, so ``throwString`` raises
what the peers make of it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from array import array
from collections.abc import AsyncIterable, AsyncIterator, Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import kkjupyter as kk
from kkjupyter import RemoteError, undefined
from kkjupyter.wire.values.javascript import URL, BigInt, Map, RegExp

__all__ = ["make_api"]

EPOCH = dt.datetime.fromtimestamp(0, dt.UTC)


class Error(Exception):
    """JavaScript's own, by name."""


class RangeError(Error):
    pass


class CustomError(Error):
    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.code = "E_CUSTOM"
        self.status = 418
        self.details = {"field": "age", "min": 18}


def with_properties(error: Exception, **properties: Any) -> Exception:
    for name, value in properties.items():
        setattr(error, name, value)
    return error


class Counter:
    def __init__(self, start: int, step: int = 1) -> None:
        self.start = start
        self.step = step


@dataclass
class Point:
    x: int
    y: int


class BadCtor:
    def __init__(self) -> None:
        raise Error("constructor failed")


def make_api() -> dict[str, Any]:
    """A fresh one; its state is its own."""
    stats = {
        "closed": 0,
        "produced": 0,
        "sleeperClosed": 0,
        "sleeperClosedAt": 0,
        "forever": 0,
        "constructed": 0,
    }

    # -- values

    def echoAll(*args: Any) -> list[Any]:
        return list(args)

    def argCount(*args: Any) -> int:
        return len(args)

    async def slow(ms: float, value: Any = None) -> Any:
        await asyncio.sleep(ms / 1000)
        return value

    async def never() -> None:
        await asyncio.Event().wait()

    # -- streams

    async def countdown(start: int) -> AsyncIterator[int]:
        for i in range(start, 0, -1):
            yield i

    async def failAfter(count: int) -> AsyncIterator[int]:
        for i in range(count):
            yield i
        raise with_properties(Error("stream failed intentionally"), code="E_FAIL", retryable=True)

    async def failNow() -> AsyncIterator[int]:
        raise with_properties(TypeError("failed before the first yield"), code="E_NOW")
        yield 0

    async def infinite() -> AsyncIterator[int]:
        i = 0
        try:
            while True:
                yield i
                i += 1
                await asyncio.sleep(0)
        finally:
            stats["closed"] += 1

    async def delayed(count: int, ms: float) -> AsyncIterator[int]:
        try:
            for i in range(count):
                await asyncio.sleep(ms / 1000)
                yield i
        finally:
            stats["closed"] += 1

    async def sleeper(ms: float) -> AsyncIterator[str]:
        try:
            for word in ("first", "second", "third"):
                yield word
                await asyncio.sleep(ms / 1000)
        finally:
            stats["sleeperClosed"] += 1

    async def empty() -> AsyncIterator[int]:
        return
        yield 0

    async def forever10ms() -> AsyncIterator[int]:
        while True:
            stats["forever"] += 1
            yield stats["forever"]
            await asyncio.sleep(0.01)

    async def data_stream(count: int) -> AsyncIterator[dict[str, Any]]:
        for i in range(count):
            yield {"index": i, "even": i % 2 == 0}

    def withReturn(
        count: int,
    ) -> Generator[int, None, str]:  # an async generator cannot return a value
        yield from range(count)
        return "final-value"

    async def failString(count: int) -> AsyncIterator[int]:
        for i in range(count):
            yield i
        raise Error("plain string thrown")

    async def controlled() -> AsyncIterator[Any]:
        i = 0
        while True:
            try:
                i += 1
                yield i - 1
            except kk.RemoteError as error:
                value = getattr(error, "value", None)  # of what was thrown and is no error
                yield "caught:" + ("[object Object]" if value == {} else error.message)
            finally:
                stats["closed"] += 1

    async def stubborn() -> AsyncIterator[Any]:
        try:
            yield 1
            yield 2
        finally:
            yield "from-finally"

    # -- streams as arguments

    async def sum_(stream: AsyncIterable[int]) -> int:
        return sum([value async for value in stream])

    async def takeFirst(stream: AsyncIterable[Any], count: int) -> list[Any]:
        taken = []
        async for value in stream:
            taken.append(value)
            if len(taken) >= count:
                break
        return taken

    async def catchStream(stream: AsyncIterable[Any]) -> Any:
        try:
            async for _ in stream:
                pass
        except kk.RemoteError as error:
            fields = {"name": error.name, "message": error.message}
            return {**fields, "code": error.data.get("code")}
        return "no error"

    def syncGen(count: int) -> Iterator[int]:
        yield from range(count)

    def objectWithStream() -> Any:
        return {"label": "x", "s": countdown(2)}

    def arrayOfStreams() -> Any:
        return [countdown(2), countdown(3)]

    # -- callbacks

    async def onProgress(count: int, callback: Callable[[int, int], object]) -> str:
        for i in range(1, count + 1):
            callback(i, count)
            await asyncio.sleep(0)
        return "done"

    async def cbReturn(callback: Callable[[int, int], Any]) -> Any:
        answer = await callback(20, 22)
        return "undefined" if answer is None else answer

    def cbObject(value: dict[str, Any]) -> str:
        return "function" if callable(value.get("cb")) else "undefined"

    # -- rich values

    def getCircular() -> Any:
        value: dict[str, Any] = {"a": 1}
        value["self"] = value
        return value

    def getShared() -> Any:
        shared = {"d": 1}
        return {"x": shared, "y": shared}

    # -- errors

    def throwing(make: Callable[[], Exception]) -> Callable[[], None]:
        def throw() -> None:
            raise make()

        return throw

    def throwCustom() -> None:
        raise CustomError("custom failure") from Error("root cause")

    return {
        "stats": stats,
        "counter": 0,
        "nothing": None,
        "undef": undefined,
        "config": {"theme": "dark", "nested": {"level": 3}},
        "echo": lambda x: x,
        "echoAll": echoAll,
        "argCount": argCount,
        "add": lambda a, b: a + b,
        "math": {"grade1": {"add": lambda a, b: a + b}},
        "slow": slow,
        "never": never,
        "countdown": countdown,
        "failAfter": failAfter,
        "failNow": failNow,
        "infinite": infinite,
        "delayed": delayed,
        "sleeper": sleeper,
        "empty": empty,
        "withReturn": withReturn,
        "failString": failString,
        "controlled": controlled,
        "stubborn": stubborn,
        "sum": sum_,
        "takeFirst": takeFirst,
        "catchStream": catchStream,
        "forever10ms": forever10ms,
        "data": {"stream": data_stream},
        "syncGen": syncGen,
        "objectWithStream": objectWithStream,
        "arrayOfStreams": arrayOfStreams,
        "onProgress": onProgress,
        "cbReturn": cbReturn,
        "cbObject": cbObject,
        "getDate": lambda: EPOCH,
        "getMap": lambda: Map({"k": {"v": 1}, "l": 2}),
        "getSet": lambda: {1, "two"},
        "getBigInt": lambda: BigInt(12345678901234567890),
        "getUndefined": lambda: undefined,
        "getNull": lambda: None,
        "getNaN": lambda: float("nan"),
        "getInfinity": lambda: [float("inf"), float("-inf"), -0.0],
        "getRegExp": lambda: RegExp("ab+c", "gi"),
        "getURL": lambda: URL("https://example.com/a?b=1"),
        "getError": lambda: RangeError("an error value"),
        "getUint8Array": lambda: bytes([0, 1, 2, 255]),
        "getSymbol": object,
        "getFunction": lambda: make_api,
        "getCircular": getCircular,
        "getShared": getShared,
        "getTyped": lambda: {
            "f32": array("f", [1.5]),
            "i16": array("h", [-2]),
            "buf": {},  # an ArrayBuffer, of which the peers send nothing
        },
        "throwString": throwing(lambda: Error("just a string")),
        "throwError": throwing(lambda: Error("plain error")),
        "throwCustom": throwCustom,
        "throwObjectCause": throwing(
            lambda: RemoteError("outer", stack="Error: outer", cause={"reason": "db", "tries": 3})
        ),
        "throwEmpty": throwing(lambda: Error("")),
        "throwNull": throwing(lambda: Error("null")),
        "Counter": Counter,
        "ns": {"Point": Point},
        "BadCtor": BadCtor,
        "notCallable": 42,
    }
