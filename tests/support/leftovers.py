"""How many objects calls leave behind, for calls of every kind."""

from __future__ import annotations

import asyncio
import collections
import contextlib
import functools
import gc
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import kkjupyter as kk
from kkjupyter import vovk
from kkjupyter.api.in_process import serve_in_memory
from kkjupyter.runtime.loop_threads import handler_loop, io_loop
from kkjupyter.traces.record import CallRecord
from support.servers.pipes import serve_over_pipes

_SETTLE_S = 5.0
_TRACED = 1000


def _by_type() -> collections.Counter[str]:
    gc.collect()
    kinds = collections.Counter(map(type, gc.get_objects()))
    return collections.Counter(
        {
            f"{kind.__module__.removeprefix('kkjupyter.')}.{kind.__qualname__}": number
            for kind, number in kinds.items()
            if str(getattr(kind, "__module__", "")).startswith("kkjupyter")
        }
    )


def _traced() -> int:
    """How many objects there are of the traces of the last calls; bounded, but not the same."""
    return sum(type(one).__module__ == CallRecord.__module__ for one in gc.get_objects())


@contextlib.contextmanager
def _unlogged() -> Iterator[None]:
    """Nobody keeps log records: with its traceback one holds on to all that was called."""
    logger = logging.getLogger("kkjupyter.server")
    was_disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = was_disabled


def kept() -> int:
    """How many objects of the package's own classes are alive."""
    return _by_type().total()


def settled() -> int:
    """As :func:`kept`, when what was posted between the loops is done."""
    least = kept()
    deadline_s = time.monotonic() + _SETTLE_S
    quiet = 0
    while quiet < 3 and time.monotonic() < deadline_s:
        for loop in (io_loop(), handler_loop()):
            loop.flush(timeout_s=1.0)
        time.sleep(0.05)
        now = kept()
        quiet = quiet + 1 if now >= least else 0
        least = min(least, now)
    return least


class Ours:
    """What the client exposes to the server."""

    def ping(self) -> str:
        return "pong"

    async def ticks(self) -> AsyncIterator[int]:
        for number in range(3):
            yield number


class Theirs:
    """What the server exposes."""

    def __init__(self) -> None:
        self.color = "red"

    def plain(self, *args: Any) -> int:
        return 1

    async def add(self, *args: Any) -> int:
        return 1

    async def fail(self) -> None:
        raise ValueError("no")

    async def wait(self) -> None:
        await asyncio.sleep(60)

    async def ticks(self) -> AsyncIterator[int]:
        for number in range(3):
            yield number

    def plain_ticks(self) -> Iterator[int]:
        yield from range(3)

    async def endless(self) -> AsyncIterator[int]:
        while True:
            yield 0
            await asyncio.sleep(0.001)

    async def broken(self) -> AsyncIterator[int]:
        yield 0
        raise ValueError("no")

    async def total(self, numbers: Any) -> int:
        return sum([number async for number in numbers])

    async def back(self, tell: Any) -> None:
        tell(1)

    async def reverse(self) -> str:
        return str(await kk.context().caller.ping())

    async def reverse_ticks(self) -> int:
        return sum([number async for number in kk.context().caller.ticks()])


class NumbersController(vovk.Controller, prefix="numbers"):
    """The same in Vovk."""

    @vovk.get("one")
    async def one(self) -> int:
        return 1

    @vovk.get("plain")
    def plain(self) -> int:
        return 1

    @vovk.get("fail")
    async def fail(self) -> None:
        raise vovk.HttpException(400, "no")

    @vovk.get("wait")
    async def wait(self) -> None:
        await asyncio.sleep(60)

    @vovk.get("ticks")
    async def ticks(self) -> AsyncIterator[int]:
        for number in range(3):
            yield number

    @vovk.get("endless")
    async def endless(self) -> AsyncIterator[int]:
        while True:
            yield 0
            await asyncio.sleep(0.001)


def _failed(call: Any) -> None:
    with contextlib.suppress(kk.RemoteError):
        call.result(timeout_s=30)


def _first(call: Any) -> None:
    for _ in call:
        break


def _begun(call: Any) -> None:
    """Cancelled when it is under way at the server."""
    io_loop().flush(timeout_s=5)
    call.cancel()


def _expired(api: Any) -> None:
    with contextlib.suppress(kk.CallTimeout):
        kk.call(api.wait, timeout_s=0.001).result()


def print_nothing(number: int) -> None:
    """A function that is passed again and again."""


_Use = Callable[[Any], object]

