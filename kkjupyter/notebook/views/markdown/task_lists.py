"""Task lists: ``- [ ] to do`` and ``- [x] done``.

The box is a character. ``labextension/src/parts/markdown/task-lists.ts`` has the same rule;
``cases/markdown.json`` next to its tests holds both to it.
"""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore

__all__ = ["add_task_lists"]

_TASK = re.compile(r"\[([ xX])\][ \t]+(?=\S)")


def add_task_lists(md: MarkdownIt) -> None:
    """Make the items of ``md`` that are tasks begin with a box instead of a bullet."""
    md.core.ruler.before("inline", "task_lists", _rule)


def _rule(state: StateCore) -> None:
    for item, paragraph, text in zip(
        state.tokens, state.tokens[1:], state.tokens[2:], strict=False
    ):
        if (item.type, paragraph.type, text.type) != (
            "list_item_open",
            "paragraph_open",
            "inline",
        ):
            continue
        task = _TASK.match(text.content)
        if task:
            item.attrSet("style", "list-style: none")
            text.content = f"{'☐' if task[1] == ' ' else '☑'} {text.content[task.end() :]}"
