"""Which stream belongs to which cell: running or deleting a cell first cancels its streams."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kkjupyter.notebook.registry import registry

__all__ = ["Cell", "Cells", "cells"]

_SETTLE_S = 1.0


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
        """A cell is at its end: streams that it has left get their last output into it."""
        deadline_s = time.monotonic() + _SETTLE_S
        for run in registry.running():
            if run.cell is self.current and (run.is_ending or run.is_left):
                run.wait(deadline_s - time.monotonic())

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


cells = Cells()
