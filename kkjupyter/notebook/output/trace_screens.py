"""The screens for the diagram of a running call: below its view, or at the end in a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from kkjupyter.notebook.output.fallback import FallbackView
from kkjupyter.notebook.output.page_views import ViewedRun
from kkjupyter.notebook.output.screens import CellScreen, Screen, is_terminal
from kkjupyter.notebook.run_status import Status
from kkjupyter.notebook.views.trace.view import TraceView
from kkjupyter.traces.record import CallRecord

__all__ = ["open_trace_screen"]


def open_trace_screen(record: CallRecord, run: ViewedRun, *, in_background: bool = False) -> Screen:
    """Show the frames of a call where this code runs.

    Args:
        record: what is known of the frames.
        run: the run of the call.
        in_background: whether the cell does not wait for its end.
    """
    view = TraceView(record)
    if is_terminal():
        return _TerminalTrace(view, record)
    from kkjupyter.notebook.output.live_output import LiveOutput  # not for terminals
    from kkjupyter.notebook.output.places import place_here

    shown = FallbackView(view)
    place = place_here(in_background=in_background)
    return _CellTrace(LiveOutput(view=shown, run=run), shown, place)


class _CellTrace(CellScreen):
    def feed(self, items: Sequence[Any], status: Status) -> None:
        # Frames also come without items; the items do not matter here.
        super().feed((None,), status)


class _TerminalTrace:
    def __init__(self, view: TraceView, record: CallRecord) -> None:
        self._view = view
        self._record = record

    def feed(self, items: Sequence[Any], status: Status) -> None:
        """Does nothing: a terminal cannot be redrawn."""

    def end(self, status: Status) -> None:
        self._view.finish()  # waits for what belongs to the end
        print(self._record.trace())
