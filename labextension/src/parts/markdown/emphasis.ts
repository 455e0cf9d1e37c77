// Emphasis beside Chinese, Japanese and Korean. CommonMark tells the marks that open from those that
// close by the blanks and the punctuation around them; these scripts have no blanks, so
// `**「太字」**です` would stay as it is. Here their punctuation counts as letters, and marks beside
// their characters as if there were a blank; whatever else stands there is read as ever.
// kkjupyter/notebook/views/markdown/emphasis.py has the same rule; test/cases/emphasis.json holds both to it.

import type { MarkdownIt } from "markdown-it";

/** Letters, signs and punctuation of full width (and half-width kana), Hangul; no emoji. */
const CJK =
  /[\u1100-\u11ff\u2e80-\u2fff\u3001-\u303e\u3041-\ua4cf\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\ufe10-\ufe1f\ufe30-\ufe6f\uff01-\uffee\u{16fe0}-\u{18fff}\u{1aff0}-\u{1b2ff}\u{20000}-\u{3ffff}]/u;
/** Chooses one of the two ways to write a character before it: `〰︎`, `葛󠄀`. */
const SELECTOR = /[\ufe00-\ufe0e\u{e0100}-\u{e01ef}]/u;

export function addCjkEmphasis(md: MarkdownIt): void {
  const { isWhiteSpace, isMdAsciiPunct, isPunctCharCode } = md.utils;
  const isPunctuation = (character: string) => {
    const code = character.codePointAt(0) ?? 0;
    return isMdAsciiPunct(code) || isPunctCharCode(code);
  };

  md.inline.State = class extends md.inline.State {
    override scanDelims(start: number, canSplitWord: boolean) {
      const scanned = super.scanDelims(start, canSplitWord);
      const before = characterBefore(this.src, start);
      const after = String.fromCodePoint(this.src.codePointAt(start + scanned.length) ?? 0x20);
      const isAfterCjk = CJK.test(before);
      const isBeforeCjk = start + scanned.length < this.posMax && CJK.test(after);
      if (!isAfterCjk && !isBeforeCjk) return scanned;
      const blankBefore = isWhiteSpace(before.codePointAt(0) ?? 0);
      const blankAfter =
        start + scanned.length >= this.posMax || isWhiteSpace(after.codePointAt(0) ?? 0);
      const opens =
        !blankAfter &&
        (isBeforeCjk ||
          !isPunctuation(after) ||
          blankBefore ||
          isAfterCjk ||
          isPunctuation(before));
      const closes =
        !blankBefore &&
        (isAfterCjk || !isPunctuation(before) || blankAfter || isBeforeCjk || isPunctuation(after));
      return {
        ...scanned,
        can_open: opens && (canSplitWord || !closes || isPunctuation(before)),
        can_close: closes && (canSplitWord || !opens || isPunctuation(after)),
      };
    }
  };
}

/** The character before `at`, without what only selects how it is written; a blank at the start. */
function characterBefore(text: string, at: number): string {
  const characters = [...text.slice(Math.max(0, at - 4), at)];
  const last = characters.pop() ?? " ";
  return SELECTOR.test(last) ? (characters.pop() ?? last) : last;
}
