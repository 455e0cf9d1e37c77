"""Which stream belongs to which cell: running or deleting a cell first cancels its streams."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kkjupyter.notebook.registry import registry
from kkjupyter.rpc.waiting import wait_blocking

if TYPE_CHECKING:
    from kkjupyter.notebook.runs import Run

__all__ = ["Cell", "Cells", "cells", "wait_for_output"]

_SETTLE_S = 1.0
# So long a cell waits for the last output of its streams: without a word, and after that.
_QUIET_S = 2.0
_OUTPUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Cell:
    """One execution of a cell.

    Attributes:
        cell_id: the notebook's id for the cell; None where the front end does not say.
        source: its code.
        execution_count: which execution this is.
    """

    cell_id: str | None
    source: str
    execution_count: int


class Cells:
    """Follows a shell from cell to cell. One for each process, as there is one shell."""

    def __init__(self) -> None:
        self.current: Cell | None = None
        """The cell that runs, or ran last."""

    def install(self, shell: Any) -> None:
        """Listen to the shell."""
        shell.events.register("pre_run_cell", self.before_cell)
        shell.events.register("post_run_cell", self.after_cell)
        self._shell = shell

    def uninstall(self, shell: Any) -> None:
        """Listen no more."""
        shell.events.unregister("pre_run_cell", self.before_cell)
        shell.events.unregister("post_run_cell", self.after_cell)
        self.current = None

    def before_cell(self, info: Any) -> None:
        """A cell is about to run: its earlier streams end, and those of deleted cells."""
        metadata = _request_metadata(self._shell)
        cell_id = metadata.get("cellId") or getattr(info, "cell_id", None)
        deleted = set(metadata.get("deletedCells") or ())
        self.current = Cell(cell_id, info.raw_cell or "", self._shell.execution_count)
        for run in registry.running():
            owner = run.cell.cell_id if run.cell is not None else None
            if owner is None or run.keep:
                continue
            if owner == cell_id and run.cancel():
                print(f"cancelled {run.title}: it was still streaming from this cell's earlier run")
            elif owner in deleted and run.cancel():
                print(f"cancelled {run.title}: its cell was deleted or cut")

    def after_cell(self, result: Any) -> None:
        """A cell is at its end: streams that are over get their last output into it.

        What a kernel sends after a cell's end is lost to those who execute notebooks.
        """
        runs = [run for run in registry.unsettled() if run.cell is self.current]
        for run in runs:
            if run.is_closing:
                wait_for_output(run)

    def earlier_run_note(self) -> str:
        """What to say where no cell id tells that this cell streams already; else ``""``."""
        cell = self.current
        if cell is None or cell.cell_id is not None:
            return ""
        for run in registry.running():
            if run.cell is not None and run.cell is not cell and run.cell.source == cell.source:
                return f"an earlier run is still streaming; `%rpc cancel {run.number}` ends it"
        return ""


def _request_metadata(shell: Any) -> Mapping[str, Any]:
    """The metadata of the request that runs the present cell; empty outside a kernel."""
    kernel = getattr(shell, "kernel", None)
    if kernel is None:
        return {}
    parent = kernel.get_parent("shell") or {}
    metadata = parent.get("metadata")
    return metadata if isinstance(metadata, Mapping) else {}


def wait_for_output(run: Run, is_there: Callable[[], bool] | None = None) -> None:
    """Wait until the last output of ``run`` is sent; not for ever, and the user is told.

    An interrupt ends the waiting, and raises nothing: the stream itself is over.

    Args:
        run: one that is over, or about to be.
        is_there: another condition for its bell, in place of that.
    """
    ready = (lambda: run.is_settled) if is_there is None else is_there
    try:
        if run.is_cancelled:  # they want the cell to be free
            wait_blocking(run.bell, ready, _SETTLE_S)
        elif not wait_blocking(run.bell, ready, _QUIET_S):
            print(f"{run.title} is over, its output is still being drawn; Interrupt ends the wait")
            if not wait_blocking(run.bell, ready, _OUTPUT_S):
                print(f"the output of {run.title} will be complete later")
    except KeyboardInterrupt:
        print(f"the output of {run.title} will be complete later")


cells = Cells()
