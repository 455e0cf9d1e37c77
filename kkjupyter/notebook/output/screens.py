"""The screens on which a view appears: a notebook's cell, or a terminal.

Making a :class:`CellScreen` displays it, so that happens on the cell's own thread; everything else
happens on the worker of its run.
"""

from __future__ import annotations

import contextvars
import logging
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from IPython import get_ipython

from kkjupyter.errors import UsageError
from kkjupyter.notebook.output.fallback import FallbackView, ViewOwner
from kkjupyter.notebook.output.front_end import FrontEnd, front_end
from kkjupyter.notebook.output.gc_pause import without_full_collections
from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.views import View, ViewChoice, make_view
from kkjupyter.notebook.views.foreign import text_of
from kkjupyter.notebook.views.pieces import Piece
from kkjupyter.notebook.views.saved_form import describe
from kkjupyter.plaintext import plain, without_controls
from kkjupyter.runtime.ticker import ticker

if TYPE_CHECKING:
    from kkjupyter.notebook.output.live_output import LiveOutput
    from kkjupyter.notebook.output.page_views import ViewedRun
    from kkjupyter.notebook.output.places import Place
    from kkjupyter.runtime.ticker import Job

__all__ = [
    "CellScreen",
    "DrawnScreen",
    "PageScreen",
    "Screen",
    "ScreenOwner",
    "Screens",
    "TerminalScreen",
    "is_terminal",
    "made_view",
    "open_held_screen",
    "open_screen",
    "present_execution",
]

_PUSH_INTERVAL_S = 1 / 30

logger = logging.getLogger("kkjupyter")


class Screen(Protocol):
    """The interface by which a run reports to each place that shows it."""

    def feed(self, items: Sequence[Any], status: Status) -> None:
        """Take new items; without items, only the state changed."""

    def end(self, status: Status) -> None:
        """End it; when this returns, the final output is on its way."""


class ScreenOwner(ViewOwner, Protocol):
    """The part of a run that a screen uses."""

    def post_later(self, job: Job, delay_s: float) -> object:
        """Call ``job()`` on the run's worker later."""


class DrawnScreen:
    """A screen with a view, which is replaced if it fails: see :class:`FallbackView`.

    Args:
        view: formats the items.
        in_terminal: whether shown text cannot be taken back.
    """

    def __init__(self, view: View, *, in_terminal: bool = False) -> None:
        fallback = view if isinstance(view, FallbackView) else None
        self._view = fallback or FallbackView(view, in_terminal=in_terminal)
        self._owner: ScreenOwner | None = None

    def bind(self, owner: ScreenOwner) -> None:
        """Set the run that it shows, before the first items."""
        self._owner = owner
        self._view.bind(owner)

    def feed(self, items: Sequence[Any], status: Status) -> None:
        """Take new items; without items, only the state changed."""
        raise NotImplementedError

    def end(self, status: Status) -> None:
        """Nothing more comes."""
        raise NotImplementedError

    def leave(self, status: Status) -> None:
        """End with what was drawn so far: the view is still busy on another thread.

        Args:
            status: the run at its end.
        """
        raise NotImplementedError

    def _latest(self, status: Status, failures: int) -> Status:
        """``status``, or a newer one if a view has failed since ``failures`` was counted."""
        if self._owner is None or self._view.failures == failures:
            return status
        return self._owner.status()


class Screens:
    """The places that show one run. Belongs to the run's worker.

    Args:
        title: the name of the run in the log.
        failed: called with the error of a screen that raises, which is then dropped.
    """

    def __init__(
        self, title: str, failed: Callable[[BaseException], None] = lambda error: None
    ) -> None:
        self._title = title
        self._failed = failed
        self._screens: list[Screen] = []

    def add(self, screen: Screen) -> None:
        """Add a screen."""
        self._screens.append(screen)

    def feed(self, items: Sequence[Any], status: Status) -> None:
        """Pass new items to all; without items, only the state changed."""
        self._each(lambda screen: screen.feed(items, status))

    def end(self, status: Status) -> None:
        """End all screens and drop them."""
        self._each(lambda screen: screen.end(status))
        self._screens.clear()

    def leave(self, status: Status) -> None:
        """End all with what was drawn so far, while the worker is stuck in one of them."""
        self._each(lambda screen: _leave(screen, status))
        self._screens.clear()

    def _each(self, tell: Callable[[Screen], None]) -> None:
        for screen in list(self._screens):
            try:
                tell(screen)
            except Exception as error:
                # The stream and its other views go on without this one.
                logger.exception("%s: a view failed", self._title)
                if screen in self._screens:
                    self._screens.remove(screen)
                self._failed(error)


def _leave(screen: Screen, status: Status) -> None:
    if isinstance(screen, DrawnScreen):
        screen.leave(status)


