"""The server that fuzz.py attacks, and soak.py uses: all that it speaks, on ports of its own.

It prints the ports as a line of JSON, with ``--memory`` every few seconds how much it holds, and
ends when its stdin does.
"""

from __future__ import annotations

import asyncio
import faulthandler
import gc
import json
import signal
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import psutil

import kkjupyter as kk
from kkjupyter import vovk

MEMORY_EVERY_S = 5.0


class Arithmetic:
    """A group of methods."""

    def add(self, a: float, b: float) -> float:
        """The sum."""
        return a + b


class Api:
    """What recorded messages call, and some more."""

    def __init__(self) -> None:
        self.math = Arithmetic()
        self.settings = {"theme": "light"}

    def echo(self, value: Any) -> Any:
        """It, again."""
        return value

    def add(self, a: float, b: float) -> float:
        """The sum."""
        return a + b

    async def countdown(self, start: int) -> AsyncIterator[int]:
        """From ``start`` to 1."""
        for left in range(min(start, 10_000), 0, -1):
            yield left

    async def ticks(self) -> AsyncIterator[int]:
        """Without end."""
        count = 0
        while True:
            yield count
            count += 1
            await asyncio.sleep(0.001)

    def plain(self, count: int) -> Iterator[int]:
        """A plain generator."""
        yield from range(min(count, 10_000))

    async def progress(self, count: int, tell: Callable[..., Any]) -> int:
        """Calls ``tell`` so often."""
        for at in range(min(count, 100)):
            await tell(at)
        return count

    async def total(self, values: Any) -> float:
        """Of a stream that is passed."""
        return float(sum([value async for value in values]))

    async def fail(self) -> None:
        """Raises."""
        raise kk.RemoteError("as asked")


class HelloController(vovk.Controller, prefix="hello"):
    """What recorded requests ask for."""

    @vovk.get("burst")
    async def burst(self, req: Any) -> Any:
        """``n`` items."""
        for at in range(min(int(req.query.get("n", 20)), 10_000)):
            yield {"i": at, "t": "tok"}

    @vovk.post("items/{id}")
    async def post_item(self, req: Any, id: str) -> Any:  # noqa: A002  as in the path
        """The body, again."""
        return {"id": id, "body": await req.json()}

    @vovk.get("greeting/{id}")
    def get_greeting(self, id: str) -> Any:  # noqa: A002  as in the path
        """The name, again."""
        return {"id": id}


class OldHelloController(vovk.Controller, prefix="hello", rule="0.1"):
    """The same as clients of 0.1 to 2.x have it."""

    @vovk.get("burst")
    async def burst(self, req: Any) -> Any:
        """``n`` items."""
        for at in range(min(int(req.query.get("n", 20)), 10_000)):
            yield {"i": at}


def end_with_stdin(ending: threading.Event) -> None:
    """Whoever started this has closed it, or is gone."""
    sys.stdin.read()
    ending.set()


def main() -> None:
    """Serve until stdin ends."""
    if hasattr(signal, "SIGUSR1"):  # where it is stuck, for whoever asks
        faulthandler.register(signal.SIGUSR1)
    servers = {
        "websocket": kk.serve(Api(), token=False, writable=["settings"]),
        "http": kk.serve(Api(), token=False, transport="http"),
        "vovk": vovk.serve([HelloController], token=False),
        "old vovk": vovk.serve([OldHelloController], token=False),
    }
    print(json.dumps({name: server.port for name, server in servers.items()}), flush=True)
    ending = threading.Event()
    threading.Thread(target=end_with_stdin, args=(ending,), daemon=True).start()
    process = psutil.Process()
    while not ending.wait(MEMORY_EVERY_S):
        if "--memory" in sys.argv:
            gc.collect()
            held = {"held_bytes": process.memory_info().rss}
            print(json.dumps({**held, "live_blocks": sys.getallocatedblocks()}), flush=True)
    for server in servers.values():
        server.close()


if __name__ == "__main__":
    main()
