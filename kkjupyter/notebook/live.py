"""``kk.show``: anything that streams, live in the cell; and what the magics and the last line use.

::

    begin(source) -> Run      claims the source
    play(run, ...)            shows it and waits for its end, in plain code
    outcome(run)              its value or Reply; raises what it failed with
"""

from __future__ import annotations

import asyncio
import contextlib
import warnings
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from typing import Any

from kkjupyter.errors import UsageError
from kkjupyter.notebook.cells import cells
from kkjupyter.notebook.feeds import open_feed, title_of
from kkjupyter.notebook.localfeeds import AsyncFeed, LocalFeed
from kkjupyter.notebook.loops import GRACE_S, AsyncLoop, PlainLoop, cancel_and_settle
from kkjupyter.notebook.picking import Picker, chunk_texts, picker
from kkjupyter.notebook.registry import registry
from kkjupyter.notebook.reply import Reply
from kkjupyter.notebook.retention import DEFAULT_LIMITS, Limits
from kkjupyter.notebook.runs import Run
from kkjupyter.notebook.screens import open_screen
from kkjupyter.notebook.tracebacks import hide_our_frames
from kkjupyter.notebook.views import AUTO, VIEWS, make_view
from kkjupyter.rpc.call import Call
from kkjupyter.rpc.callstate import next_number
from kkjupyter.rpc.waiting import Bell, wait_async, wait_blocking

__all__ = ["Shown", "begin", "outcome", "play", "show", "show_again"]

# So long a call may take to answer before a view says that it is waited for.
_QUIET_S = 0.2


