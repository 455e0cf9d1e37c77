"""Live views in marimo: where they appear, and how their messages get to the page.

marimo shows anywidgets. It sends messages of a widget only from threads that it knows, which are
those of ``marimo.Thread``; what any other thread sends is dropped.
"""

from __future__ import annotations

import contextvars
import queue
from collections.abc import Callable
from typing import Any, Protocol

import marimo

__all__ = ["CarriedWidget", "MarimoPlace", "displayed"]

_LOOK_S = 0.25

_wanted: contextvars.ContextVar[list[Any] | None] = contextvars.ContextVar(
    "kkjupyter_marimo_wanted", default=None
)


class Cancellable(Protocol):
    """An output whose run ends with its cell."""

    def cancel(self) -> bool: ...


class SendingWidget(Protocol):
    """A widget, as far as its messages go."""

    def send(self, content: dict[str, Any]) -> object: ...
    def send_state(self, key: str) -> object: ...
    def close(self) -> None: ...
    def reference(self) -> dict[str, Any]: ...


class WithWidget(Protocol):
    """An output, as far as it appears."""

    @property
    def widget(self) -> object: ...


class CarriedWidget:
    """A widget whose messages are sent from a thread that marimo knows.

    When its cell is run again or deleted, the run is cancelled. At the end the model gets all the
    text, because marimo answers a page that is loaded later, or exported, from the model alone.

    Args:
        widget: sends the messages.
        output: what it shows.
    """

    def __init__(self, widget: SendingWidget, output: Cancellable) -> None:
        self.widget = widget
        self._output = output
        self._inbox: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        marimo.Thread(target=self._carry, name="kkjupyter-marimo", daemon=True).start()

    def send(self, content: dict[str, Any]) -> None:
        """Send a message. Returns at once; any thread."""
        self._inbox.put(content)

    def close(self) -> None:
        """Close it for all pages."""
        self.widget.close()

    def reference(self) -> dict[str, Any]:
        """As of the widget."""
        return self.widget.reference()

    def _carry(self) -> None:
        thread = marimo.current_thread()
        is_cancelled = False
        while True:
            try:
                content = self._inbox.get(timeout=_LOOK_S)
            except queue.Empty:
                content = None
            if thread.should_exit and not is_cancelled:
                is_cancelled = True
                self._output.cancel()
            if content is not None:
                self.widget.send(content)
                if content.get("kind") == "end":
                    self.widget.send_state("snapshot")
                    return


class MarimoPlace:
    """The output of a cell of marimo, or what the last line of a cell is displayed as."""

    def begin(self, output: WithWidget) -> None:
        """Show it, on the thread of the cell."""
        widget = output.widget
        if isinstance(widget, CarriedWidget):
            widget = widget.widget
        wanted = _wanted.get()
        if wanted is None:
            marimo.output.append(widget)
        else:
            wanted.append(widget)

    def end(self, bundle: dict[str, Any]) -> None:
        """The widget stays."""


def displayed(show: Callable[[], object]) -> Any:
    """What to display for ``show()``, if that shows outputs here.

    Args:
        show: does it; the outputs do not appear by themselves.

    Returns:
        What marimo displays: a widget, or several in a column; what ``show()`` returns if it shows
        none.
    """
    wanted: list[Any] = []
    token = _wanted.set(wanted)
    try:
        value = show()
    finally:
        _wanted.reset(token)
    if not wanted:
        return value
    return wanted[0] if len(wanted) == 1 else marimo.vstack(wanted)
