"""The API of the demo endpoint.

The names are those that a remote caller writes, so they are in camelCase. Every stream is an async
generator: it produces one value at a time, and its reader may stop after any of them. The
pauses (``pause_s``, in seconds) only make the streaming visible; 0 turns them off.

``@expose`` (``kk.expose`` outside) lets clients reach a class even if an object from another
package holds an instance of it, or inherits from it.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path

from kkjupyter.demo import model as toy_model
from kkjupyter.extras import load_extra
from kkjupyter.server.exposed.ownership import expose

__all__ = ["Counter", "DemoApi"]


@expose
@dataclass
class Counter:
    """A class to construct: ``kk.new(api.Counter, 10)``. Its fields are sent back."""

    count: int = 0
    step: int = 1


@expose
@dataclass
class Settings:
    """Properties to read and to assign: ``api.settings.theme = "dark"``."""

    theme: str = "light"
    language: str = "en"
    fontSize: int = 14  # noqa: N815  a wire name


@expose
class Data:
    """A nested group of methods: ``api.data.stream(3)``."""

    async def stream(self, count: int, *, pause_s: float = 0.1) -> AsyncIterator[str]:
        """Yield "item-0", "item-1" and so on, ``count`` of them."""
        for index in range(count):
            yield f"item-{index}"
            await asyncio.sleep(pause_s)


@expose
class Arithmetic:
    """Another group, of plain methods: ``api.math.add(1, 2)``."""

    def add(self, a: float, b: float) -> float:
        """Return the sum."""
        return a + b


@expose
class DemoApi:
    """The object behind ``%rpc connect demo as api``."""

    Counter = Counter

    def __init__(self) -> None:
        self.data = Data()
        self.math = Arithmetic()
        self.settings = Settings()
        self._open_watchers = 0

    # -- a value ------------------------------------------------------------------------------

    def add(self, a: float, b: float) -> float:
        """Return the sum: the simplest call there is."""
        return a + b

    # -- streams ------------------------------------------------------------------------------

    async def countdown(self, start: int, *, pause_s: float = 0.2) -> AsyncIterator[int]:
        """Count from ``start`` down to 0: ``countdown(5)`` gives 5, 4, 3, 2, 1, 0."""
        for number in range(start, -1, -1):
            yield number
            await asyncio.sleep(pause_s)

    async def ticks(self, *, pause_s: float = 0.1) -> AsyncIterator[int]:
        """Count 0, 1, 2 ... without end: a stream that has to be stopped."""
        for number in itertools.count():
            yield number
            await asyncio.sleep(pause_s)

    async def rows(
        self, count: int = 20, *, pause_s: float = 0.1
    ) -> AsyncIterator[dict[str, str | int | float]]:
        """Yield ``count`` readings of three thermometers, as rows for a table or a plot."""
        places = itertools.cycle(["kitchen", "garden", "cellar"])
        mean_celsius = {"kitchen": 21.0, "garden": 12.0, "cellar": 8.0}
        for minute, place in zip(range(count), places, strict=False):
            celsius = mean_celsius[place] + 2 * math.sin(minute / 5)
            yield {"minute": minute, "place": place, "celsius": round(celsius, 2)}
            await asyncio.sleep(pause_s)

    async def failingStream(self) -> AsyncIterator[int]:
        """Yield 1 and 2, then fail."""
        yield 1
        yield 2
        raise RuntimeError("something went wrong")

    async def watchFiles(self, path: str) -> AsyncIterator[dict[str, str]]:
        """Report every change directly in ``path`` as it happens, until the reader stops.

        ``finally`` runs when the reader stops, so :meth:`openWatchers` tells whether that worked.

        Raises:
            FileNotFoundError: there is nothing at ``path``.
            UsageError: the library that watches is not installed.
        """
        awatch = load_extra("watchfiles", "demo", "watchFiles").awatch
        root = _resolved(path)
        self._open_watchers += 1
        try:
            async with aclosing(awatch(root, recursive=False)) as batches:
                async for batch in batches:
                    for change, changed in sorted(batch):
                        yield {"change": change.raw_str(), "path": _below(root, Path(changed))}
        finally:
            self._open_watchers -= 1

    def openWatchers(self) -> int:
        """Return how many :meth:`watchFiles` streams are open."""
        return self._open_watchers

    # -- a callback ---------------------------------------------------------------------------

    async def onProgress(
        self, count: int, callback: Callable[[int, int], object], *, pause_s: float = 0.1
    ) -> str:
        """Call ``callback(1, count)``, ``callback(2, count)`` ... and return "done"."""
        for step in range(1, count + 1):
            callback(step, count)
            await asyncio.sleep(pause_s)
        return "done"

    # -- a language model ---------------------------------------------------------------------

    async def chat(
        self, prompt: str, *, model: str = "toy", pause_s: float = 0.03, max_tokens: int = 120
    ) -> AsyncIterator[str]:
        """Answer ``prompt`` token by token, as language models do.

        The model is a toy: it has read half of *Alice's Adventures in Wonderland* and nothing
        else. The same prompt always gets the same answer. It ends with a sentence, so it may be
        some tokens longer than ``max_tokens``.

        Raises:
            ValueError: the model does not exist.
        """
        if model != "toy":
            raise ValueError(f"no model named {model!r}; this endpoint has 'toy'")
        for token in toy_model.load().tokens(prompt, max_tokens=max_tokens):
            yield token
            await asyncio.sleep(pause_s * toy_model.breath(token))


def _resolved(path: str) -> Path:
    return Path(path).expanduser().resolve()


def _below(root: Path, changed: Path) -> str:
    """``changed`` as seen from ``root``, which may itself be the file that changed."""
    return changed.name if changed == root else changed.relative_to(root).as_posix()
