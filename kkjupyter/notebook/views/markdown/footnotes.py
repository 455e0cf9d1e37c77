"""Footnotes: ``[^1]`` in a text, and ``[^1]: what it says`` in a paragraph of its own.

Both are shown where they stand. ``labextension/src/parts/markdown/footnotes.ts`` has the same
rules; ``cases/markdown.json`` next to its tests holds both to them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it import MarkdownIt
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.token import Token

from kkjupyter.notebook.views.saved_form import escape

__all__ = ["add_footnotes", "footnote_reference"]

# `[^a-z]` and its like are regular expressions that lack their marks.
_NAME = r"(?!.-.[\]\w])[A-Za-z0-9_-]{1,40}"
_REFERENCE = re.compile(rf"\[\^({_NAME})\]", re.ASCII)
_NOTE = re.compile(rf"\[\^({_NAME})\]:[ \t]*", re.ASCII)


def add_footnotes(md: MarkdownIt) -> None:
    """Make ``md`` produce a token ``footnote_ref`` for each name, and a paragraph for each note."""
    md.inline.ruler.before("link", "footnote_ref", _reference_rule)
    md.block.ruler.before("reference", "footnote", _note_rule, {"alt": ["paragraph", "reference"]})


def footnote_reference(tokens: Sequence[Token], index: int) -> str:
    """The HTML of a token ``footnote_ref``."""
    return f"<sup>{escape(tokens[index].content)}</sup>"


def _reference_rule(state: StateInline, silent: bool) -> bool:
    found = _REFERENCE.match(state.src, state.pos)
    if not found:
        return False
    if not silent:
        state.push("footnote_ref", "", 0).content = found[1]
    state.pos = found.end()
    return True


def _note_rule(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    if state.sCount[start_line] - state.blkIndent >= 4:
        return False
    found = _NOTE.match(_line_of(state, start_line))
    if not found:
        return False
    if silent:
        return True
    end = start_line + 1
    # It ends, as a paragraph does, with an empty line; the next note ends it, too.
    while end < end_line and not state.isEmpty(end) and not _NOTE.match(_line_of(state, end)):
        if state.sCount[end] < state.blkIndent:
            break
        end += 1
    text = state.getLines(start_line, end, state.blkIndent, False).strip()
    paragraph = state.push("paragraph_open", "p", 1)
    paragraph.map = [start_line, end]
    inline = state.push("inline", "", 0)
    # Without its colon, the beginning of a note is the reference to it.
    inline.content = f"[^{found[1]}] {text[found.end() :]}".strip()
    inline.map = paragraph.map
    inline.children = []
    state.push("paragraph_close", "p", -1)
    state.line = end
    return True


def _line_of(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]
