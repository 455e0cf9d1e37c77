"""Shows a run and waits for it; shared by the magics, the last line and ``kk.show``.

::

    begin(source) -> Run      claims the source
    play(run, ...)            shows it and waits for its end, in plain code
    outcome(run)              its value or Reply; raises its error
"""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from IPython.display import display

from kkjupyter.api.tracing import record_of
from kkjupyter.calls.call import Call
from kkjupyter.calls.state import next_number
from kkjupyter.errors import UsageError
from kkjupyter.notebook.output.screens import is_terminal, open_screen
from kkjupyter.notebook.output.trace_screens import open_trace_screen
from kkjupyter.notebook.retention import DEFAULT_LIMITS, Limits
from kkjupyter.notebook.run.anew import Anew, request_of
from kkjupyter.notebook.run.driving import DrivenFeed
from kkjupyter.notebook.run.extractors import ChunkTexts, Picker, Picking, as_they_are, picker
from kkjupyter.notebook.run.feeds import (
    Feed,
    is_open,
    lives_on_this_loop,
    open_feed,
    open_request,
    title_of,
)
from kkjupyter.notebook.run.owner import cells, wait_for_output
from kkjupyter.notebook.run.registry import registry
from kkjupyter.notebook.run.requests import RequestFeed
from kkjupyter.notebook.run.run import Run
from kkjupyter.notebook.shell.tracebacks import hide_our_frames
from kkjupyter.notebook.show.again import offer_again
from kkjupyter.notebook.show.shown_iterator import cancel_and_settle
from kkjupyter.notebook.views import AUTO, VIEWS, ViewChoice, make_view, shows_answers, shows_text
from kkjupyter.runtime.waiting import Notifier, wait_async, wait_blocking

__all__ = [
    "await_kind",
    "begin",
    "check_view",
    "never_shown",
    "outcome",
    "play",
    "play_on",
    "show_again",
    "show_trace",
    "wait",
]

# How long a call may take to answer before a view shows that it is waited for.
_QUIET_S = 0.2


def check_view(choice: ViewChoice) -> None:
    """Raise UsageError if the view does not exist."""
    if isinstance(choice, str) and choice != AUTO and choice not in VIEWS:
        make_view(choice)


def begin(
    source: Any,
    view: ViewChoice = AUTO,
    *,
    title: str | None = None,
    pick: Callable[[Any], Any] | None = None,
    **options: Any,
) -> Run:
    """Claim ``source`` for a run of the current cell.

    Args:
        source: a call, an iterator, an async iterable or a collection, or a function that makes
            one; see :func:`open_feed`.
        view: the view that will show it; a text view shows the text of an LLM client's chunk.
        title: its text in the state line; by default the call or the generator's name.
        pick: which part of each item is shown, in any view.
        options: as for :class:`Run`.

    Raises:
        UsageError: it does not stream, or is already read; or an option is not valid.
    """
    limits = options.get("limits", DEFAULT_LIMITS)
    if not isinstance(limits, Limits):
        raise UsageError(
            f"limits must be Limits(items=..., size_bytes=...), not {limits!r:.60}; "
            "import it from kkjupyter.notebook.retention"
        )
    picked = picker(pick) if pick is not None else _picked_by(view)
    request = request_of(source)
    feed = open_feed(source)
    number = source.id if isinstance(source, Call) else next_number()
    shown_title = title or title_of(source)
    run = _run_of(feed, number, shown_title, view, picked, options)
    run.reply.was_open = is_open(source)
    note = cells.earlier_run_note()
    if note:
        run.notes.append(note)
    record = record_of(source) if isinstance(source, Call) else None
    run.record = record if record is not None and record.keeps_payloads else None
    if request is not None:
        ask, held_bytes = request
        loop = feed.loop if isinstance(feed, RequestFeed) else None

        def anew() -> Run:
            feed = open_request(ask, shown_title, loop)
            picked = picker(pick) if pick is not None else _picked_by(view)
            # A value would otherwise appear nowhere: the cell is over.
            shown = {**options, "shows_value": True}
            return _run_of(feed, next_number(), shown_title, view, picked, shown)

        run.anew = Anew(anew, held_bytes, run.reply)
    return run


def _picked_by(view: ViewChoice) -> Picker:
    return ChunkTexts(in_full=shows_answers(view)) if shows_text(view) else as_they_are


def _run_of(
    feed: Feed,
    number: int,
    title: str,
    view: ViewChoice,
    picked: Picker,
    options: Mapping[str, Any],
) -> Run:
    run = Run(number, title, feed, registry, cell=cells.present(), pick=picked, **options)
    run.reply.is_text = view not in (None, AUTO) and shows_text(view)
    if isinstance(picked, Picking):
        picked.notes = run.notes
    if isinstance(feed, DrivenFeed):
        feed.add_notes_to(run.notes)
    if isinstance(feed, RequestFeed):
        feed.on_handed_over = run.notifier.notify
    return run


