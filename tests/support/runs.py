"""Runs and what they stand between, a feed and screens, that the test controls."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Literal

from kkjupyter.errors import CallCancelled
from kkjupyter.notebook.output.answers import NO_ANSWERS, Answers
from kkjupyter.notebook.run.run import Run
from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.views.base import SAVED_BYTES
from kkjupyter.runtime.waiting import Notifier

__all__ = ["FakeFeed", "FakeOutput", "FakeScreen", "ViewedRun", "started"]


class FakeFeed:
    """What a Consumer offers, filled by the test."""

    def __init__(self) -> None:
        self.kind: Literal["unary", "stream"] | None = None
        self.value: Any = None
        self.failure: BaseException | None = None
        self.over = False
        self.items: list[Any] = []
        self.cancelled = 0
        self.away_since_s: float | None = None
        self.notifier = Notifier()

    @property
    def finished(self) -> bool:
        return self.over and not self.items

    @property
    def error(self) -> BaseException | None:
        return self.failure

    def take(self, limit: int = 1000) -> list[Any]:
        taken, self.items[:] = self.items[:limit], self.items[limit:]
        return taken

    def on_ready(self, callback: Callable[[], object]) -> None:
        self.notifier.on_notify(callback)
        if self.items or self.over:
            self.notifier.notify()

    def cancel(self) -> None:
        self.cancelled += 1
        if not self.over:
            self.items.clear()
            self.end(CallCancelled("fake"))

    def put(self, *items: Any) -> None:
        self.kind = "stream"
        self.items += items
        self.notifier.notify()

    def end(self, failure: BaseException | None = None) -> None:
        self.failure = failure
        self.over = True
        self.notifier.notify()


class FakeScreen:
    """Notes what it is given; raises instead if it ``fails``."""

    def __init__(self, fails: bool = False) -> None:
        self.items: list[Any] = []
        self.states: list[str] = []
        self.reconnecting_s: float | None = None
        self.ended = threading.Event()
        self.last: Status | None = None
        self.fails = fails

    def feed(self, items: Sequence[Any], status: Status) -> None:
        if self.fails:
            raise ZeroDivisionError
        self.items += items
        self.reconnecting_s = status.reconnecting_s
        if not self.states or self.states[-1] != status.state:
            self.states.append(status.state)

    def end(self, status: Status) -> None:
        self.last = status
        self.states.append(status.state)
        self.ended.set()


def started(**options: Any) -> tuple[Run, FakeFeed, FakeScreen]:
    """A run of a feed that the test fills, on a screen."""
    feed, screen = FakeFeed(), FakeScreen()
    run = Run(10**9, "fake()", feed, **options)
    run.add_screen(screen)
    run.start()
    return run, feed, screen


class FakeOutput:
    """Notes what a screen pushes, and when."""

    def __init__(self) -> None:
        self.pushed: list[tuple[float, str]] = []
        self.ended: Status | None = None
        self.answers = Answers(NO_ANSWERS, SAVED_BYTES)

    def display_bundle(self) -> dict[str, Any]:
        return {"text/plain": "waiting"}

    def push(self, delta: str, status: Status) -> None:
        self.pushed.append((time.monotonic(), delta))

    def end(self, status: Status, bundle: dict[str, Any]) -> dict[str, Any]:
        self.ended = status
        return bundle


class ViewedRun:
    """A run, as far as what shows it needs one.

    It has always this status, and nothing to cancel unless ``press_cancel`` is given.
    """

    def __init__(self, status: Status, press_cancel: Callable[[], bool] = lambda: False) -> None:
        self._status = status
        self._press_cancel = press_cancel

    def status(self) -> Status:
        return self._status

    def press_cancel(self) -> bool:
        return self._press_cancel()