def present_execution() -> int | None:
    """The number of the execution that this code belongs to; None outside IPython."""
    shell = get_ipython()
    return None if shell is None else int(shell.execution_count)


def is_terminal() -> bool:
    """Whether only text can be shown: in a terminal, or in a console that has a kernel."""
    return front_end() in (FrontEnd.TERMINAL, FrontEnd.CONSOLE)


def open_screen(choice: ViewChoice, run: ViewedRun, *, in_background: bool = False) -> DrawnScreen:
    """Show a view where this code runs: in the present cell, or in the terminal.

    Args:
        choice: the view.
        run: what it shows.
        in_background: whether the cell does not wait for the end of the run.

    Raises:
        UsageError: there is no view of that name.
    """
    if is_terminal():
        view = made_view(choice, in_terminal=True)
        return TerminalScreen(view, in_background=in_background)
    view = made_view(choice)
    from kkjupyter.notebook.output.live_output import LiveOutput  # not for terminals
    from kkjupyter.notebook.output.places import place_here

    place = place_here(in_background=in_background)
    return CellScreen(LiveOutput(view=view, run=run), view, place)


def made_view(choice: ViewChoice, *, in_terminal: bool = False) -> FallbackView:
    """Make a view that is replaced by another if it fails, even when it is made.

    Raises:
        UsageError: there is no view of that name.
    """
    try:
        view = make_view(choice, in_terminal=in_terminal)
    except UsageError:
        raise
    except Exception as error:  # noqa: BLE001 - the user's class; the view says it
        return FallbackView.unmade(choice, error, in_terminal=in_terminal)
    return FallbackView(view, in_terminal=in_terminal)


class PageScreen(DrawnScreen):
    """An output that shows one run on pages; its static bundle goes to ``ended``.

    Args:
        output: tells the pages.
        view: formats the items; the output's own.
        ended: takes the static bundle, in the context of the cell in which this was made.
    """

    def __init__(
        self, output: LiveOutput, view: View, ended: Callable[[dict[str, Any]], None]
    ) -> None:
        super().__init__(view)
        self._output = output
        self._ended = ended
        # Messages from any thread belong to this cell, too.
        self._context = contextvars.copy_context()
        self._status: Status | None = None
        self._version = self._view.version
        self._pending: list[str] = []
        self._pushed_at_s = 0.0
        self._flush_is_due = False
        self._is_unsent = False
        self._has_ended = False
        # Held while something is sent, never while a view works, which may be left in the meantime.
        self._sending = threading.Lock()

    def feed(self, items: Sequence[Any], status: Status) -> None:
        """Format now, send at most 30 times a second."""
        failures = self._view.failures
        if items:
            source = self._view.feed(items)
        else:
            source = self._view.catch_up() if self._view.is_behind else ""
        with self._sending:
            if self._has_ended:
                return
            self._status = self._latest(status, failures)
            self._is_unsent = True
            self._pending.append(source)
            wait_s = self._pushed_at_s + _PUSH_INTERVAL_S - time.monotonic()
            if wait_s <= 0:
                self._flush()
                wait_s = _PUSH_INTERVAL_S
            if (self._is_unsent or self._view.is_behind) and not self._flush_is_due:
                self._flush_is_due = True
                later = ticker().post if self._owner is None else self._owner.post_later
                later(self._flush_late, wait_s)

    def end(self, status: Status) -> None:
        """Send the rest, then hand the static form on."""
        failures = self._view.failures
        source = self._view.finish()
        with self._sending:
            if self._has_ended:
                return
            self._status = self._latest(status, failures)
            self._pending.append(source)
            self._flush()
        with without_full_collections():
            bundle = self._view.bundle(self._status)
        self._finish(self._latest(status, failures), bundle)

    def leave(self, status: Status) -> None:
        with without_full_collections():
            bundle = self._view.bundle_as_it_is(status)
        self._finish(status, bundle)

    def _finish(self, status: Status, bundle: dict[str, Any]) -> None:
        with self._sending:
            if self._has_ended:
                return
            self._status = status
            if self._version != self._view.version:  # its view has just failed
                self._flush()
            self._has_ended = True
            try:
                bundle = self._context.run(self._output.end, status, bundle)
            except Exception:
                logger.exception("the end could not be sent to the page")
            self._context.run(self._ended, bundle)

    def _flush_late(self) -> None:
        self._flush_is_due = False
        # On a busy machine newer items may have used this turn already: then wait again.
        if (self._is_unsent or self._view.is_behind) and self._status is not None:
            self.feed((), self._status)

    def _flush(self) -> None:
        if self._has_ended or self._status is None:
            return
        delta = "".join(self._pending)
        self._pending.clear()
        self._is_unsent = False
        self._pushed_at_s = time.monotonic()
        if self._version != self._view.version:
            self._version = self._view.version
            self._send(self._output.start_anew, self._status)
        else:
            self._send(self._output.push, delta, self._status)

    def _send(self, send: Callable[..., None], *what: Any) -> None:
        try:
            self._context.run(send, *what)
        except Exception:
            # The page asks for missing text, and the saved output is sent separately.
            logger.exception("a message to the page could not be sent")


