// Markdown that is still being written: what is open is closed, so that nobody sees the raw marks of
// `**bold`, `[link](https://exa` or `code before the rest of them came.
//
// The library for this, remend, is not used: it shows the marks of `a **`, closes only one of the two in
// `**a *b`, takes away an address that is not whole, and puts an address of its own into half an image.
// It is 16 kB, and would not replace the rest of this file: tables, half lines, what may be cut.

import { formulaAt } from "./maths";

/** At the end: marks that mean nothing yet, half an entity, half an escape, blanks. */
const DANGLING = /(?:[*_~]+|`{1,2}|&(?:#\w{0,7}|am?p?|[lg]t?|qu?o?t?|nb?s?p?)?|\\|\s+)$/;
/** At the end: a link of which the address is missing, or half of it. */
const HALF_LINK = /!?\[([^[\]]*)(?:\](?:\([^()\s]*(?:\s[^()]*)?)?)?$/;
const HALF_AUTOLINK = /<(?=[A-Za-z][A-Za-z0-9+.-]*:[^\s<>]*$)/;
/** A last line of nothing but marks may become a rule, an underline, a list, a fence. */
const ONLY_MARKS = /(?:^|\n)[ \t>]*(?:[-=*+_~`#]+|\d{1,9}[.)]?|[|:][ \t|:-]*)[ \t]*$/;
const FENCE_MARKS = /(?:^|\n)[ \t>]*(?:`{1,3}|~{1,3})[ \t]*$/;
/** The source without what cannot be read yet at its end. */
export function withoutHalfLine(source: string, isCode: boolean): string {
  const half = (isCode ? FENCE_MARKS : ONLY_MARKS).exec(source)?.[0];
  if (!half) return source;
  const kept = source.slice(0, source.length - half.length);
  return half.startsWith("\n") ? `${kept}\n` : kept;
}

/**
 * The source with the line below the head of a table, if it ends with that head or with a part of
 * that line.
 */
export function withTableHead(source: string): string {
  const lines = source.trimEnd().split("\n").slice(-3);
  const ruled = lines.findLastIndex((line) => !/^[\s>|:-]*$/.test(line));
  const [head = "", ...above] = lines.slice(0, ruled + 1).reverse();
  const margin = /^[\s>]*(?=\|)/.exec(head)?.[0];
  if (margin === undefined || above[0]?.includes("|") || ruled < lines.length - 2) return source;
  // A finished line below is the table's own, or makes it none.
  if (ruled < lines.length - 1 && source.endsWith("\n")) return source;
  const names = head
    .trim()
    .replace(/^[>\s]*\|/, "")
    .replace(/\|$/, "")
    .split(/(?<!\\)\|/);
  const below = ruled < lines.length - 1 ? source.lastIndexOf("\n") : source.trimEnd().length;
  return `${source.slice(0, below)}\n${margin}|${"---|".repeat(names.length)}`;
}

/** How far back marks that mean nothing yet are looked for, and how many of them. */
const TAIL_CHARS = 200;
const MAX_DANGLING = 20;
/** The parser nests no deeper than half of that. */
const MAX_OPEN = 100;

/** The inline text `content` with all that is open closed, in the order it was opened. */
export function closeOpenMarks(content: string): string {
  let text = content.replace(HALF_AUTOLINK, "");
  const link = HALF_LINK.exec(text);
  if (link && !openCode(text.slice(0, link.index))) {
    const words = link[1] ?? "";
    if (!words.startsWith("^")) text = text.slice(0, link.index) + words;
    // A footnote is one as a whole.
    else if (!link[0].endsWith("]")) text = text.slice(0, link.index);
  }
  for (let count = 0; count < MAX_DANGLING; count += 1) {
    const found = DANGLING.exec(text.slice(-TAIL_CHARS))?.[0];
    if (!found || (found.startsWith("`") && !openCode(text))) break;
    text = text.slice(0, -found.length);
  }
  return text + closing(text);
}

/** Whether nothing is open at the end of `content`. */
export function isWhole(content: string): boolean {
  return closing(content) === "" && !content.endsWith("\\");
}

function openCode(text: string): boolean {
  return closing(text).includes("`");
}

/** What is missing at the end of `text`. */
function closing(text: string): string {
  const open: string[] = [];
  let at = 0;
  while (at < text.length) {
    const char = text[at] ?? "";
    const formula = char === "$" || char === "\\" ? formulaAt(text, at) : "";
    if (formula) {
      at += formula.length;
    } else if (char === "\\") {
      at += 2;
    } else if (char === "`") {
      const marks = runAt(text, at);
      const end = endOfCode(text, at + marks.length, marks);
      if (end < 0) return marks + open.reverse().join("");
      at = end;
    } else if (char === "*" || char === "_" || char === "~") {
      const marks = runAt(text, at);
      mark(open, marks, text[at - 1] ?? " ", text[at + marks.length] ?? " ");
      at += marks.length;
    } else {
      at += 1;
    }
  }
  return open.reverse().join("");
}

function runAt(text: string, at: number): string {
  let end = at + 1;
  while (text[end] === text[at]) end += 1;
  return text.slice(at, end);
}

function endOfCode(text: string, from: number, marks: string): number {
  for (let at = text.indexOf(marks, from); at >= 0; at = text.indexOf(marks, at)) {
    const found = runAt(text, at);
    if (found.length === marks.length) return at + marks.length;
    at += found.length;
  }
  return -1;
}

/** One run of marks between two characters: it closes what is open, or opens. */
function mark(open: string[], marks: string, before: string, after: string): void {
  const char = marks[0] ?? "";
  if (char === "~" && marks.length !== 2) return;
  const isWordy = char === "_" && /[\p{L}\p{N}]/u.test(before) && /[\p{L}\p{N}]/u.test(after);
  if (isWordy) return;
  let left = marks.length;
  if (/\S/.test(before)) {
    while (left > 0 && open.some((mark) => mark.startsWith(char))) {
      const top = open.findLastIndex((mark) => mark.startsWith(char));
      const size = open[top]?.length ?? 0;
      if (size > left) {
        open[top] = char.repeat(size - left);
        left = 0;
      } else {
        // What was opened inside of it and never closed is text.
        open.length = top;
        left -= size;
      }
    }
  }
  if (left > 0 && /\S/.test(after) && after !== "" && open.length < MAX_OPEN) {
    for (; left > 2 && open.length < MAX_OPEN; left -= 2) open.push(char.repeat(2));
    open.push(char.repeat(Math.min(left, 2)));
  }
}
