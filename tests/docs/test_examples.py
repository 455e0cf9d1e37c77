"""Every cell of a page runs, top to bottom, in a fresh kernel, and gives what the page says.

A block marked ``python`` is a cell; what is hidden in ``<!-- run ... -->`` runs, too. An ``output``
block right below says what the cell gives: ``...`` stands for anything, and in ``output figures``
numbers may differ. ``python no-run`` is for what needs the reader's own server; it must at least
parse.
"""

from __future__ import annotations

import ast
import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from IPython.core.inputtransformer2 import TransformerManager
from support.kernels.kernel import Kernel, Run

from kkjupyter.cli import build_parser

from .pages import DOCS, ROOT, Block, blocks_of, written_pages

PAGES = written_pages()
RUN_OR_COMPARED = ("python", "run", "output")
RUN_PAGES = [page for page in PAGES if any(block.info == "python" for block in blocks_of(page))]


def name_of(page: Path) -> str:
    return page.relative_to(DOCS).as_posix()


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    environment = {"KK_TOKEN": "a-token-of-the-tests", "KK_DOCS_ROOT": str(ROOT)}
    with Kernel.start(home=tmp_path, env=environment) as kernel:
        yield kernel


@pytest.mark.parametrize("page", RUN_PAGES, ids=name_of)
def test_cells(page: Path, kernel: Kernel) -> None:
    blocks = [block for block in blocks_of(page) if block.info.startswith(RUN_OR_COMPARED)]
    faults: list[str] = []
    for block, after in itertools.zip_longest(blocks, blocks[1:]):
        if block.info in ("python", "run"):
            is_output = after is not None and after.info.startswith("output")
            fault = fault_of(kernel.run(block.text, timeout_s=60), after if is_output else None)
            faults += [f"{name_of(page)}, line {block.line} {fault}"] if fault else []
    assert not faults, "\n".join(faults)


def fault_of(run: Run, expected: Block | None) -> str:
    """What is wrong with what a cell gave; ``""`` if nothing is."""
    given = text_of(run)
    if run.status != "ok" and (expected is None or run.ename not in expected.text):
        return f"failed: {run.ename}: {run.evalue}\n{run.traceback}"
    if expected is not None and not matches(expected, given):
        return f"gave\n{given}\nand the page says\n{expected.text}"
    return ""


def text_of(run: Run) -> str:
    """What a cell gave, as text: printed, shown and returned, in order."""
    parts: list[str] = []
    for output in run.outputs:
        if output["output_type"] == "stream":
            parts.append(output["text"])
        elif output["output_type"] == "error":
            parts.append(f"{output['ename']}: {output['evalue']}\n")
        else:
            parts.append(output["data"].get("text/plain", "") + "\n")
    return "".join(part if part.endswith("\n") else f"{part}\n" for part in parts)


def matches(expected: Block, given: str) -> bool:
    """Whether ``given`` is what a page says, ``...`` being anything."""
    wanted = expected.text
    if expected.info == "output figures":
        wanted, given = without_figures(wanted), without_figures(given)
    pattern = ".*".join(map(re.escape, wanted.strip().split("...")))
    return re.fullmatch(pattern, given.strip(), re.DOTALL) is not None


def without_figures(text: str) -> str:
    """``text`` without its numbers and units, and without the room they take."""
    return re.sub(r"[ ─]+", " ", re.sub(r"\d[\d.,]*(?: (?:µs|ms|s|B|kB)\b)?", "#", text))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_an_output_is_that_of_the_cell_above(page: Path) -> None:
    blocks = blocks_of(page)
    for above, block in itertools.pairwise(blocks):
        if block.info.startswith("output"):
            assert above.info == "python", f"{name_of(page)}, line {block.line}: of which cell?"


def test_an_output_may_leave_out_and_must_else_be_the_same() -> None:
    expected = Block("output", "✓ 3 items · ... s\n", 1)
    assert matches(expected, "✓ 3 items · 0.31 s")
    assert not matches(expected, "✓ 4 items · 0.31 s")
    expected = Block("output figures", " 3 ms ─── request ──► 90 B\n", 1)
    assert matches(expected, "0.12 s ─ request ─► 1.2 kB")
    assert not matches(expected, "0.12 s ─ response ─► 1.2 kB")


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_what_is_not_run_parses(page: Path) -> None:
    to_python = TransformerManager().transform_cell
    for block in blocks_of(page):
        if block.info.startswith("python"):
            flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST
            compile(to_python(block.text), f"{page.name}:{block.line}", "exec", flags=flags)


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.name)
def test_commands_of_the_shell_have_these_options(page: Path) -> None:
    for block in blocks_of(page):
        for line in block.text.splitlines() if block.info == "sh" else ():
            words = shlex.split(line, comments=True)
            if words[:1] == ["kkjupyter"] and not {"--help", "--version"} & set(words):
                pipe = words.index("|") if "|" in words else len(words)
                build_parser().parse_args(words[1:pipe])
