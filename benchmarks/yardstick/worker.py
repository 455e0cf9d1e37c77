"""The inside of a contestant's process: ``python -m yardstick.worker ROLE OPTIONS``.

A role is ``module:function`` of this package, called with the options. A server's function is a
context manager that gives its address, which is the first line told; each line read is then
answered with the CPU time used so far. A client's is a context manager, plain or async, that gives
``run(count)``, plain or async, which is called for each line read and returns a sample.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Self, TextIO

import msgspec

from yardstick.figures import Sample

__all__ = ["Stopwatch", "main", "shares_of"]


def shares_of(count: int, width: int) -> list[int]:
    """``count`` in ``width`` shares that differ by one at most."""
    return [count // width + (number < count % width) for number in range(width)]


class Stopwatch:
    """Times what is done inside it: wall and CPU time of this process, all threads."""

    def __enter__(self) -> Self:
        self.cpu_s, self.wall_s = time.process_time(), time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.wall_s = time.perf_counter() - self.wall_s
        self.cpu_s = time.process_time() - self.cpu_s

    def sample(self, count: int, **more: float) -> Sample:
        """What was timed, of ``count`` items."""
        return Sample(count=count, wall_s=self.wall_s, cpu_s=self.cpu_s, more=more)


def main() -> None:
    """Run one role until standard input ends."""
    role, options = sys.argv[1:]
    module, _, function = role.partition(":")
    made = getattr(importlib.import_module(f"yardstick.{module}"), function)(**json.loads(options))
    # Replies go where this process was started to write; whatever else prints must not.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as replies:
        os.dup2(2, 1)
        if hasattr(made, "__aenter__"):
            with _async_run(made) as run:
                _answer(run, replies)
        else:
            with made as run:
                _answer(run, replies)


@contextlib.contextmanager
def _async_run(made: Any) -> Iterator[Callable[[int], Sample]]:
    """``run`` of an async client, to be called from plain code; always on the same loop."""
    with asyncio.Runner() as runner:
        stack = contextlib.AsyncExitStack()

        async def enter() -> Any:
            return await stack.enter_async_context(made)

        run = runner.run(enter())
        try:
            yield lambda count: runner.run(run(count))
        finally:
            runner.run(stack.aclose())


def _answer(run: str | Callable[[int], Sample], replies: TextIO) -> None:
    def reply(value: Any) -> None:
        replies.write(msgspec.json.encode(value).decode() + "\n")
        replies.flush()

    reply(run if isinstance(run, str) else "")
    for line in sys.stdin:
        if isinstance(run, str):
            reply(time.process_time())
        else:
            reply(run(int(line)))


if __name__ == "__main__":
    main()