def show(
    source: Any,
    view: str = AUTO,
    *,
    pick: Callable[[Any], Any] | None = None,
    title: str | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Shown:
    """Show a stream in the cell while it runs, with a Cancel button.

    As the last line of a cell, and with ``await``, it waits for the end and gives a Reply. As
    ``for item in kk.show(...)`` and ``async for``, it shows what the loop is given; leaving the
    loop closes the source at once, and the button ends the loop quietly. It closes what it is
    given: give it your LLM client's own stream, not a generator around that, which would leave
    the connection to the provider open.

    Args:
        source: a call, an iterator (a generator, an LLM client's stream) or an async iterable.
        view: how items are shown: ``"auto"``, ``"text"`` or ``"json"``.
        pick: what of each item is shown (``lambda event: event.text``); nothing where it is None.
            Without it, of a chat completion's chunk the text, of anything else the item. Loops
            and ``reply.items`` have the items as they came.
        title: what stands in the state line; by default the call or the generator's name.
        limits: how much the Reply keeps.

    Raises:
        UsageError: ``source`` is no stream or is read already, or there is no such view.
    """
    from kkjupyter.notebook import install_if_ipython

    install_if_ipython()
    check_view(view)
    if isinstance(source, Shown):
        return source
    if isinstance(source, Call):
        known = registry.get(source.id)
        if known is not None:
            return Shown(known, view, again=True)
    picked = chunk_texts if pick is None else picker(pick)
    return Shown(begin(source, title=title, limits=limits, pick=picked), view)


def check_view(name: str | None) -> None:
    """Raise UsageError unless there is a view of that name."""
    if name is not None and name != AUTO and name not in VIEWS:
        make_view(name)


def begin(
    source: Any, *, title: str | None = None, pick: Picker = chunk_texts, **options: Any
) -> Run:
    """Claim ``source`` for a run of the present cell; ``options`` are those of :class:`Run`.

    Raises:
        UsageError: it does not stream, or something reads it already.
    """
    feed = open_feed(source)
    number = source.id if isinstance(source, Call) else next_number()
    run = Run(number, title or title_of(source), feed, cell=cells.current, pick=pick, **options)
    note = cells.earlier_run_note()
    if note:
        run.notes.append(note)
    return run


def play(
    run: Run, view: str | None = AUTO, *, background: bool = False, shown: bool = False
) -> None:
    """Show a run in the present cell and wait for its end, unless it goes on in the background.

    A reply that comes at once and is no stream needs no view.

    Args:
        run: not started yet.
        view: the view's name.
        background: return at once.
        shown: have a view in any case.

    Raises:
        KeyboardInterrupt: the user interrupted; the source is cancelled.
    """
    if _lives_on_this_loop(run):
        # Waiting here would stop the very loop that drives the source.
        run.notes.append("runs on the kernel's own loop; `await kk.show(...)` waits for its end")
        background = True
    if not background and not shown:
        _await_kind(run)
    if background or shown or run.is_stream or not run.feed.finished:
        run.add_screen(open_screen(view, run.status(), run.press_cancel))
    run.start()
    if not background:
        wait(run)


def wait(run: Run) -> None:
    """Wait in plain code for the end of a run; an interrupt cancels it."""
    try:
        run.wait()
    except KeyboardInterrupt as interrupt:
        cancel_and_settle(run)
        hide_our_frames(interrupt)
        raise


def outcome(run: Run) -> Any:
    """What a run that is over gives: a unary call's value, or a stream's Reply.

    A cancelled one gives its Reply, too: the Cancel button ends a cell quietly.

    Raises:
        BaseException: what the run failed with.
    """
    reply = run.reply
    if reply.status == "failed" and reply.error is not None:
        hide_our_frames(reply.error)
        raise reply.error
    if run.feed.kind == "unary" and reply.status == "done":
        return reply.value
    return reply


def show_again(run: Run, view: str | None = AUTO) -> None:
    """A further view of a running or finished run, with all that came."""
    attached = run.add_screen(open_screen(view, run.status(), run.press_cancel))
    if run.is_over:
        # What a cell sends after its end is lost to those who execute notebooks.
        attached.wait(GRACE_S)


class Shown:
    """A stream that is to be shown; see :func:`show`. It is used once.

    Attributes:
        reply: fills while it runs.
    """

    def __init__(self, run: Run, view: str, *, again: bool = False) -> None:
        self._run = run
        self._view = view
        self._again = again
        self._is_used = again
        self.reply: Reply = run.reply

    def cancel(self) -> None:
        """Cancel the source. Returns at once; idempotent; any thread."""
        self._run.cancel()

    def wait(self) -> Any:
        """Show it and wait in plain code for its end.

        As the last line of a cell; in the middle of one, call this.

        Returns:
            A stream's Reply, or a unary call's value.

        Raises:
            UsageError: it was used already, and is not over.
            BaseException: what the stream failed with.
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

    def __await__(self) -> Generator[Any, None, Any]:
        return self._finished().__await__()

    async def _finished(self) -> Any:
        run = self._run
        if not self._again:
            self._use()
            await _await_kind_async(run)
        if self._again or run.is_stream or not run.feed.finished:
            show_again(run, self._view)
        if not self._again:
            run.start()
        try:
            await wait_async(run.bell, lambda: run.is_over)
        except BaseException:  # CancelledError above all: the cell was interrupted
            run.cancel()
            await wait_async(run.bell, lambda: run.is_over, GRACE_S)
            raise
        return outcome(run)

    def __iter__(self) -> Iterator[Any]:
        if _lives_on_this_loop(self._run):
            raise UsageError(
                f"{self._run.title} runs on this very loop, which a plain `for` would stop; "
                "use `async for`"
            )
        self._start_loop()
        return PlainLoop(self._run)

    def __aiter__(self) -> AsyncIterator[Any]:
        self._start_loop()
        return AsyncLoop(self._run)

    def _start_loop(self) -> None:
        self._use()
        run = self._run
        if isinstance(run.feed, LocalFeed):
            run.feed.ahead_items = 0  # the loop's body sets the pace
        run.start_loop()
        show_again(run, self._view)

    def _use(self) -> None:
        if self._is_used:
            raise UsageError(
                f"{self._run.title} is shown already, and its items go to one loop; "
                "kk.show(...).reply has what came"
            )
        self._is_used = True

    def __repr__(self) -> str:
        return f"<Shown {self._run.title}: {self.reply.status}>"

    def __del__(self) -> None:
        if not self.__dict__.get("_is_used", True):
            self._run.let_go()
            warnings.warn(
                f"kk.show({self._run.title}) was never shown: make it the last line of the cell, "
                "loop over it, `await` it, or call .wait()",
                RuntimeWarning,
                stacklevel=2,
            )


def _lives_on_this_loop(run: Run) -> bool:
    home = run.feed.home if isinstance(run.feed, AsyncFeed) else None
    if home is None:
        return False
    with contextlib.suppress(RuntimeError):
        return asyncio.get_running_loop() is home
    return False


def _await_kind(run: Run) -> None:
    """Wait a moment for the reply, in the hope that no view is needed."""
    bell = Bell()
    run.feed.on_ready(bell.ring)
    try:
        wait_blocking(bell, lambda: _is_answered(run), _QUIET_S)
    except KeyboardInterrupt as interrupt:
        run.cancel()
        hide_our_frames(interrupt)
        raise


async def _await_kind_async(run: Run) -> None:
    bell = Bell()
    run.feed.on_ready(bell.ring)
    try:
        await wait_async(bell, lambda: _is_answered(run), _QUIET_S)
    except BaseException:
        run.cancel()
        raise


def _is_answered(run: Run) -> bool:
    return run.feed.kind is not None or run.feed.finished
