"""Formulas in Markdown: extracted before anything else reads their content.

Underscores, asterisks and backslashes of a formula are TeX, not Markdown.
``labextension/src/parts/markdown/maths.ts`` has the same rules; ``cases/markdown.json`` next to its
tests holds both to them.
"""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.ruler import StateBase
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline

__all__ = ["add_maths", "is_harmless"]

# `$5 and $6` is money: no blank inside the dollars, no digit behind them.
# The first two always end at the next dollar.
_INLINE = (
    (re.compile(r"\$\$(?:\\[\s\S]|[^\\$])+?\$\$"), ""),
    (re.compile(r"\$(?=[^\s$])(?:\\[\s\S]|[^\\$`])*?(?<=\S)\$(?!\d)"), ""),
    (re.compile(r"\\\([\s\S]+?\\\)"), "\\)"),
    (re.compile(r"\\\[[\s\S]+?\\\]"), "\\]"),
)
_BLOCK = re.compile(r"(?:\$\$|\\\[|\\begin\{([A-Za-z]+\*?)\})")
# How far to search for the end of a formula.
_MAX_LINES = 200
_MAX_CHARS = 4_000
_CLOSINGS = "kkj_closings"
# Commands that act on the page instead of writing a formula are not typeset.
_ACTIVE = re.compile(
    r"\\(?:href|url|class|cssId|style|data|require|unicode|includegraphics|mmlToken)\b"
)


def is_harmless(formula: str) -> bool:
    """Whether a formula has only harmless commands."""
    return not _ACTIVE.search(formula)


def add_maths(md: MarkdownIt) -> None:
    """Make ``md`` produce tokens ``math_inline`` and ``math_block``, with the marks in their
    content.
    """
    md.inline.ruler.before("escape", "math_inline", _inline_rule)
    alternatives = ["paragraph", "reference", "blockquote", "list"]
    md.block.ruler.before("fence", "math_block", _block_rule, {"alt": alternatives})


def _inline_rule(state: StateInline, silent: bool) -> bool:
    if state.src[state.pos] not in "$\\":
        return False
    for pattern, closing in _INLINE:
        limit = min(state.pos + _MAX_CHARS, len(state.src))
        if closing and _next_closing(state, closing, state.pos + 2) >= limit:
            continue
        found = pattern.match(state.src, state.pos, state.pos + _MAX_CHARS)
        if found:
            if not silent:
                state.push("math_inline", "", 0).content = found[0]
            state.pos = found.end()
            return True
    return False


def _next_closing(state: StateBase, closing: str, start: int) -> int:
    """The next position of ``closing`` from ``start`` on, else the end of the source.

    It is cached: otherwise each of many unclosed openings would search the whole rest.
    """
    known = state.env.get(_CLOSINGS)
    if known is None or known.source is not state.src:
        known = state.env[_CLOSINGS] = _Closings(state.src)
    return known.next(closing, start)


class _Closings:
    def __init__(self, source: str) -> None:
        self.source = source
        self._found: dict[str, tuple[int, int]] = {}  # no mark from the first to the second

    def next(self, closing: str, start: int) -> int:
        searched_from, at = self._found.get(closing, (0, -1))
        if not searched_from <= start <= at:
            at = self.source.find(closing, start)
            at = len(self.source) if at < 0 else at
            self._found[closing] = start, at
        return at


def _block_rule(state: StateBlock, start_line: int, end_line: int, silent: bool) -> bool:
    if state.sCount[start_line] - state.blkIndent >= 4:
        return False
    opening = _BLOCK.match(_line_of(state, start_line))
    if not opening:
        return False
    end = _end_of(state, opening, start_line, min(end_line, start_line + _MAX_LINES))
    if not end:
        return False
    if not silent:
        token = state.push("math_block", "", 0)
        token.block = True
        token.content = state.getLines(start_line, end, state.blkIndent, False).strip()
        token.map = [start_line, end]
        state.line = end
    return True


def _end_of(state: StateBlock, opening: re.Match[str], start_line: int, end_line: int) -> int:
    """The line after the formula's last; 0 if it has no end, or if text follows it."""
    mark, environment = opening[0], opening[1]
    closing = f"\\end{{{environment}}}" if environment else "$$" if mark == "$$" else "\\]"
    first = state.bMarks[start_line] + state.tShift[start_line] + len(mark)
    if _next_closing(state, closing, first) >= state.eMarks[end_line - 1]:
        return 0
    for line in range(start_line, end_line):
        if not state.isEmpty(line) and state.sCount[line] < state.blkIndent:
            return 0
        text = _line_of(state, line)
        at = text.find(closing, len(mark) if line == start_line else 0)
        if at >= 0:
            return 0 if text[at + len(closing) :].strip() else line + 1
    return 0


def _line_of(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]
