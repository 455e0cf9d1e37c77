"""``kk.compare``: several streams side by side."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Mapping
from typing import Any

from kkjupyter.errors import UsageError
from kkjupyter.notebook.output.screens import present_execution
from kkjupyter.notebook.retention import DEFAULT_LIMITS, Limits
from kkjupyter.notebook.run.feeds import awaited, lives_on_this_loop
from kkjupyter.notebook.run.owner import cells
from kkjupyter.notebook.run.reply import Reply
from kkjupyter.notebook.run.requests import RequestFeed
from kkjupyter.notebook.run.run import Run
from kkjupyter.notebook.shell.tracebacks import hide_our_frames
from kkjupyter.notebook.show.compare_screens import open_columns
from kkjupyter.notebook.show.shown_iterator import GRACE_S, cancel_and_settle
from kkjupyter.notebook.show.waiting import begin, check_view, never_shown, wait
from kkjupyter.notebook.views import AUTO, ViewChoice
from kkjupyter.runtime.hooks import run_before_show
from kkjupyter.runtime.waiting import wait_async

__all__ = ["Compared", "Replies", "compare"]


def compare(
    sources: Mapping[str, Any],
    view: ViewChoice = AUTO,
    *,
    pick: Callable[[Any], Any] | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Compared:
    """Show several streams side by side while they run, and compare their times below.

    Each column has its own Cancel button, and there is one for all. As the last line of a cell, and
    with ``await``, it waits for the end of all; the notebook's own async iterables need the
    ``await``. A stream that fails shows the error in its column, and the others go on.

    The times are comparable if each source is a function that makes its request: all of these are
    called at the same moment, each in a thread of its own or on the loop, and the clock of each
    starts with its call. Streams that are open already have been asked for one after the other.

    Args:
        sources: calls, iterators, async iterables, or functions without arguments that give one of
            these, as for :func:`kkjupyter.show`; by the names above their columns.
        view: how items are shown, as for :func:`kkjupyter.show`.
        pick: which part of each item is shown, as for :func:`kkjupyter.show`.
        limits: how much each Reply keeps.

    Returns:
        An object to use as the last line of a cell, to ``await``, or to ``.wait()`` for; the result
        is a dict of the Replies, by name.

    Raises:
        UsageError: there is nothing to compare; or a source does not stream, is already read, is a
            class or needs arguments.
    """
    run_before_show()
    check_view(view)
    if not isinstance(sources, Mapping) or not sources:
        raise UsageError('name the streams to compare: kk.compare({"A": ..., "B": ...})')
    runs: dict[str, Run] = {}
    try:
        for name, source in sources.items():
            runs[str(name)] = begin(
                source, view, title=str(name), limits=limits, pick=pick, shows_value=True
            )
    except BaseException:
        for run in runs.values():
            run.cancel()
        raise
    return Compared(runs, view)


class Replies(dict[str, Reply]):
    """The Replies of a comparison, by name.

    Attributes:
        shown_in: as for a :class:`Reply`.
    """

    shown_in: int | None = None


class Compared:
    """Streams to show side by side; see :func:`compare`. It is used once.

    Attributes:
        replies: fill while they run.
    """

    def __init__(self, runs: dict[str, Run], view: ViewChoice) -> None:
        self._runs = runs
        self._view = view
        self._is_used = False
        self._is_refused = False
        self.replies = Replies({name: run.reply for name, run in runs.items()})

    def cancel(self) -> None:
        """Cancel all. Returns at once; idempotent; any thread."""
        for run in self._runs.values():
            run.cancel()

    def wait(self) -> Replies:
        """Show them and wait in plain code for the end of all; an interrupt cancels them.

        Raises:
            UsageError: they are already shown; or one needs this event loop, which waiting would
                block: write ``await``.
            BaseException: the error of the first stream, if all of them failed.
        """
        self._refuse_here()
        replies = self.last_line()
        self._refuse_here()  # what a function gave may turn out to be such a stream
        return replies

    def last_line(self) -> Replies:
        """Like :meth:`wait`, for the last line of a cell: streams that need this event loop go on
        after it.

        Returns:
            As :meth:`wait`; the Replies of streams that go on are incomplete.
        """
        noted = self._note_those_here()
        self._show(in_background=noted)
        if noted:  # waiting here would block the loop that drives it
            return self.replies
        try:
            for run in self._runs.values():
                wait(run)
        except (KeyboardInterrupt, asyncio.CancelledError) as interrupt:
            self.cancel()
            for run in self._runs.values():
                cancel_and_settle(run)
            hide_our_frames(interrupt)
            raise
        return self.replies if self._note_those_here() else self._outcome()

    def _those_here(self) -> list[Run]:
        """Those that need the very loop that waiting in plain code would stop."""
        runs = self._runs.values()
        return [run for run in runs if not run.is_over and lives_on_this_loop(run.feed)]

    def _note_those_here(self) -> bool:
        """Say of those that they go on; return whether there are any."""
        those = self._those_here()
        for run in those:
            run.notes.append(
                "runs on the kernel's own loop; `await kk.compare(...)` waits for its end"
            )
        return bool(those)

    def _refuse_here(self) -> None:
        titles = [run.title for run in self._those_here()]
        if titles:
            self._is_refused = True
            if self._is_used:
                self.cancel()
            raise UsageError(
                f"{', '.join(titles)} of this comparison runs on this event loop, which "
                "`.wait()` would block; write `await kk.compare(...)`"
            )

    def __await__(self) -> Generator[Any, None, Replies]:
        return self._finished().__await__()

    async def _finished(self) -> Replies:
        for run in self._runs.values():
            run.feed = awaited(run.feed)
        self._show()
        runs = self._runs.values()
        try:
            for run in runs:
                await wait_async(run.notifier, lambda run=run: run.is_over)  # type: ignore[misc]
        except BaseException as error:  # CancelledError above all: the cell was interrupted
            self.cancel()
            for run in runs:
                await wait_async(run.notifier, lambda run=run: run.is_over, GRACE_S)  # type: ignore[misc]
            hide_our_frames(error)
            raise
        return self._outcome()

    def go_on(self) -> None:
        """Show them and return at once: they go on after the cell."""
        self._show(in_background=True)

    def _show(self, *, in_background: bool = False) -> None:
        if self._is_used:
            raise UsageError("this comparison is already shown; .replies has its items")
        self._is_used = True
        self.replies.shown_in = present_execution()
        with cells.output():
            open_columns(self._runs, self._view, in_background=in_background)
        # All at the same moment, whatever the start of a run takes.
        for run in self._runs.values():
            if isinstance(run.feed, RequestFeed):
                run.feed.ask()
        for run in self._runs.values():
            run.start()

    def _outcome(self) -> Replies:
        replies = list(self.replies.values())
        error = replies[0].error
        if error is not None and all(reply.status == "failed" for reply in replies):
            hide_our_frames(error)
            raise error
        return self.replies

    def __del__(self) -> None:
        if not self.__dict__.get("_is_used", True):
            ways = "make it the last line of the cell, `await` it, or call .wait()"
            never_shown("kk.compare(...)", self._runs.values(), ways, warn=not self._is_refused)

    def __repr__(self) -> str:
        states = ", ".join([f"{name}: {reply.status}" for name, reply in self.replies.items()])
        return f"<Compared {states}>"
