"""What is committed of the notebooks: clean, short, reproducible."""

import ast
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from support.kernels.notebook_runs import exercises

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


def test_cells_can_fail_on_purpose_and_carry_no_other_metadata(document: Any) -> None:
    assert all(cell.metadata in ({}, {"tags": ["raises-exception"]}) for cell in document.cells)


def test_sections_are_short(document: Any) -> None:
    """A lesson has a heading for each; a notebook without headings is one section."""
    lengths = [0]
    for cell in document.cells:
        if cell.cell_type == "markdown" and cell.source.startswith("## "):
            lengths.append(0)
        lengths[-1] += 1
    assert max(lengths) <= 15


def test_every_cell_is_explained_in_a_line_or_two(document: Any) -> None:
    for cell in document.cells:
        lines = cell.source.splitlines()
        if cell.cell_type == "markdown":
            assert len(prose(lines)) <= 6
        else:
            comments = [line for line in lines if line.startswith("#")]
            if cell.source.startswith("%%"):  # nothing may stand above it
                assert "  # " in lines[0]
                continue
            assert 1 <= len(comments) <= 2
            assert lines[0].startswith("# ")
            assert len(lines) <= 25


def prose(lines: list[str]) -> list[str]:
    """The lines of a text that are neither headings, nor tables, nor folded away."""
    text = re.sub(r"<details>.*?</details>", "", "\n".join(lines), flags=re.DOTALL)
    return [line for line in text.split("\n") if line and not line.startswith(("#", "|"))]


def test_code_fits_a_page(document: Any) -> None:
    code = [cell for cell in document.cells if cell.cell_type == "code"]
    assert all(len(line) <= 100 for cell in code for line in cell.source.splitlines())


def test_each_exercise_has_a_solution(document: Any) -> None:
    asked = [cell for cell in document.cells if "**Exercise " in cell.source]
    assert len(exercises(document)) == len(asked)


def test_its_python_parses(document: Any) -> None:
    sources = [cell.source for cell in document.cells if cell.cell_type == "code"]
    sources += [solution for _, solution in exercises(document)]
    for source in sources:
        if source.startswith("%%"):
            continue  # what follows is text
        python = re.sub(r"^( *)%.*", r"\1pass", source, flags=re.MULTILINE)
        flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
        compile(python, "cell", "exec", flags=flags | ast.PyCF_ONLY_AST)
