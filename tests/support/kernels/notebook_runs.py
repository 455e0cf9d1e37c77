"""A notebook, executed headless in a real kernel, and what came of it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import nbformat

import kkjupyter
from kkjupyter.cli.demo import copy_notebooks

__all__ = ["EXECUTE", "YOUR_TURN", "Run", "exercises", "run_committed", "run_notebook"]

EXECUTE: Final = (
    "-c",
    "import pathlib, sys; from kkjupyter.cli.headless import execute; "
    "sys.exit(execute(pathlib.Path(sys.argv[1]), cell_timeout_s=60))",
)
"""Arguments to Python that execute the notebook whose path follows."""

YOUR_TURN: Final = "# Your turn."
"""All that stands in a cell that is left to the reader."""

_SOLUTION: Final = re.compile(r"<details>.*?^```python$\n(.*?)^```$.*?</details>", re.DOTALL | re.M)
_COLOURS: Final = re.compile(r"\x1b\[[0-9;]*m")


class Run(NamedTuple):
    """One execution: what the terminal showed, when, and what was saved."""

    lines: list[str]
    times_s: list[float]
    document: Any

    def cell(self, cell_id: str) -> Any:
        return next(cell for cell in self.document.cells if cell.id == cell_id)

    def text(self, cell_id: str) -> str:
        """All text that one cell put out, as it was saved; without the error it may have raised."""
        found = [
            output.get("text") or output["data"]["text/plain"]
            for output in self.cell(cell_id).outputs
            if output.output_type != "error"
        ]
        return "\n".join(text.strip("\n") for text in found)

    def code(self) -> list[Any]:
        """The cells of code, in the notebook's order."""
        return [cell for cell in self.document.cells if cell.cell_type == "code"]

    def not_in_order(self) -> list[str]:
        """The ids of the code cells that did not run, or not when their turn was."""
        turns = enumerate(self.code(), start=1)
        return [cell.id for turn, cell in turns if cell.execution_count != turn]

    def failed(self) -> list[str]:
        """The ids of the cells that raised."""
        return [
            cell.id
            for cell in self.code()
            if any(output.output_type == "error" for output in cell.outputs)
        ]

    def error(self, cell_id: str) -> str:
        """What one cell showed of the exception it raised, without the colours."""
        [error] = [o for o in self.cell(cell_id).outputs if o.output_type == "error"]
        return _COLOURS.sub("", "\n".join(error.traceback))

    def seconds_between(self, first: str, last: str, *, after: str) -> float:
        """How long after the line ``first`` the line ``last`` was seen, below what is ``after``."""
        start = next(at for at, line in enumerate(self.lines) if after in line)
        begin, end = self.lines.index(first, start), self.lines.index(last, start)
        return self.times_s[end] - self.times_s[begin]


def run_committed(name: str, directory: Path) -> Run:
    """Execute a copy, in ``directory``, of the notebook that is committed as ``name``.

    In the cells that are left to the reader stand the solutions that the text folds away.
    """
    copy_notebooks(directory)  # as `kkjupyter demo` does, with the modules that they import
    copy = directory / name
    document = nbformat.read(copy, as_version=4)
    for cell, solution in exercises(document):
        cell.source += f"\n{solution}"
    nbformat.write(document, copy)
    return run_notebook([*EXECUTE, str(copy)], copy.with_suffix(".executed.ipynb"))


def exercises(document: Any) -> list[tuple[Any, str]]:
    """The cells that are left to the reader, and the solution in the text above each."""
    found = []
    for above, cell in pairwise(document.cells):
        if cell.cell_type == "code" and cell.source == YOUR_TURN:
            [solution] = _SOLUTION.findall(above.source)
            found.append((cell, solution))
    return found


def run_notebook(arguments: Sequence[str], executed: Path) -> Run:
    """Run Python with ``arguments`` until it ends well.

    Args:
        arguments: what makes it execute a notebook.
        executed: the copy with the outputs, which it saves.
    """
    lines: list[str] = []
    times_s: list[float] = []
    started_s = time.monotonic()
    # The kernel works in another directory, and has to find the package under test.
    package_path = str(Path(next(iter(kkjupyter.__path__))).parent)
    environment = {**os.environ, "PYTHONPATH": package_path, "PYTHONIOENCODING": "utf-8"}
    with subprocess.Popen(
        [sys.executable, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        assert process.stdout is not None
        try:
            for line in process.stdout:
                lines.append(line.rstrip("\n"))
                times_s.append(time.monotonic() - started_s)
        except BaseException:  # the time limit of the tests above all
            process.terminate()  # it shuts its kernel down
            raise
    assert process.returncode == 0, "\n".join(lines)
    document = nbformat.read(executed, as_version=4)
    nbformat.validate(document)
    return Run(lines, times_s, document)
