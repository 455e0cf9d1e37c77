"""Where a view appears: a notebook's cell, or a terminal.

Making a :class:`CellScreen` displays it, so that happens on the cell's own thread; everything else
happens on the view thread.
"""

from __future__ import annotations

import contextvars
import logging
import sys
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from IPython import get_ipython
from IPython.display import DisplayHandle

from kkjupyter.notebook.characters import without_controls
from kkjupyter.notebook.status import Status
from kkjupyter.notebook.ticker import ticker
from kkjupyter.notebook.views import View, ViewChoice, make_view
from kkjupyter.notebook.views.bundle import describe
from kkjupyter.notebook.views.foreign import text_of

if TYPE_CHECKING:
    from kkjupyter.notebook.widget import LiveWidget

__all__ = [
    "CellScreen",
    "Screen",
    "Screens",
    "TerminalScreen",
    "WidgetScreen",
    "is_terminal",
    "open_screen",
    "present_execution",
]

_PUSH_INTERVAL_S = 1 / 30

logger = logging.getLogger("kkjupyter")


class Screen(Protocol):
    """What a run tells each place that shows it."""

    def feed(self, items: Sequence[Any], status: Status) -> None:
        """Items came, or (with none) the state changed."""

    def end(self, status: Status) -> None:
        """Nothing more comes; when this returns, the final output is on its way."""


class Screens:
    """The places that show one run. Belongs to the view thread.

    Args:
        title: what the run is called in the log.
    """

    def __init__(self, title: str) -> None:
        self._title = title
        self._screens: list[Screen] = []

    def add(self, screen: Screen) -> None:
        """Have one more."""
        self._screens.append(screen)

    def feed(self, items: Sequence[Any], status: Status) -> None:
        """Tell all that items came, or (with none) that the state changed."""
        self._each(lambda screen: screen.feed(items, status))

    def end(self, status: Status) -> None:
        """Tell all that nothing more comes, and forget them."""
        self._each(lambda screen: screen.end(status))
        self._screens.clear()

    def _each(self, tell: Callable[[Screen], None]) -> None:
        for screen in list(self._screens):
            try:
                tell(screen)
            except Exception:
                # The stream and its other views go on without this one.
                logger.exception("%s: a view failed", self._title)
                self._screens.remove(screen)


def present_execution() -> int | None:
    """The number of the execution this code belongs to; None outside IPython."""
    shell = get_ipython()
    return None if shell is None else int(shell.execution_count)


def is_terminal() -> bool:
    """Whether there is only text to show things with: no kernel, and so no front end."""
    return getattr(get_ipython(), "kernel", None) is None


def open_screen(choice: ViewChoice, status: Status, on_cancel: Callable[[], None]) -> Screen:
    """Show a view where this code runs: in the present cell, or in the terminal.

    Raises:
        UsageError: there is no view of that name.
    """
    if is_terminal():
        return TerminalScreen(make_view(choice, in_terminal=True))
    view = make_view(choice)
    from kkjupyter.notebook.widget import LiveWidget  # ipywidgets: not for terminals

    return CellScreen(LiveWidget(view=view, status=status, on_cancel=on_cancel), view)


class WidgetScreen:
    """A widget that shows one run; what it leaves goes to ``ended``.

    Args:
        widget: what the front end shows while it runs.
        view: formats the items; the widget's own.
        ended: takes the static bundle, in the context of the cell in which this was made.
    """

    def __init__(
        self, widget: LiveWidget, view: View, ended: Callable[[dict[str, Any]], None]
    ) -> None:
        self._view = view
        self._widget = widget
        self._ended = ended
        # What the view thread sends belongs to this cell, too.
        self._context = contextvars.copy_context()
        self._status: Status | None = None
        self._version = view.version
        self._pending: list[str] = []
        self._pushed_at_s = 0.0
        self._flush_is_due = False
        self._is_unsent = False
        self._has_ended = False

    def feed(self, items: Sequence[Any], status: Status) -> None:
        """Format now, send at most 30 times a second."""
        self._status = status
        self._is_unsent = True
        if items:
            self._pending.append(self._view.feed(items))
        wait_s = self._pushed_at_s + _PUSH_INTERVAL_S - time.monotonic()
        if wait_s <= 0:
            self._flush()
        elif not self._flush_is_due:
            self._flush_is_due = True
            ticker().post(self._flush_late, wait_s)

    def end(self, status: Status) -> None:
        """Send the rest, then hand the static form on."""
        self._status = status
        self._pending.append(self._view.finish())
        self._flush()
        self._has_ended = True
        bundle = self._view.bundle(status)
        self._context.run(self._widget.end, status, bundle)
        self._context.run(self._ended, bundle)

    def _flush_late(self) -> None:
        self._flush_is_due = False
        # A busy machine comes here late, when newer items have taken this turn: then wait again.
        if self._is_unsent and self._status is not None:
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
            self._context.run(self._widget.start_anew, self._status)
        else:
            self._context.run(self._widget.push, delta, self._status)


class CellScreen(WidgetScreen):
    """A live view in a cell: a widget where there is a front end for it, a static output at last.

    Args:
        widget: what the front end shows while it runs.
        view: formats the items; the widget's own.
    """

    def __init__(self, widget: LiveWidget, view: View) -> None:
        handle: Any = DisplayHandle()  # type: ignore[no-untyped-call]
        handle.display(widget.display_bundle(), raw=True)
        super().__init__(widget, view, lambda bundle: handle.update(bundle, raw=True))


class TerminalScreen:
    """Values printed as they come, for IPython in a terminal and for plain Python.

    Control sequences are stripped: in remote text they could move the cursor, set titles or worse.

    Args:
        view: formats the items.
    """

    def __init__(self, view: View) -> None:
        self._view = view
        self._at_line_start = True

    def feed(self, items: Sequence[Any], status: Status) -> None:
        """Print what came."""
        bare = [
            item if (text := text_of(item)) is None else without_controls(text, keep_returns=True)
            for item in items
        ]
        self._write(self._view.feed(bare))

    def end(self, status: Status) -> None:
        """Print what was held back, and how it ended."""
        self._write(self._view.finish())
        self._write(f"{'' if self._at_line_start else chr(10)}{_last_line(status)}\n")

    def _write(self, text: str) -> None:
        if text:
            # The views' text is encodable; a terminal's own encoding may still be narrower.
            encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
            sys.stdout.write(text.encode(encoding, "replace").decode(encoding))
            sys.stdout.flush()
            self._at_line_start = text.endswith("\n")


def _last_line(status: Status) -> str:
    glyph, parts = describe(status)
    return without_controls(f"{glyph} {' · '.join([*parts, *status.notes])}")
