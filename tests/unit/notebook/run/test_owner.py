"""Which streams end when a cell runs again or is deleted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kkjupyter.notebook.run import owner as module
from kkjupyter.notebook.run.cell import Cell
from kkjupyter.notebook.run.owner import Cells


class FakeRun:
    def __init__(self, number: int, cell: Cell | None, keep: bool = False) -> None:
        self.number = number
        self.title = f"stream{number}()"
        self.cell = cell
        self.keep = keep
        self.cancelled = False

    def cancel(self) -> bool:
        self.cancelled = True
        return True


def enter(cells: Cells, source: str, metadata: dict[str, Any], cell_id: str | None = None) -> None:
    kernel = SimpleNamespace(get_parent=lambda channel: {"metadata": metadata})
    cells._shell = SimpleNamespace(kernel=kernel, execution_count=1)
    cells.before_cell(SimpleNamespace(raw_cell=source, cell_id=cell_id))


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> list[FakeRun]:
    runs: list[FakeRun] = []
    monkeypatch.setattr(module.registry, "running", lambda: runs)
    return runs


def test_rerun_and_deleted_cells(
    running: list[FakeRun], capsys: pytest.CaptureFixture[str]
) -> None:
    cells = Cells()
    running += [
        FakeRun(1, Cell("a", "x", 1)),
        FakeRun(2, Cell("b", "x", 1)),
        FakeRun(3, Cell("c", "x", 1)),
        FakeRun(4, Cell("a", "x", 1), keep=True),
        FakeRun(5, None),
        FakeRun(6, Cell(None, "x", 1)),
    ]
    enter(cells, "x", {"cellId": "a", "deletedCells": ["c"]})
    assert [run.number for run in running if run.cancelled] == [1, 3]
    assert capsys.readouterr().out.splitlines() == [
        "cancelled stream1(): it was still streaming from this cell's earlier run",
        "cancelled stream3(): its cell was deleted or cut",
    ]
    assert cells.earlier_run_note() == ""


def test_without_a_cell_id_only_a_note(running: list[FakeRun]) -> None:
    cells = Cells()
    running += [FakeRun(1, Cell(None, "x", 1)), FakeRun(2, Cell(None, "y", 1))]
    enter(cells, "x", {})
    assert not any(run.cancelled for run in running)
    note = "an earlier run is still streaming; `%rpc cancel 1` ends it"
    assert cells.earlier_run_note() == note
    enter(cells, "z", {})
    assert cells.earlier_run_note() == ""


def test_the_cell_id_of_ipython_serves_where_the_metadata_has_none(running: list[FakeRun]) -> None:
    cells = Cells()
    running.append(FakeRun(1, Cell("a", "x", 1)))
    enter(cells, "x", {}, cell_id="a")
    assert running[0].cancelled


def test_a_cell_is_over_when_all_of_it_is(running: list[FakeRun]) -> None:
    cells = Cells()
    kernel = SimpleNamespace(get_parent=lambda channel: {"header": {"msg_id": "1"}})
    cells._shell = SimpleNamespace(kernel=kernel, execution_count=1)
    for _ in range(2):  # the second one is %%capture, or run_cell() in the cell
        cells.before_cell(SimpleNamespace(raw_cell="x", cell_id=None))
    cell = cells.current
    assert cell is not None
    cells.after_cell(SimpleNamespace(execution_count=1))
    assert not cell.over.is_set()
    cells.after_cell(SimpleNamespace(execution_count=1))
    assert cell.over.is_set()
