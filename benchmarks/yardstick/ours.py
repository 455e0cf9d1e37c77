"""The contestants that use kkjupyter: only what its users type, whichever version it is."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import kkjupyter as kk
from yardstick.figures import Sample
from yardstick.frames import TOKENS
from yardstick.worker import Stopwatch, shares_of

__all__ = [
    "SLOWEST",
    "async_calls",
    "async_stream",
    "async_vovk_stream",
    "calls_in_flight",
    "crowd",
    "plain_calls",
    "plain_calls_in_flight",
    "plain_stream",
    "plain_vovk_stream",
    "server",
]

VOVK_SCHEMA = {
    "controllers": {
        "RawRPC": {
            "prefix": "",
            "handlers": {"stream": {"path": "{shape}/{count}", "httpMethod": "GET"}},
        }
    }
}

AsyncRun = Callable[[int], Awaitable[Sample]]
PlainRun = Callable[[int], Sample]

SLOWEST = "slowest / median"
"""Of streams at the same time: when the last one ended, by when the middle one did."""


class Api:
    """What the server offers; with type hints, as its users write them."""

    async def echo(self, value: str) -> str:
        return value

    async def tokens(self, count: int) -> AsyncIterator[str]:
        for token in itertools.islice(itertools.cycle(TOKENS), count):
            yield token

    def plain_tokens(self, count: int) -> Iterator[str]:
        yield from itertools.islice(itertools.cycle(TOKENS), count)


@contextlib.contextmanager
def server() -> Iterator[str]:
    """An :class:`Api`, served over WebSocket."""
    with kk.serve(Api(), token=False) as served:
        yield served.url


# ---- streams


@contextlib.asynccontextmanager
async def async_stream(url: str, protocol: str, codec: str, method: str) -> AsyncIterator[AsyncRun]:
    """``async for``."""
    api = await kk.aconnect(url, protocol=protocol, codec=codec)

    async def run(count: int) -> Sample:
        items = 0
        with Stopwatch() as watch:
            async for _ in api[method](count):
                items += 1
        return watch.sample(items)

    try:
        yield run
    finally:
        kk.close(api)


@contextlib.contextmanager
def plain_stream(url: str, protocol: str, codec: str, method: str) -> Iterator[PlainRun]:
    """``for``, where no loop runs."""
    api = kk.connect(url, protocol=protocol, codec=codec)

    def run(count: int) -> Sample:
        items = 0
        with Stopwatch() as watch:
            for _ in api[method](count):
                items += 1
        return watch.sample(items)

    try:
        yield run
    finally:
        kk.close(api)


@contextlib.asynccontextmanager
async def crowd(url: str, protocol: str, codec: str, width: int) -> AsyncIterator[AsyncRun]:
    """``width`` streams at the same time over one connection, each in a task of its own."""
    api = await kk.aconnect(url, protocol=protocol, codec=codec)

    async def run(count: int) -> Sample:
        ended_s: list[float] = []

        async def read(share: int) -> int:
            items = 0
            async for _ in api.tokens(share):
                items += 1
            ended_s.append(time.perf_counter() - begun_s)
            return items

        with Stopwatch() as watch:
            begun_s = time.perf_counter()
            items = sum(await asyncio.gather(*map(read, shares_of(count, width))))
        slowest = max(ended_s) / statistics.median(ended_s)
        return watch.sample(items, **{SLOWEST: slowest})

    try:
        yield run
    finally:
        kk.close(api)


# ---- calls


@contextlib.asynccontextmanager
async def async_calls(url: str, protocol: str, codec: str) -> AsyncIterator[AsyncRun]:
    """``await``, one after another."""
    api = await kk.aconnect(url, protocol=protocol, codec=codec)

    async def run(count: int) -> Sample:
        answers = 0
        with Stopwatch() as watch:
            for _ in range(count):
                answers += await api.echo("tok42") == "tok42"
        return watch.sample(answers)

    try:
        yield run
    finally:
        kk.close(api)


@contextlib.contextmanager
def plain_calls(url: str, protocol: str, codec: str) -> Iterator[PlainRun]:
    """``.result()``, one after another."""
    api = kk.connect(url, protocol=protocol, codec=codec)

    def run(count: int) -> Sample:
        answers = 0
        with Stopwatch() as watch:
            for _ in range(count):
                answers += api.echo("tok42").result() == "tok42"
        return watch.sample(answers)

    try:
        yield run
    finally:
        kk.close(api)


@contextlib.asynccontextmanager
async def calls_in_flight(
    url: str, protocol: str, codec: str, width: int
) -> AsyncIterator[AsyncRun]:
    """``width`` tasks that each ``await`` one call after another."""
    api = await kk.aconnect(url, protocol=protocol, codec=codec)

    async def call_times(count: int) -> int:
        answers = 0
        for _ in range(count):
            answers += await api.echo("tok42") == "tok42"
        return answers

    async def run(count: int) -> Sample:
        with Stopwatch() as watch:
            answers = sum(await asyncio.gather(*map(call_times, shares_of(count, width))))
        return watch.sample(answers)

    try:
        yield run
    finally:
        kk.close(api)


@contextlib.contextmanager
def plain_calls_in_flight(url: str, protocol: str, codec: str, width: int) -> Iterator[PlainRun]:
    """``width`` calls made, then their results taken, over and over."""
    api = kk.connect(url, protocol=protocol, codec=codec)

    def run(count: int) -> Sample:
        answers = 0
        with Stopwatch() as watch:
            for begun in range(0, count, width):
                made = [api.echo("tok42") for _ in range(min(width, count - begun))]
                answers += sum(call.result() == "tok42" for call in made)
        return watch.sample(answers)

    try:
        yield run
    finally:
        kk.close(api)


# ---- Vovk


@contextlib.asynccontextmanager
async def async_vovk_stream(url: str, shape: str) -> AsyncIterator[AsyncRun]:
    """``async for``, over HTTP."""
    api = await kk.aconnect(url, schema=VOVK_SCHEMA)

    async def run(count: int) -> Sample:
        items = 0
        with Stopwatch() as watch:
            async for _ in api.RawRPC.stream(params={"shape": shape, "count": count}):
                items += 1
        return watch.sample(items)

    try:
        yield run
    finally:
        kk.close(api)


@contextlib.contextmanager
def plain_vovk_stream(url: str, shape: str) -> Iterator[PlainRun]:
    """``for``, where no loop runs."""
    api = kk.connect(url, schema=VOVK_SCHEMA)

    def run(count: int) -> Sample:
        items = 0
        with Stopwatch() as watch:
            for _ in api.RawRPC.stream(params={"shape": shape, "count": count}):
                items += 1
        return watch.sample(items)

    try:
        yield run
    finally:
        kk.close(api)
