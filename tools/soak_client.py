"""The client of soak.py: it does what users do, over and over, and tells how much it holds."""

from __future__ import annotations

import asyncio
import gc
import json
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import psutil

import kkjupyter as kk

TOLD_EVERY_S = 5.0
USERS = 4
PATIENCE_S = 30.0

Action = Callable[[Any, random.Random], Awaitable[object]]


async def call(api: Any, rnd: random.Random) -> None:
    """A unary call, small or large."""
    size = rnd.choice((1, 10, 1_000))
    value = [rnd.random() for _ in range(size)]
    assert await api.echo(value) == value


async def stream(api: Any, rnd: random.Random) -> None:
    """A stream to its end."""
    count = rnd.choice((0, 1, 50, 500))
    assert len([item async for item in api.countdown(count)]) == count


async def plain_stream(api: Any, rnd: random.Random) -> None:
    """That of a plain generator."""
    assert len([item async for item in api.plain(20)]) == 20


async def cancel(api: Any, rnd: random.Random) -> None:
    """A stream without end that is left."""
    if rnd.random() < 0.5:
        async for item in api.ticks():
            if item >= rnd.randrange(5):
                break
    else:
        running = api.ticks()
        await asyncio.sleep(0.002)
        running.cancel()


async def callbacks(api: Any, rnd: random.Random) -> None:
    """A function that the server calls."""
    told: list[Any] = []
    assert await api.progress(5, told.append) == 5


async def argument(api: Any, rnd: random.Random) -> None:
    """A stream that is passed."""

    async def numbers() -> AsyncIterator[int]:
        for number in range(10):
            yield number

    assert await api.total(numbers()) == 45


async def failure(api: Any, rnd: random.Random) -> None:
    """An error."""
    try:
        await api.fail()
    except kk.RemoteError as exc:
        assert str(exc) == "as asked"
    else:
        raise AssertionError("it did not fail")


async def add(api: Any, rnd: random.Random) -> None:
    """What HTTP carries, too."""
    assert await api.math.add(1, 2) == 3


async def vovk_stream(api: Any, rnd: random.Random) -> None:
    """A stream of Vovk's, to its end or left."""
    count = rnd.choice((1, 50))
    seen = 0
    async for _ in api.HelloController.burst(query={"n": str(count)}):
        seen += 1
        if rnd.random() < 0.02:
            return
    assert seen == count


async def vovk_call(api: Any, rnd: random.Random) -> None:
    """A call of Vovk's."""
    assert (await api.HelloController.get_greeting(params={"id": "x"}))["id"] == "x"


_EVERYWHERE: list[Action] = [call, stream, plain_stream, cancel, failure, add]


def kinds(ports: dict[str, int]) -> dict[str, tuple[Callable[[], Awaitable[Any]], list[Action]]]:
    """How to connect, and what to do there."""
    websocket = f"ws://127.0.0.1:{ports['websocket']}"
    return {
        "compact": (
            lambda: kk.aconnect(websocket, protocol="compact"),
            [*_EVERYWHERE, callbacks, argument],
        ),
        "classic": (lambda: kk.aconnect(websocket, protocol="classic"), _EVERYWHERE),
        "stdio": (
            lambda: kk.aconnect(
                [sys.executable, "-m", "kkjupyter.cli", "serve", "fuzz_server:Api", "--stdio"]
            ),
            _EVERYWHERE,
        ),
        "http": (
            lambda: kk.aconnect(f"http://127.0.0.1:{ports['http']}", protocol="classic"),
            [call, add],
        ),
        "vovk": (
            lambda: kk.aconnect(f"http://127.0.0.1:{ports['vovk']}/api", protocol="vovk"),
            [vovk_stream, vovk_call],
        ),
    }


class User:
    """Connects, does some things, and goes; again and again."""

    def __init__(self, seed: int, ports: dict[str, int], until_s: float) -> None:
        self._rnd = random.Random(seed)
        self._kinds = kinds(ports)
        self._until_s = until_s
        self.counts: Counter[str] = Counter()

    async def run(self) -> None:
        """Until the time is over."""
        rnd = self._rnd
        while time.monotonic() < self._until_s:
            name = rnd.choices(list(self._kinds), (30, 30, 1, 15, 15))[0]
            connect, actions = self._kinds[name]
            api = await connect()
            try:
                for _ in range(rnd.randrange(1, 60)):
                    action = rnd.choice(actions)
                    async with asyncio.timeout(PATIENCE_S):
                        await action(api, rnd)
                    self.counts[name] += 1
            finally:
                await asyncio.to_thread(kk.close, api)
            self.counts["connections"] += 1


async def main() -> None:
    """Use it until the time is over, and tell."""
    ports, seed, seconds_s = json.loads(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    until_s = time.monotonic() + seconds_s
    users = [User(seed + number, ports, until_s) for number in range(USERS)]
    tasks = [asyncio.create_task(user.run()) for user in users]
    process = psutil.Process()
    try:
        while not all(task.done() for task in tasks):
            gc.collect()
            tell(users, held_bytes=process.memory_info().rss)
            await asyncio.wait(tasks, timeout=TOLD_EVERY_S, return_when="FIRST_EXCEPTION")
            for task in tasks:
                if task.done():
                    task.result()
    except Exception as exc:
        tell(users, failure=f"{type(exc).__name__}: {exc}", held_bytes=0)
        raise
    gc.collect()
    left = [one for one in kk.status().connections if one.state == "open"]
    if left:
        tell(users, failure=f"connections are left over: {left}", held_bytes=0)
    tell(users, done=True, held_bytes=process.memory_info().rss)


def tell(users: list[User], **what: Any) -> None:
    """A line of JSON for soak.py."""
    what["live_blocks"] = sys.getallocatedblocks()
    actions: Counter[str] = sum((user.counts for user in users), Counter())
    print(json.dumps({"actions": dict(sorted(actions.items())), **what}), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