def play(
    run: Run, view: ViewChoice = AUTO, *, background: bool = False, shown: bool = False
) -> None:
    """Show a run in the current cell and wait for its end, unless it runs in the background.

    A unary reply that comes at once needs no view.

    Args:
        run: one that is not started yet.
        view: its name, or a function or class that makes it.
        background: whether to return at once.
        shown: whether to show a view in any case.

    Raises:
        KeyboardInterrupt: the user interrupted; the source is cancelled.
    """
    if lives_on_this_loop(run.feed):
        _goes_on(run)
        background = True
    if not background and not shown and not _is_answered(run):
        _await_kind(run)
    feed = run.feed  # the run drops it at its end, which another thread may cause
    local = feed if isinstance(feed, DrivenFeed) and not background and feed.stay() else None
    has_view = background or shown or run.is_stream or not run.feed.finished
    if has_view:
        _open(run, view, in_background=background)
        show_trace(run, in_background=background)
    run.start()
    if local is not None:
        _drive(run, local)
    if not background:
        wait(run)
        if not run.is_over:  # it turned out to need this loop
            _goes_on(run)
    if not has_view:
        show_trace(run)


def play_on(run: Run, view: ViewChoice = AUTO) -> Any:
    """Show a run in the current cell and return; it goes on after the cell.

    A unary reply that comes at once needs no view.

    Returns:
        Such a reply's value; None if there is a view.

    Raises:
        BaseException: such a call has failed.
    """
    if not _is_answered(run):
        _await_kind(run)
    if run.feed.finished and not run.is_stream:
        play(run, view)
        return outcome(run)
    play(run, view, background=True)
    return None


def show_trace(run: Run, *, in_background: bool = False) -> None:
    """Draw the frames of a run below its view if they are kept; live if it has not ended."""
    record = run.record
    if record is None:
        return
    if run.is_over:
        trace = record.trace()
        print(trace) if is_terminal() else display(trace)  # type: ignore[no-untyped-call]
    else:
        with cells.output():
            run.add_screen(open_trace_screen(record, run, in_background=in_background))


def _goes_on(run: Run) -> None:
    """Say of what needs the very loop that waiting here would stop that it ends after the cell."""
    run.notes.append("runs on the kernel's own loop; `await kk.show(...)` waits for its end")


def wait(run: Run) -> None:
    """Wait in plain code for the end of a run; an interrupt cancels it.

    Of what a function gave it may turn out that it needs the very loop that waiting here stops.
    Then this returns, though the run is not over.
    """
    try:
        wait_blocking(run.notifier, lambda: run.is_over or lives_on_this_loop(run.feed))
    except (KeyboardInterrupt, asyncio.CancelledError) as interrupt:
        cancel_and_settle(run)
        hide_our_frames(interrupt)
        raise


def _open(run: Run, view: ViewChoice, *, in_background: bool = False) -> threading.Event:
    with cells.output():
        screen = open_screen(view, run, in_background=in_background)
        offer_again(screen, run, view)
        return run.add_screen(screen)


def _drive(run: Run, feed: DrivenFeed) -> None:
    """Advance the source in this thread, until it is over."""
    try:
        feed.drive()
    except KeyboardInterrupt as interrupt:
        cancel_and_settle(run)
        hide_our_frames(interrupt)
        raise


def outcome(run: Run) -> Any:
    """The result of a run that is over: a unary call's value, or a stream's Reply.

    A cancelled run also gives its Reply: the Cancel button ends a cell without an error.

    Raises:
        BaseException: the error of the run.
    """
    reply = run.reply
    if reply.status == "failed" and reply.error is not None:
        hide_our_frames(reply.error)
        raise reply.error
    if run.feed.kind == "unary" and reply.status == "done":
        return reply.value
    return reply


def show_again(run: Run, view: ViewChoice = AUTO) -> None:
    """Show one more view of a running or finished run, with all its items."""
    attached = _open(run, view)
    if run.is_over:
        # What a cell sends after its end is lost to programs that execute notebooks.
        wait_for_output(run, attached.is_set)


def never_shown(what: str, runs: Iterable[Run], ways: str, *, warn: bool = True) -> None:
    """Drop runs whose owner was collected before it showed them, and warn. For finalizers.

    Args:
        what: the owner, as the user wrote it.
        runs: its runs.
        ways: how to show it.
        warn: False if the user was already told.
    """
    left = [run for run in runs if not run.is_ending]
    for run in left:
        run.let_go()
    if left and warn:
        warnings.warn(f"{what} was never shown: {ways}", RuntimeWarning, stacklevel=3)


def _await_kind(run: Run) -> None:
    """Wait a moment for the reply, in the hope that no view is needed."""
    notifier = Notifier()
    run.feed.on_ready(notifier.notify)
    try:
        wait_blocking(notifier, lambda: _is_answered(run), _QUIET_S)
    except (KeyboardInterrupt, asyncio.CancelledError) as interrupt:
        run.cancel()
        hide_our_frames(interrupt)
        raise


async def await_kind(run: Run) -> None:
    """Like the beginning of :func:`play`: wait briefly for the reply: perhaps no view is needed."""
    if _is_answered(run):
        return
    notifier = Notifier()
    run.feed.on_ready(notifier.notify)
    try:
        await wait_async(notifier, lambda: _is_answered(run), _QUIET_S)
    except BaseException as error:
        run.cancel()
        hide_our_frames(error)
        raise


def _is_answered(run: Run) -> bool:
    feed = run.feed
    # A request is made when its view is there, by whoever is to make it.
    return feed.kind is not None or feed.finished or isinstance(feed, RequestFeed)