class CellScreen(PageScreen):
    """A live view in a cell: one output, which at the end gets its static form.

    Args:
        output: tells the pages.
        view: formats the items; the output's own.
        place: where it appears.

    Attributes:
        output: see above.
        place: likewise.
    """

    def __init__(self, output: LiveOutput, view: View, place: Place) -> None:
        place.begin(output)
        super().__init__(output, view, self._end_place)
        self.output = output
        self.place = place

    def _end_place(self, bundle: dict[str, Any]) -> None:
        self.place.end(bundle)
        self.output.answers.in_place()


class TerminalScreen(DrawnScreen):
    """Prints values as they arrive, for IPython in a terminal and for plain Python.

    Control sequences are stripped: in remote text they could move the cursor, set titles or worse.

    Args:
        view: formats the items.
        in_background: whether the prompt comes back meanwhile. Then only whole lines are printed,
            which appear above the prompt; the start of a line would get into it.
    """

    def __init__(self, view: View, *, in_background: bool = False) -> None:
        super().__init__(view, in_terminal=True)
        self._in_background = in_background
        self._held = ""
        self._at_line_start = True
        self._has_ended = False

    def feed(self, items: Sequence[Any], status: Status) -> None:
        """Print new items."""
        failures = self._view.failures
        text = self._view.feed(list(map(_bare, items)))
        if self._view.failures != failures and not self._at_line_start:
            text = f"\n{text}"
        self._write(text)

    def end(self, status: Status) -> None:
        """Print the rest that was held back, and how the run ended."""
        failures = self._view.failures
        self._write(self._view.finish())
        self._end(self._latest(status, failures))

    def leave(self, status: Status) -> None:
        self._end(status)

    def _end(self, status: Status) -> None:
        line = _last_line(status, named=self._in_background)
        self._write(f"{'' if self._at_line_start else chr(10)}{line}\n")
        self._has_ended = True

    def _write(self, text: str) -> None:
        if not text or self._has_ended:
            return
        self._at_line_start = text.endswith("\n")
        if self._in_background:
            lines, end, rest = (self._held + text).rpartition("\n")
            self._held = rest
            text = lines + end
        if text:
            self._print(text)

    def _print(self, text: str) -> None:
        # The views' text is encodable, but a terminal's own encoding may be narrower.
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        # At a prompt, IPython has put something in the place of stdout that prints above it.
        sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
        sys.stdout.flush()


class HeldTerminalScreen(TerminalScreen):
    """Prints a stream when it has ended, for several of them at once: they cannot share a line.

    Args:
        name: printed above the stream.
        view: formats the items.
    """

    def __init__(self, name: str, view: View) -> None:
        super().__init__(view)
        self._items: list[Any] = []
        self._pieces = [f"── {name}\n"]
        self._is_drawn = False

    def feed(self, items: Sequence[Any], status: Status) -> None:
        """Keep new items."""
        self._items.extend(items)

    def end(self, status: Status) -> None:
        """Print all."""
        failures = self._view.failures
        self._draw(status)
        super().end(self._latest(status, failures))
        self._print_all()

    def leave(self, status: Status) -> None:
        if not self._is_drawn:
            self._draw(status)
        super().leave(status)
        self._print_all()

    def _draw(self, status: Status) -> None:
        self._is_drawn = True
        super().feed(self._items, status)

    def _print(self, text: str) -> None:
        self._pieces.append(text)

    def _print_all(self) -> None:
        # At once: the others print on their own threads.
        text, self._pieces = "".join(self._pieces), []
        super()._print(text)


def open_held_screen(name: str, choice: ViewChoice) -> DrawnScreen:
    """One of several streams in a terminal.

    Raises:
        UsageError: there is no view of that name.
    """
    return HeldTerminalScreen(name, made_view(choice, in_terminal=True))


def _bare(item: Any) -> Any:
    text = text_of(item)
    if text is None:
        return item
    text = without_controls(text, keep_returns=True)
    return item.with_text(text) if type(item) is Piece else text


def _last_line(status: Status, *, named: bool) -> str:
    """The state line; with the name of the run where other things may stand above it."""
    glyph, parts = describe(status)
    return plain(
        f"{glyph} {' · '.join([*([status.title] if named else []), *parts, *status.notes])}"
    )
