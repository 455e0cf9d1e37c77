// Formulas in Markdown: taken out before anything else reads their underscores, asterisks and
// backslashes. kkjupyter/notebook/views/markdown/maths.py has the same rules; test/cases/markdown.json
// holds both to them.

import type { MarkdownIt, StateBlock, StateInline } from "markdown-it";
import type { ParserEnv } from "./parser-env";

/**
 * `$5 and $6` is money: no blank inside the dollars, no digit behind them. The first two end at the
 * next dollar in any case; for the others it is looked up where the next closing mark is.
 */
const INLINE: [RegExp, string][] = [
  [/^\$\$(?:\\[\s\S]|[^\\$])+?\$\$/, ""],
  [/^\$(?=[^\s$])(?:\\[\s\S]|[^\\$`])*?(?<=\S)\$(?!\d)/, ""],
  [/^\\\([\s\S]+?\\\)/, "\\)"],
  [/^\\\[[\s\S]+?\\\]/, "\\]"],
];
const BLOCK = /^(?:\$\$|\\\[|\\begin\{([A-Za-z]+\*?)\})/;
/** How far the end of a formula is looked for. */
const MAX_LINES = 200;
const MAX_CHARS = 4_000;
/** What acts on the page instead of writing a formula is not given to the typesetter. */
const ACTIVE = /\\(?:href|url|class|cssId|style|data|require|unicode|includegraphics|mmlToken)\b/;

const DOLLAR = 0x24;
const BACKSLASH = 0x5c;

export function isHarmless(formula: string): boolean {
  return !ACTIVE.test(formula);
}

/** @param md gets tokens `math_inline` and `math_block`, whose content has its delimiters. */
export function addMaths(md: MarkdownIt): void {
  md.inline.ruler.before("escape", "math_inline", inlineRule);
  md.block.ruler.before("fence", "math_block", blockRule, {
    alt: ["paragraph", "reference", "blockquote", "list"],
  });
}

/** The formula that begins at `at`; "" if none does. */
export function formulaAt(text: string, at: number): string {
  const near = text.slice(at, at + MAX_CHARS);
  for (const [pattern, closing] of INLINE) {
    if (closing && nextClosing(text, closing, at + 2) >= at + MAX_CHARS) continue;
    const found = pattern.exec(near)?.[0];
    if (found !== undefined) return found;
  }
  return "";
}

interface Closings {
  text: string;
  /** By mark: between the first and the second there is none. */
  found: Map<string, [number, number]>;
}

let closings: Closings = { text: "", found: new Map() };

/**
 * Where `closing` stands next, from `from` on; infinity if nowhere. It is remembered: of many
 * openings without an end, each would else search all that follows.
 */
function nextClosing(text: string, closing: string, from: number): number {
  if (closings.text !== text) closings = { text, found: new Map() };
  const [searchedFrom, known] = closings.found.get(closing) ?? [0, -1];
  if (searchedFrom <= from && from <= known) return known;
  const at = text.indexOf(closing, from);
  const next = at < 0 ? Number.POSITIVE_INFINITY : at;
  closings.found.set(closing, [from, next]);
  return next;
}

function inlineRule(state: StateInline, silent: boolean): boolean {
  const code = state.src.charCodeAt(state.pos);
  if (code !== DOLLAR && code !== BACKSLASH) return false;
  const formula = formulaAt(state.src, state.pos);
  if (!formula) return false;
  if (!silent) state.push("math_inline", "", 0).content = formula;
  state.pos += formula.length;
  return true;
}

function blockRule(state: StateBlock, startLine: number, endLine: number, silent: boolean) {
  if ((state.sCount[startLine] ?? 0) - state.blkIndent >= 4) return false;
  const opening = BLOCK.exec(lineOf(state, startLine));
  if (!opening) return false;
  const end = endOf(state, opening, startLine, Math.min(endLine, startLine + MAX_LINES));
  if (!end) return false;
  if (silent) return true;
  const token = state.push("math_block", "", 0);
  token.block = true;
  token.content = state.getLines(startLine, end, state.blkIndent, false).trim();
  token.map = [startLine, end];
  state.line = end;
  return true;
}

/** The line behind the formula's last; 0 if there is no end, or text behind it. */
function endOf(state: StateBlock, opening: RegExpExecArray, startLine: number, endLine: number) {
  const [mark, environment] = opening;
  const closing = environment ? `\\end{${environment}}` : mark === "$$" ? "$$" : "\\]";
  for (let line = startLine; line < endLine; line++) {
    const isEmpty = state.isEmpty(line);
    if (!isEmpty && (state.sCount[line] ?? 0) < state.blkIndent) return 0;
    const text = lineOf(state, line);
    const at = text.indexOf(closing, line === startLine ? mark.length : 0);
    if (at >= 0) return text.slice(at + closing.length).trim() ? 0 : line + 1;
  }
  // While it grows, it is a formula already.
  return (state.env as ParserEnv).growing && endLine === state.lineMax ? endLine : 0;
}

function lineOf(state: StateBlock, line: number): string {
  const from = (state.bMarks[line] ?? 0) + (state.tShift[line] ?? 0);
  return state.src.slice(from, state.eMarks[line]);
}
