"""The pages of docs/ as the tests of this folder read them: their blocks, in order."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

_FENCE = re.compile(r"^(?P<fence>`{3,})(?P<info>[^`\n]*)$")
_HIDDEN = "<!-- run"


@dataclass
class Block:
    """One fenced block, or a hidden ``<!-- run ... -->`` (``info`` is then ``"run"``).

    ``info`` is what stands after the fence: ``python``, ``python no-run``, ``output``, ``sh``.
    """

    info: str
    text: str
    line: int


def written_pages() -> list[Path]:
    """Every page that somebody wrote; the lessons are made of the notebooks."""
    pages = DOCS.rglob("*.md")
    return sorted(page for page in pages if not page.name[0].isdigit() and page.name[0] != "_")


def blocks_of(page: Path) -> list[Block]:
    """The blocks of a page, top to bottom."""
    blocks: list[Block] = []
    end: str | None = None
    for number, line in enumerate(page.read_text("utf-8").splitlines(), 1):
        if end is not None:
            if line.strip() == end:
                end = None
            else:
                blocks[-1].text += line + "\n"
        elif line == _HIDDEN:
            end = "-->"
            blocks.append(Block("run", "", number))
        elif fence := _FENCE.match(line):
            end = fence["fence"]
            blocks.append(Block(fence["info"].strip(), "", number))
    assert end is None, f"{page.name}: a block is not closed"
    return blocks
