"""Makes a page of each notebook, in docs/tutorial/, so that the lessons are written once.

Nothing is executed: what the notebooks do is tested where they are, and they are committed without
outputs.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from sphinx.application import Sphinx
from sphinx.config import Config

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"


def page_of(notebook: Path) -> str:
    """The notebook as a page of Markdown."""
    cells = nbformat.read(notebook, as_version=4).cells
    blocks = [
        cell.source if cell.cell_type == "markdown" else _fenced(cell.source) for cell in cells
    ]
    title, *rest = blocks[0].split("\n", 1)
    note = f"*This page is the notebook `{notebook.name}`; `kkjupyter demo` opens it in Lab.*"
    return "\n\n".join([title, note, *rest, *blocks[1:]]) + "\n"


def _fenced(source: str) -> str:
    fence = "```"
    while fence in source:
        fence += "`"
    return f"{fence}python\n{source}\n{fence}"


def write_pages(app: Sphinx, config: Config) -> None:
    """Write docs/tutorial/NN_name.md; leave a page alone whose notebook has not changed."""
    folder = Path(app.srcdir) / "tutorial"
    wanted = {f"{path.stem}.md": page_of(path) for path in sorted(NOTEBOOKS.glob("*.ipynb"))}
    for stale in folder.glob("[0-9]*.md"):
        if stale.name not in wanted:
            stale.unlink()
    for name, text in wanted.items():
        page = folder / name
        if not page.exists() or page.read_text("utf-8") != text:
            page.write_text(text, "utf-8")


def setup(app: Sphinx) -> dict[str, Any]:
    app.connect("config-inited", write_pages)
    return {"parallel_read_safe": True}
