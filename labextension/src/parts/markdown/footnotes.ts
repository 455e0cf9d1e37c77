// Footnotes: `[^1]` in a text, and `[^1]: what it says` in a paragraph of its own. Both are shown where
// they stand. The plugin for this, markdown-it-footnote, moves the notes to the end and makes a
// reference only of what has a note: in an answer that is being written, the text is long finished when
// its notes come.
// kkjupyter/notebook/views/markdown/footnotes.py has the same rules; test/cases/markdown.json holds both to them.

import type { MarkdownIt, StateBlock, StateInline, Token } from "markdown-it";

/** `[^a-z]` and its like are no footnotes, but regular expressions that lack their marks. */
const NAME = "(?!.-.[\\]\\w])[A-Za-z0-9_-]{1,40}";
const REFERENCE = new RegExp(`\\[\\^(${NAME})\\]`, "y");
const NOTE = new RegExp(`^\\[\\^(${NAME})\\]:[ \\t]*`);

const BRACKET = 0x5b;

/** @param md gets tokens `footnote_ref`, whose content is the name, and paragraphs with the class `kkj-note` */
export function addFootnotes(md: MarkdownIt): void {
  md.inline.ruler.before("link", "footnote_ref", referenceRule);
  md.block.ruler.before("reference", "footnote", noteRule, { alt: ["paragraph", "reference"] });
  const { escapeHtml } = md.utils;
  md.renderer.rules.footnote_ref = (tokens: Token[], index: number) =>
    `<sup>${escapeHtml(tokens[index]?.content ?? "")}</sup>`;
}

function referenceRule(state: StateInline, silent: boolean): boolean {
  if (state.src.charCodeAt(state.pos) !== BRACKET) return false;
  REFERENCE.lastIndex = state.pos;
  const found = REFERENCE.exec(state.src);
  if (!found) return false;
  if (!silent) state.push("footnote_ref", "", 0).content = found[1] ?? "";
  state.pos += found[0].length;
  return true;
}

/** A note ends, as a paragraph does, with an empty line; the next note ends it, too. */
function noteRule(state: StateBlock, startLine: number, endLine: number, silent: boolean): boolean {
  if ((state.sCount[startLine] ?? 0) - state.blkIndent >= 4) return false;
  const found = NOTE.exec(lineOf(state, startLine));
  if (!found) return false;
  if (silent) return true;
  let end = startLine + 1;
  while (end < endLine && !state.isEmpty(end) && !NOTE.test(lineOf(state, end))) {
    if ((state.sCount[end] ?? 0) < state.blkIndent) break;
    end += 1;
  }
  const text = state.getLines(startLine, end, state.blkIndent, false).trim();
  const open = state.push("paragraph_open", "p", 1);
  open.attrSet("class", "kkj-note");
  open.map = [startLine, end];
  const inline = state.push("inline", "", 0);
  // Without its colon, the beginning of a note is the reference to it.
  inline.content = `[^${found[1]}] ${text.slice(found[0].length)}`.trim();
  inline.map = open.map;
  inline.children = [];
  state.push("paragraph_close", "p", -1);
  state.line = end;
  return true;
}

function lineOf(state: StateBlock, line: number): string {
  const from = (state.bMarks[line] ?? 0) + (state.tShift[line] ?? 0);
  return state.src.slice(from, state.eMarks[line]);
}
