"""What a run takes from, and what of it is local: who drives it, and when something happened."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, Protocol

__all__ = ["DrivenFeed", "Feed", "Moments"]


class Feed(Protocol):
    """What a run takes from; :class:`kkjupyter.calls.call.Consumer` is one."""

    @property
    def kind(self) -> Literal["unary", "stream"] | None: ...
    @property
    def finished(self) -> bool: ...
    @property
    def error(self) -> BaseException | None: ...
    @property
    def value(self) -> Any: ...
    @property
    def away_since_s(self) -> float | None:
        """Since when its connection is broken and made again, by ``time.monotonic()``; or None."""

    def take(self, limit: int = ..., /) -> list[Any]: ...
    def on_ready(self, callback: Callable[[], object], /) -> None: ...
    def cancel(self) -> None: ...


class Moments:
    """When something happened to a source, noted by the thread that drives it.

    A view takes its items later, and may be slow: figures that compare sources cannot come from it.

    Attributes:
        asked_at_s: when a request was made; None of a source that was there already. These are
            times of ``time.monotonic()``.
        first_item_at_s: when it gave its first item.
        ended_at_s: when it was over.
    """

    __slots__ = ("asked_at_s", "ended_at_s", "first_item_at_s")

    def __init__(self) -> None:
        self.asked_at_s: float | None = None
        self.first_item_at_s: float | None = None
        self.ended_at_s: float | None = None


class DrivenFeed:
    """A feed whose source runs in this process, so that whoever waits for it may drive it.

    Attributes:
        title: what to call it.
        moments: when what happened.
        notes: gets a line for the state line if the source does not stop when it is told to.
    """

    def __init__(self, title: str) -> None:
        self.title = title
        self.moments = Moments()
        self.notes: list[str] = []

    def add_notes_to(self, notes: list[str]) -> None:
        """Have notes go to ``notes``. Before it begins."""
        self.notes = notes

    @property
    def away_since_s(self) -> float | None:
        """None: there is no connection here."""
        return None

    def run_ahead_no_more(self) -> None:
        """From now on, get an item only when it is asked for."""
        raise NotImplementedError

    @property
    def is_here(self) -> bool:
        """Whether whoever waits drives it."""
        return False

    def stay(self) -> bool:
        """Have whoever waits drive it, in this thread; False where something else does.

        Whoever got True calls :meth:`drive`, or :meth:`advance` and at last :meth:`leave`.
        """
        return self.is_here

    def drive(self) -> None:
        """Advance it here until it is over.

        Raises:
            KeyboardInterrupt: the user interrupted; the feed is cancelled, the source closed.
        """
        raise NotImplementedError

    def advance(self) -> None:
        """Get the next item here; it is there to be taken then, unless the source is over.

        Raises:
            KeyboardInterrupt: as of :meth:`drive`.
        """
        raise NotImplementedError

    def leave(self) -> None:
        """This thread does not come back: cancel what is not over, and close what was cancelled."""
        raise NotImplementedError
