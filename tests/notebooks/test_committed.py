"""What is committed of the notebooks: clean, short, reproducible."""

import ast
from pathlib import Path
from typing import Any

import nbformat
import pytest

from kkjupyter.cli.demo import notebooks

NOTEBOOKS = notebooks()


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.name)
def document(request: pytest.FixtureRequest) -> Any:
    path: Path = request.param
    document = nbformat.read(path, as_version=4)
    nbformat.validate(document)
    return document


def test_it_was_committed_without_outputs(document: Any) -> None:
    code = [cell for cell in document.cells if cell.cell_type == "code"]
    assert code
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert set(document.metadata) == {"kernelspec", "language_info"}
    assert document.metadata.language_info == {"name": "python"}


def test_every_cell_is_explained_in_a_line_or_two(document: Any) -> None:
    assert len(document.cells) <= 15
    for cell in document.cells:
        lines = cell.source.splitlines()
        if cell.cell_type == "markdown":
            assert len([line for line in lines if line and not line.startswith("#")]) <= 2
        else:
            comments = [line for line in lines if line.startswith("#")]
            assert 1 <= len(comments) <= 2
            assert lines[0].startswith("# ")


def test_its_python_parses(document: Any) -> None:
    for cell in document.cells:
        if cell.cell_type == "code":
            lines = [line for line in cell.source.splitlines() if not line.startswith("%")]
            flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
            compile("\n".join(lines), cell.id, "exec", flags=flags | ast.PyCF_ONLY_AST)
