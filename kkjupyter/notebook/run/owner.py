"""Assigns streams to cells: running or deleting a cell first cancels its streams.

Code belongs to the cell that made it run: the cell itself, its tasks and what they call know it
from their context. A thread or a widget's callback does not: it belongs to the cell that contains
its code.
"""

from __future__ import annotations

import contextlib
import contextvars
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from kkjupyter.notebook.output.front_end import request_of
from kkjupyter.notebook.run.cell import Cell
from kkjupyter.notebook.run.registry import registry
from kkjupyter.runtime.waiting import wait_blocking

if TYPE_CHECKING:
    from kkjupyter.notebook.run.run import Run

__all__ = ["Cells", "cells", "wait_for_output"]

_SETTLE_S = 1.0
# How long a cell waits for the last output of its streams: silently, and then with a message.
_QUIET_S = 2.0
_OUTPUT_S = 60.0
# For how many executions it is remembered which cell a function comes from.
_REMEMBERED = 1000

# None after the end of a cell, and in code that no cell has started.
_context_cell: contextvars.ContextVar[Cell | None] = contextvars.ContextVar(
    "kkjupyter_cell", default=None
)


class Cells:
    """Follows a shell from cell to cell. One for each process, because there is one shell."""

    def __init__(self) -> None:
        self.current: Cell | None = None
        """The cell that runs, or ran last."""
        self._shell: Any = None
        self._by_execution: dict[int, Cell] = {}
        self._nested = 0
        self._is_running = False

    def install(self, shell: Any) -> None:
        """Start listening to the shell."""
        shell.events.register("pre_run_cell", self.before_cell)
        shell.events.register("post_run_cell", self.after_cell)
        self._shell = shell

    def uninstall(self, shell: Any) -> None:
        """Stop listening."""
        shell.events.unregister("pre_run_cell", self.before_cell)
        shell.events.unregister("post_run_cell", self.after_cell)
        self.current = None

    def before_cell(self, info: Any) -> None:
        """End the earlier streams of a cell that is about to run, and those of deleted cells."""
        parent = request_of(self._shell)
        header, metadata = _mapping(parent.get("header")), _mapping(parent.get("metadata"))
        if header and self.current is not None and header == self.current.header:
            self._nested += 1  # %%capture, or run_cell() in a cell: still the same cell
            return
        self._nested = 0
        self._is_running = True
        cell_id = metadata.get("cellId") or getattr(info, "cell_id", None)
        deleted = set(metadata.get("deletedCells") or ())
        self.current = Cell(cell_id, info.raw_cell or "", self._shell.execution_count, header)
        _context_cell.set(self.current)
        for run in registry.running():
            owner = run.cell.cell_id if run.cell is not None else None
            if owner is None or run.keep:
                continue
            if owner == cell_id and run.cancel():
                print(f"cancelled {run.title}: it was still streaming from this cell's earlier run")
            elif owner in deleted and run.cancel():
                print(f"cancelled {run.title}: its cell was deleted or cut")

    def after_cell(self, result: Any) -> None:
        """At the end of a cell, wait for the last output of streams that are over.

        What a kernel sends after a cell's end is lost to programs that execute notebooks.
        """
        is_inner = self._nested > 0
        if is_inner:
            self._nested -= 1
        else:  # tasks and callbacks that outlive the cell have copies of its context
            self._is_running = False
            _context_cell.set(None)
            self._remember(getattr(result, "execution_count", None))
        runs = [run for run in registry.unsettled() if run.cell is self.current]
        for run in runs:
            if run.is_closing:
                wait_for_output(run)
        if self.current is not None and not is_inner:
            self.current.over.set()

    def running_header(self) -> Mapping[str, Any] | None:
        """The header of the message that runs the present cell; None if none runs. Any thread."""
        cell = self.current
        return cell.header if self._is_running and cell is not None and cell.header else None

    def present(self) -> Cell | None:
        """The cell that the running code belongs to; None if it is not known."""
        cell = _context_cell.get()
        if cell is not None:
            return cell
        number_of = getattr(getattr(self._shell, "compile", None), "_filename_map", None)
        if not isinstance(number_of, dict):
            return None
        frame = sys._getframe()
        while frame is not None:  # the outermost frame: the others may be helpers from other cells
            cell = self._of_execution(number_of.get(frame.f_code.co_filename)) or cell
            frame = frame.f_back  # type: ignore[assignment]
        return cell

    def _remember(self, number: int | None) -> None:
        if number is not None and self.current is not None:
            self._by_execution[number] = self.current
            if len(self._by_execution) > _REMEMBERED:
                del self._by_execution[next(iter(self._by_execution))]

    def _of_execution(self, number: int | None) -> Cell | None:
        # Whether the shell counts a cell before or after it begins depends on its version, so the
        # number of the one that runs is known at its end.
        if number is None or number in self._by_execution:
            return self._by_execution.get(number or 0)
        return self.current if number > max(self._by_execution, default=0) else None

    @contextlib.contextmanager
    def output(self) -> Iterator[None]:
        """A block in which output goes to the cell that the code belongs to.

        Otherwise a kernel sends a thread's output to the cell that ran last, and that of a widget's
        callback nowhere.
        """
        cell = self.present()
        publisher = getattr(self._shell, "display_pub", None)
        shown_in = _mapping(getattr(publisher, "parent_header", None)).get("msg_id")
        if cell is None or not cell.header or shown_in in (None, cell.header.get("msg_id")):
            yield
            return
        variable = getattr(publisher, "_parent_header", None)
        if isinstance(variable, contextvars.ContextVar):
            token = variable.set(cell.header)
            try:
                yield
            finally:
                variable.reset(token)
        else:  # ipykernel before 7: one for all threads, so only as long as necessary
            before = publisher.parent_header  # type: ignore[union-attr]
            publisher.parent_header = dict(cell.header)  # type: ignore[union-attr]
            try:
                yield
            finally:
                publisher.parent_header = before  # type: ignore[union-attr]

    def earlier_run_note(self) -> str:
        """A note if a stream of this cell may still run, but without a cell id; else ``""``."""
        cell = self.present()
        if cell is None or cell.cell_id is not None:
            return ""
        for run in registry.running():
            if run.cell is not None and run.cell is not cell and run.cell.source == cell.source:
                return f"an earlier run is still streaming; `%rpc cancel {run.number}` ends it"
        return ""


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def wait_for_output(run: Run, is_there: Callable[[], bool] | None = None) -> None:
    """Wait until the last output of ``run`` is sent, for a limited time, and tell the user.

    An interrupt ends the waiting without an exception: the stream itself is over.

    Args:
        run: one that is over, or about to be.
        is_there: another condition for its notifier, in place of that.
    """
    ready = (lambda: run.is_settled) if is_there is None else is_there
    try:
        if run.is_cancelled:  # they want the cell to be free
            wait_blocking(run.notifier, ready, _SETTLE_S)
        elif not wait_blocking(run.notifier, ready, _QUIET_S):
            print(
                f"{run.title} has ended; its output is still being drawn; Interrupt ends the wait"
            )
            if not wait_blocking(run.notifier, ready, _OUTPUT_S):
                print(f"the output of {run.title} will be complete later")
    except KeyboardInterrupt:
        print(f"the output of {run.title} will be complete later")


cells = Cells()
