"""Emphasis beside Chinese, Japanese and Korean.

CommonMark tells the marks that open from those that close by the blanks and the punctuation around
them; these scripts have no blanks, so ``**「太字」**です`` would stay as it is. Here their
punctuation counts as letters, and marks beside their characters as if there were a blank; whatever
else stands there is read as ever. ``labextension/src/parts/markdown/emphasis.ts`` has the same
rule; ``labextension/test/cases/emphasis.json`` holds both to it.
"""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.common.utils import isMdAsciiPunct, isPunctChar, isWhiteSpace
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline.state_inline import Scanned
from markdown_it.token import Token
from markdown_it.utils import EnvType

__all__ = ["add_cjk_emphasis"]

# Full-width letters, signs and punctuation (and half-width kana), Hangul; no emoji.
_CJK = re.compile(
    "[\u1100-\u11ff\u2e80-\u2fff\u3001-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7ff"
    "\uf900-\ufaff\ufe10-\ufe1f\ufe30-\ufe6f\uff01-\uffee"
    "\U00016fe0-\U00018fff\U0001aff0-\U0001b2ff\U00020000-\U0003ffff]"
)
# Chooses one of the two ways to write a character before it.
_SELECTOR = re.compile("[\ufe00-\ufe0e\U000e0100-\U000e01ef]")


def add_cjk_emphasis(md: MarkdownIt) -> None:
    """Make ``md`` read ``**``, ``*``, ``_`` and ``~~`` in this way."""
    inline = _Inline()
    inline.ruler, inline.ruler2 = md.inline.ruler, md.inline.ruler2
    md.inline = inline


class _Inline(ParserInline):
    def parse(self, src: str, md: MarkdownIt, env: EnvType, tokens: list[Token]) -> list[Token]:
        state = _State(src, md, env, tokens)
        self.tokenize(state)
        for rule in self.ruler2.getRules(""):
            rule(state)
        return state.tokens


class _State(StateInline):
    def scanDelims(self, start: int, canSplitWord: bool) -> Scanned:  # noqa: N802, N803
        scanned = super().scanDelims(start, canSplitWord)
        end = start + scanned.length
        before = _character_before(self.src, start)
        after = self.src[end] if end < self.posMax else " "
        is_after_cjk = _CJK.match(before) is not None
        is_before_cjk = _CJK.match(after) is not None
        if not is_after_cjk and not is_before_cjk:
            return scanned
        blank_before, blank_after = isWhiteSpace(ord(before)), isWhiteSpace(ord(after))
        sign_before, sign_after = _is_punctuation(before), _is_punctuation(after)
        opens = not blank_after and (
            is_before_cjk or not sign_after or blank_before or is_after_cjk or sign_before
        )
        closes = not blank_before and (
            is_after_cjk or not sign_before or blank_after or is_before_cjk or sign_after
        )
        return Scanned(
            opens and (canSplitWord or not closes or sign_before),
            closes and (canSplitWord or not opens or sign_after),
            scanned.length,
        )


def _character_before(text: str, at: int) -> str:
    """The character before ``at``, without variation selectors; a blank at the start."""
    if not at:
        return " "
    last = text[at - 1]
    return text[at - 2] if at > 1 and _SELECTOR.match(last) else last


def _is_punctuation(character: str) -> bool:
    return isMdAsciiPunct(ord(character)) or isPunctChar(character)
