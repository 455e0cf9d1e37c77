"""Several runs side by side in one output: the screens of a comparison.

``labextension/src/widget/comparison.ts`` draws them while they run.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import anywidget
import traitlets
from IPython.display import DisplayHandle

from kkjupyter.notebook.output.ended import StaticOutput, ended_widgets
from kkjupyter.notebook.output.screens import (
    Screen,
    WidgetScreen,
    made_view,
)
from kkjupyter.notebook.output.widget import (
    LiveWidget,
    close_layout,
    prefer_subshells,
    widget_reference,
)
from kkjupyter.notebook.views import ViewChoice
from kkjupyter.notebook.views.comparison_table import columns_bundle

if TYPE_CHECKING:
    from kkjupyter.notebook.run.run import Run

__all__ = ["open_columns"]


def open_columns(runs: Mapping[str, Run], choice: ViewChoice) -> None:
    """Show runs side by side in the present cell.

    Args:
        runs: the runs, by the names above their columns.
        choice: the view for all of them.
    """
    columns = _Columns(runs)
    screens = {name: columns.screen(name, run, choice) for name, run in runs.items()}
    columns.display()
    # Only now: runs that were cancelled earlier show their static output at once.
    for name, run in runs.items():
        run.add_screen(screens[name])


class ColumnsWidget(anywidget.AnyWidget):
    """The widget that holds the columns' widgets; it sends only the static bundle, if asked.

    Args:
        widgets: the columns, by name.
        key: its id.
    """

    _esm = LiveWidget._esm

    key = traitlets.Unicode().tag(sync=True)
    columns: traitlets.List[Any] = traitlets.List().tag(sync=True)

    def __init__(self, widgets: Mapping[str, LiveWidget], key: str) -> None:
        self._widgets = list(widgets.values())
        self._static = StaticOutput()
        columns = [{"name": name, "key": widget.key} for name, widget in widgets.items()]
        super().__init__(key=key, model_id=key, columns=columns)
        prefer_subshells(self.comm)
        self.on_msg(self._answer)

    def end(self, bundle: dict[str, Any]) -> None:
        """All columns have ended; a page that missed this may ask for their static output."""
        self._static.put(bundle, self.send)
        ended_widgets.keep(self)

    @property
    def held_bytes(self) -> int:
        """How much is kept for a page that may ask for it, of the columns, too."""
        return self._static.size_bytes + sum(widget.held_bytes for widget in self._widgets)

    def forget(self) -> None:
        """Keep it no more."""
        self._static.forget()
        for widget in self._widgets:
            widget.forget()

    def close(self) -> None:
        """Close it, with the columns, for all pages."""
        for widget in self._widgets:
            widget.close()
        close_layout(self)
        super().close()

    def _answer(self, widget: object, content: dict[str, Any], buffers: object) -> None:
        match content:
            case {"kind": "bundle"}:
                self._static.ask(self.send)
            case {"kind": "saved"}:
                ended_widgets.saved(self)


class _Columns:
    """The columns of one cell; when the last of them has ended, the static output takes over."""

    def __init__(self, runs: Mapping[str, Run]) -> None:
        self._runs = runs
        self._key = uuid.uuid4().hex
        self._widgets: dict[str, LiveWidget] = {}
        self._bundles: dict[str, dict[str, Any]] = {}
        self._handle: Any = DisplayHandle()  # type: ignore[no-untyped-call]
        self._widget: ColumnsWidget | None = None
        # Each column ends on the worker of its own run.
        self._lock = threading.Lock()

    def screen(self, name: str, run: Run, choice: ViewChoice) -> Screen:
        view = made_view(choice)
        view.save_one_of(len(self._runs))
        widget = LiveWidget(view=view, run=run, place=self._key)
        self._widgets[name] = widget
        return WidgetScreen(widget, view, lambda bundle: self._ended(name, bundle))

    def display(self) -> None:
        self._widget = ColumnsWidget(self._widgets, self._key)
        waiting = {"text/plain": "[not finished when saved]"}
        self._handle.display({**waiting, **widget_reference(self._key)}, raw=True)

    def _ended(self, name: str, bundle: dict[str, Any]) -> None:
        with self._lock:
            self._bundles[name] = bundle
            if len(self._bundles) < len(self._runs) or self._widget is None:
                return
        statuses = {name: run.status() for name, run in self._runs.items()}
        ordered = {name: self._bundles[name] for name in self._runs}
        bundle = columns_bundle(ordered, statuses)
        self._handle.update(bundle, raw=True)
        self._widget.end(bundle)
