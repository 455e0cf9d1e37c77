"""What front ends show, by the ids under which they ask about it."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any, Protocol

from kkjupyter.notebook.run_status import Status

__all__ = ["PageView", "PageViews", "ViewedRun", "page_views", "report"]


class ViewedRun(Protocol):
    """A run, as far as what shows it needs one."""

    def status(self) -> Status:
        """What is shown of it now."""

    def press_cancel(self) -> bool:
        """The user presses Cancel: on any thread, perhaps more than once.

        Returns at once, and says whether there was anything to cancel.
        """


class PageView(Protocol):
    """What a front end shows, as far as it asks about it."""

    def answer(self, content: dict[str, Any]) -> dict[str, Any] | None:
        """The answer to a question; None if there is none (yet)."""


class ShownRun(Protocol):
    """What a front end shows of a run."""

    @property
    def status(self) -> Status:
        """The run as the front end was told of it last."""

    @property
    def end_offset(self) -> int:
        """Where its text ends, in UTF-16 units."""

    def run_status(self) -> Status:
        """The run now."""


class PageViews:
    """The views of this process that front ends may ask about. Thread-safe."""

    def __init__(self) -> None:
        # Weak: a view that is closed is forgotten without anybody saying so.
        self._views: weakref.WeakValueDictionary[str, PageView] = weakref.WeakValueDictionary()
        self._listeners: list[Callable[[], object]] = []
        self._lock = threading.Lock()

    def add(self, key: str, view: PageView) -> None:
        """Know what front ends show under this id, for as long as it lives."""
        with self._lock:
            self._views[key] = view

    def remove(self, key: str) -> None:
        """Answer nobody about it any more. Idempotent."""
        with self._lock:
            self._views.pop(key, None)

    def get(self, key: str) -> PageView | None:
        """What front ends show under this id, if it was made in this process and still lives."""
        with self._lock:
            return self._views.get(key)

    def listen(self, asked: Callable[[], object]) -> None:
        """Call ``asked()`` when a page has asked something, on any thread; it returns at once."""
        self._listeners.append(asked)

    def unlisten(self, asked: Callable[[], object]) -> None:
        """Call it no more."""
        self._listeners.remove(asked)

    def page_came(self) -> None:
        """A front end has asked something: it may lack what was said before."""
        for asked in tuple(self._listeners):
            asked()


def report(view: ShownRun) -> dict[str, Any]:
    """What a page needs to know about the run: its state, and where its text ends."""
    status = view.status
    if not status.over:
        # The view may have been left behind, as one is that failed; the run knows better.
        now = view.run_status()
        if now.over:
            status = now
    return {"state": status.to_json(), "end": view.end_offset}


page_views = PageViews()
