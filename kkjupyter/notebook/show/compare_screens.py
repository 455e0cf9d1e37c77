"""Several runs side by side in one output: the screens of a comparison.

``labextension/src/view/comparison.ts`` draws them.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from kkjupyter.notebook.output.places import place_here
from kkjupyter.notebook.output.screens import (
    PageScreen,
    Screen,
    is_terminal,
    made_view,
    open_held_screen,
)
from kkjupyter.notebook.views import ViewChoice

if TYPE_CHECKING:
    from kkjupyter.notebook.output.columns import ColumnsOutput
    from kkjupyter.notebook.output.live_output import LiveOutput
    from kkjupyter.notebook.run.run import Run

__all__ = ["open_columns"]


def open_columns(
    runs: Mapping[str, Run], choice: ViewChoice, *, in_background: bool = False
) -> None:
    """Show runs side by side in the present cell; in a terminal, one after the other.

    Args:
        runs: the runs, by the names above their columns.
        choice: the view for all of them.
        in_background: whether the cell does not wait for their end.
    """
    if is_terminal():
        for name, run in runs.items():
            run.add_screen(open_held_screen(name, choice))
        return
    columns = _Columns(runs, in_background=in_background)
    screens = {name: columns.screen(name, run, choice) for name, run in runs.items()}
    columns.display()
    # Only now: runs that were cancelled earlier show their static output at once.
    for name, run in runs.items():
        run.add_screen(screens[name])


class _Columns:
    """The columns of one cell; when the last of them has ended, the static output takes over."""

    def __init__(self, runs: Mapping[str, Run], *, in_background: bool) -> None:
        self._runs = runs
        self._key = uuid.uuid4().hex
        self._outputs: dict[str, LiveOutput] = {}
        self._bundles: dict[str, dict[str, Any]] = {}
        self._place = place_here(in_background=in_background)
        self._output: ColumnsOutput | None = None
        # Each column ends on the worker of its own run.
        self._lock = threading.Lock()

    def screen(self, name: str, run: Run, choice: ViewChoice) -> Screen:
        from kkjupyter.notebook.output.live_output import LiveOutput  # not for terminals

        view = made_view(choice)
        view.save_one_of(len(self._runs))
        output = LiveOutput(view=view, run=run, place=self._key)
        self._outputs[name] = output
        return PageScreen(output, view, lambda bundle: self._ended(name, bundle))

    def display(self) -> None:
        from kkjupyter.notebook.output.columns import ColumnsOutput  # not for terminals

        self._output = ColumnsOutput(self._outputs, self._key)
        self._place.begin(self._output)

    def _ended(self, name: str, bundle: dict[str, Any]) -> None:
        with self._lock:
            self._bundles[name] = bundle
            if len(self._bundles) < len(self._runs) or self._output is None:
                return
        statuses = {name: run.status() for name, run in self._runs.items()}
        ordered = {name: self._bundles[name] for name in self._runs}
        self._place.end(self._output.end(ordered, statuses))
