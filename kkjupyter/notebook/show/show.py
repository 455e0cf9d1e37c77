"""``kk.show``: anything that streams, live in the cell."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

from kkjupyter.calls.call import Call
from kkjupyter.errors import UsageError
from kkjupyter.notebook.retention import DEFAULT_LIMITS, Limits
from kkjupyter.notebook.run.driving import DrivenFeed
from kkjupyter.notebook.run.feeds import awaited, lives_on_this_loop
from kkjupyter.notebook.run.iterator_feeds import AsyncFeed
from kkjupyter.notebook.run.registry import registry
from kkjupyter.notebook.run.reply import Reply
from kkjupyter.notebook.run.requests import RequestFeed
from kkjupyter.notebook.run.run import Run
from kkjupyter.notebook.shell.tracebacks import hide_our_frames
from kkjupyter.notebook.show.shown_iterator import GRACE_S, AsyncShownIterator, ShownIterator
from kkjupyter.notebook.show.waiting import (
    await_kind,
    begin,
    check_view,
    never_shown,
    outcome,
    play,
    play_on,
    show_again,
    show_trace,
    wait,
)
from kkjupyter.notebook.views import AUTO, ViewChoice
from kkjupyter.runtime.hooks import run_before_show
from kkjupyter.runtime.waiting import wait_async

__all__ = ["Shown", "show"]


def show(
    source: Any,
    view: ViewChoice = AUTO,
    *,
    pick: Callable[[Any], Any] | None = None,
    title: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Shown:
    """Show a stream in the cell while it runs, with a Cancel button.

    As the last line of a cell, and with ``await``, it waits for the end and returns a Reply. In
    ``for item in kk.show(...)`` and ``async for``, it shows the items that the loop gets; leaving
    the loop closes the source at once, and the button ends the loop without an error. It closes a
    source that is an iterator: pass your LLM client's own stream, not a generator around it, which
    would leave the connection to the provider open. For an iterable (``__aiter__`` without
    ``__anext__``) it closes only the iterator that it got, because others may read the iterable,
    too.

    Give it a function that makes the request, and the clock starts with that: it is called when the
    stream is waited for, in the thread that would read the stream (an ``async def``, on the loop).
    Of a stream that is open already nobody knows when it was asked for, so its state line says
    "first after opening". A cancel stops the request, or closes what that gives later.

    Args:
        source: a call, an iterator (a generator, an LLM client's stream), an async iterable, or a
            list, tuple, set, range or deque, whose items are there at once; or a function without
            arguments (``lambda: client.chat.completions.create(...)``) that gives a call, an
            iterator, an async iterable, an awaitable of one, or a value, which is then the value of
            the cell.
        view: how items are shown: ``"auto"`` (by the first item), ``"text"``, ``"markdown"``,
            ``"table"``, ``"plot"``, ``"progress"``, ``"rich"``, ``"latest"``, ``"json"``, the name
            of a view of your own (:func:`kkjupyter.view`), or a function or class that makes one.
        pick: a function that chooses what is shown of each item (``lambda event: event.text``). If
            it returns None, or the item lacks it (AttributeError, KeyError, IndexError, TypeError),
            nothing is shown, and one note says so. Any other error of it fails the stream. By
            default the whole item is shown; ``"auto"``, ``"text"`` and ``"markdown"`` show the text
            of a chat completion's chunk. Loops and ``reply.items`` have the items as they came.
        title: the text in the state line; by default the call or the generator's name.
        limits: how much the Reply keeps.

    Raises:
        UsageError: ``source`` is not a stream, is already read, is a class or needs arguments;
            there is no such view; or ``pick`` is not a function. What the function raises, or a
            UsageError if it gives None, is raised where the stream is waited for.
    """
    run_before_show()
    check_view(view)
    if isinstance(source, Shown):
        return source
    if isinstance(source, Call):
        known = registry.get(source.id)
        if known is not None:
            return Shown(known, view, again=True)
    return Shown(begin(source, view, title=title, limits=limits, pick=pick), view)


class Shown:
    """A stream to show; see :func:`show`. It is used once.

    Attributes:
        reply: fills while it runs.
    """

    def __init__(self, run: Run, view: ViewChoice, *, again: bool = False) -> None:
        self._run = run
        self._view = view
        self._again = again
        self._is_used = again
        self._is_refused = False
        self.reply: Reply = run.reply

    def cancel(self) -> None:
        """Cancel the source. Returns at once; idempotent; any thread."""
        self._run.cancel()

    def wait(self) -> Any:
        """Show it and wait in plain code for its end.

        The last line of a cell does this by itself; call it in the middle of a cell.

        Returns:
            A stream's Reply, or a unary call's value.

        Raises:
            UsageError: it was already used, and is not over; or its source needs this event loop,
                which waiting would block: write ``await``.
            BaseException: the error of the stream.
        """
        how = "`.wait()`", "write `await kk.show(...)`"
        self._refuse_here(*how)
        result = self.last_line()
        self._refuse_here(*how)  # what a function gave may turn out to be such a stream
        return result

    def last_line(self) -> Any:
        """Like :meth:`wait`, for the last line of a cell: a stream that needs this event loop goes
        on after it.

        Returns:
            As :meth:`wait`; for a stream that goes on, an incomplete Reply.
        """
        if self._again or (self._is_used and self._run.is_over):
            show_again(self._run, self._view)
            wait(self._run)
        else:
            self._use()
            play(self._run, self._view)
            if not self._run.is_over:
                return self.reply
        return outcome(self._run)

    def go_on(self) -> Any:
        """Show it and return at once: it goes on after the cell.

        Returns:
            A unary call's value if it is there at once, and not shown; else None.
        """
        if self._is_used:
            show_again(self._run, self._view)
            return None
        self._use()
        return play_on(self._run, self._view)

    def __await__(self) -> Generator[Any, None, Any]:
        return self._finished().__await__()

    async def _finished(self) -> Any:
        run = self._run
        has_trace = False
        if not self._again:
            self._use()
            run.feed = awaited(run.feed)
            await await_kind(run)
        if self._again or run.is_stream or not run.feed.finished:
            show_again(run, self._view)
            has_trace = not self._again
            if has_trace:
                show_trace(run)
        feed = run.feed
        in_task = (
            isinstance(feed, (AsyncFeed, RequestFeed))
            and not self._again
            and lives_on_this_loop(feed)
            and feed.claim_task()
        )
        if not self._again:
            run.start()
        try:
            if in_task and isinstance(feed, (AsyncFeed, RequestFeed)):
                await feed.drive_in_task()
            await wait_async(run.notifier, lambda: run.is_over)
        except BaseException as error:  # CancelledError above all: the cell was interrupted
            run.cancel()
            await wait_async(run.notifier, lambda: run.is_over, GRACE_S)
            hide_our_frames(error)
            raise
        if not self._again and not has_trace:
            show_trace(run)
        return outcome(run)

    def __iter__(self) -> Iterator[Any]:
        self._refuse_here("a plain `for`", "use `async for`")
        self._refuse_again()
        return ShownIterator(self._run, self._start_loop)

    def __aiter__(self) -> AsyncIterator[Any]:
        self._refuse_again()
        return AsyncShownIterator(self._run, self._start_async_loop)

    def _start_async_loop(self) -> None:
        self._run.feed = awaited(self._run.feed)
        self._start_loop()

    def _refuse_here(self, what: str, cure: str) -> None:
        if not self._run.is_over and lives_on_this_loop(self._run.feed):
            self._is_refused = True
            if self._is_used:
                self._run.cancel()
            raise UsageError(
                f"{self._run.title} runs on this event loop, which {what} would block; {cure}"
            )

    def _start_loop(self) -> None:
        self._use()
        run = self._run
        if isinstance(run.feed, DrivenFeed):
            run.feed.run_ahead_no_more()  # the loop's body sets the pace
        run.start_loop()
        show_again(run, self._view)
        show_trace(run)

    def _use(self) -> None:
        self._refuse_again()
        self._is_used = True

    def _refuse_again(self) -> None:
        if self._is_used:
            raise UsageError(
                f"{self._run.title} is already shown, and only one loop can read its items; "
                "kk.show(...).reply has them"
            )

    def __repr__(self) -> str:
        return f"<Shown {self._run.title}: {self.reply.status}>"

    def __del__(self) -> None:
        if not self.__dict__.get("_is_used", True):
            ways = "make it the last line of the cell, loop over it, `await` it, or call .wait()"
            never_shown(f"kk.show({self._run.title})", [self._run], ways, warn=not self._is_refused)