# kind -> how one call is made and ended, and every how many-th of the calls asked for is made
_CALLS: dict[str, tuple[_Use, int]] = {
    "unary": (lambda api: api.add(1, 2).result(timeout_s=30), 1),
    "unary, plain function": (lambda api: api.plain(1, 2).result(timeout_s=30), 1),
    "property": (lambda api: kk.get(api.color), 1),
    "failed": (lambda api: _failed(api.fail()), 1),
    "not found": (lambda api: _failed(api.missing()), 1),
    "cancelled at once": (lambda api: api.wait().cancel(), 1),
    "cancelled under way": (lambda api: _begun(api.wait()), 1),
    "timed out": (_expired, 10),
    "stream": (lambda api: list(api.ticks()), 1),
    "stream, plain generator": (lambda api: list(api.plain_ticks()), 10),
    "stream left": (lambda api: _first(api.endless()), 10),
    "stream failed": (lambda api: _failed(api.broken()), 1),
    "stream cancelled at once": (lambda api: api.endless().cancel(), 1),
    "callback": (lambda api: api.back(lambda n: None).result(timeout_s=30), 1),
    "callback, one function": (lambda api: api.back(print_nothing).result(timeout_s=30), 1),
    "reverse": (lambda api: api.reverse().result(timeout_s=30), 1),
    "reverse stream": (lambda api: api.reverse_ticks().result(timeout_s=30), 1),
}
_COMPACT: dict[str, tuple[_Use, int]] = {
    "stream as argument": (lambda api: api.total(iter([1, 2, 3])).result(timeout_s=30), 10),
}
_VALUES = ("unary", "unary, plain function", "failed", "cancelled at once", "cancelled under way")
_VOVK: dict[str, tuple[_Use, int]] = {
    "unary": (lambda api: api.NumbersController.one().result(timeout_s=30), 1),
    "unary, plain function": (lambda api: api.NumbersController.plain().result(timeout_s=30), 1),
    "failed": (lambda api: _failed(api.NumbersController.fail()), 1),
    "cancelled at once": (lambda api: api.NumbersController.wait().cancel(), 1),
    "cancelled under way": (lambda api: _begun(api.NumbersController.wait()), 10),
    "stream": (lambda api: list(api.NumbersController.ticks()), 1),
    "stream left": (lambda api: _first(api.NumbersController.endless()), 10),
    "stream cancelled at once": (lambda api: api.NumbersController.endless().cancel(), 1),
}


@contextlib.contextmanager
def _serving(start: Callable[..., Any], protocol: str, **options: Any) -> Iterator[Any]:
    with start(Theirs(), **options) as server:
        exposed = {} if options.get("transport") == "http" else {"expose": Ours()}
        with server.connect(protocol=protocol, **exposed) as api:
            yield api


@contextlib.contextmanager
def _serving_vovk() -> Iterator[Any]:
    with vovk.serve([NumbersController], token=False) as server, server.connect() as api:
        yield api


_Open = Callable[[], contextlib.AbstractContextManager[Any]]

GROUPS: dict[str, tuple[_Open, dict[str, tuple[_Use, int]]]] = {}
"""Every connection that calls can be made over, and the kinds of calls it knows."""

for _protocol in ("classic", "compact"):
    _all = {**_CALLS, **(_COMPACT if _protocol == "compact" else {})}
    for _where, _start in (
        ("WebSocket", kk.serve),
        ("stdio", serve_over_pipes),
        ("memory", serve_in_memory),
    ):
        GROUPS[f"{_where}, {_protocol}"] = (
            functools.partial(_serving, _start, _protocol),
            _all,
        )
    GROUPS[f"HTTP, {_protocol}"] = (
        functools.partial(_serving, kk.serve, _protocol, transport="http"),
        {name: _CALLS[name] for name in _VALUES},
    )
GROUPS["Vovk"] = (_serving_vovk, _VOVK)


@dataclass(frozen=True)
class Growth:
    """What calls of one kind have left.

    Attributes:
        calls: how many were made.
        counted: those after the first count.
        early: objects alive at the first count, beyond those from before the first call.
        late: after all calls.
    """

    calls: int
    counted: int
    early: int
    late: int

    @property
    def per_call(self) -> float:
        """How many objects each call has left, once the number of kept traces is reached."""
        return (self.late - self.early) / self.counted


def growth_of(group: str, kind: str, count: int) -> Growth:
    """Make calls of that kind, and count what is left."""
    connect, kinds = GROUPS[group]
    use, every = kinds[kind]
    calls = max(120, count // every)
    first = max(calls // 10, 24)  # as many traces as a connection keeps, and more
    with connect() as api:
        before = settled()
        for _ in range(first):
            use(api)
        early = settled() - before
        for _ in range(calls - first):
            use(api)
        return Growth(calls, calls - first, early, settled() - before)


def left_by(group: str, count: int) -> tuple[int, str]:
    """Make ``count`` calls of each kind of a group; how many objects are left, and of what.

    Of the traces of the last calls only those count that are more than can be meant.
    """
    connect, kinds = GROUPS[group]
    fresh = {name: use for name, (use, _) in kinds.items()}
    if "classic" in group:  # the peer cannot say that it has forgotten a function; see _tidy
        fresh.pop("callback", None)
    with _unlogged(), connect() as api:
        for use in fresh.values():
            for _ in range(20):
                use(api)
        settled()
        before, traced_before = _by_type(), _traced()
        for use in fresh.values():
            for _ in range(count):
                use(api)
        settled()
        after, traced = _by_type(), _traced()
    left = (after.total() - traced) - (before.total() - traced_before)
    grown = after - before
    return left + max(0, traced - _TRACED), ", ".join(
        f"{name} {number:+}" for name, number in grown.most_common(5)
    )
