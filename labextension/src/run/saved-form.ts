// The static output, for when the kernel is not there to make it. The same as
// kkjupyter/notebook/views/saved_form.py; test/cases/saved-form.json holds both to it.

import type { Bundle, Status } from "../kernel/messages";
import { blocks, heightPx } from "../text/blocks";
import { rewritten } from "../text/carriage-returns";
import { whole } from "../text/numbers";
import type { Run } from "./run";
import { describe, oneLine } from "./status-text";

export const MIME_TYPE = "application/vnd.kkjupyter.v1+json";
/** Classes that keep the typesetters of JupyterLab and nbconvert from the dollars inside. */
const NO_FORMULAS = "mathjax_ignore tex2jax_ignore";
/** What an output may take in the notebook file, all its forms together; the kernel's limit, too. */
export const SAVED_BYTES = 5_000_000;
/** A notebook file has each line of a text on a line of its own: blanks, quotes, a comma. */
const LINE_BYTES = 11;
/** Longer text can be folded away; the state line is the handle. */
const FOLDABLE_CHARS = 2_000;

const FONT = "var(--jp-ui-font-family, system-ui, sans-serif)";
const CODE_FONT = "var(--jp-code-font-family, monospace)";
const LINE =
  `margin: 0; padding: 2px 0 2px 7.8px; font-family: ${FONT}; font-size: 12px; ` +
  "line-height: 20px; color: var(--jp-ui-font-color2, inherit); overflow-wrap: break-word";
const BOX =
  "margin: 0; padding: 0 0 0 7.8px; max-height: 408px; overflow: auto; display: flex; " +
  "flex-direction: column-reverse";
const TEXT =
  "margin: 0; padding: 0; border: 0; background: none; overflow: visible; max-width: 120ch; " +
  "white-space: pre-wrap; overflow-wrap: break-word; word-break: normal; " +
  `font-family: ${CODE_FONT}; font-size: 13px; line-height: 17px; ` +
  "color: var(--jp-content-font-color1, inherit)";
const ESCAPES: Record<string, string> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#x27;",
  "\r": "&#13;",
};
const BAD = "var(--jp-error-color1, inherit)";

/** @param read makes of the source what the run's view shows, for a reader */
export function staticBundle(run: Run, read: (source: string) => string): Bundle {
  const { view, pane, status } = run;
  return fitting(run, SAVED_BYTES, (source, left_out) => {
    const text = read(source);
    const data = run.part && text !== source ? { source } : {};
    return {
      [MIME_TYPE]: { view, pane, left_out, ...data, ...status },
      "text/html": staticHtml(text, left_out, status),
      "text/plain": staticPlain(text, status),
    };
  });
}

export function checkpointText(run: Run, limitBytes = SAVED_BYTES): string {
  return fitting(run, limitBytes, (source) => {
    const text = run.part ? source : rewritten(source);
    return `${withNewline(text)}[not finished when saved: ${oneLine(run.status)}]`;
  });
}

/**
 * What `write` makes of the run's source; if that takes more of the notebook file than
 * `limitBytes`, of its beginning and its newest part.
 */
export function fitting<Written>(
  run: Run,
  limitBytes: number,
  write: (source: string, leftOut: number) => Written,
): Written {
  for (let chars = limitBytes; ; ) {
    const written = write(...excerpt(run, chars));
    const json = JSON.stringify(written);
    const bytes = new Blob([json]).size + LINE_BYTES * json.split("\\n").length;
    if (bytes <= limitBytes || !chars) return written;
    chars = Math.floor((Math.min(chars, run.text.length) * limitBytes * 0.95) / bytes);
  }
}

/** At most about so much of the source, and how much of it is missing. */
function excerpt({ text, leftOut }: Run, chars: number): [string, number] {
  if (text.length <= chars) return [text, leftOut];
  // No half of a surrogate pair: a file cannot have it.
  const head = text.slice(0, chars / 8).replace(/[\ud800-\udbff]$/, "");
  const newest = text.slice(text.length - (chars * 7) / 8).replace(/^[\udc00-\udfff]/, "");
  const known = leftOut && leftOut - gap(leftOut).length;
  const left = known + text.length - head.length - newest.length;
  return [head + gap(left) + newest, left];
}

/** The line in place of what is missing, as the kernel writes it. */
function gap(leftOut: number): string {
  return `\n[… ${whole(leftOut)} characters left out …]\n`;
}

export function staticPlain(text: string, status: Status): string {
  if (status.state === "done") return text;
  return `${withNewline(text)}[${oneLine(status)}]`;
}

export function staticHtml(text: string, leftOut: number, status: Status): string {
  const { glyph, parts } = describe(status);
  const bad = status.state === "failed" || status.state === "lost";
  const mark = `<span${bad ? ` style="color: ${BAD}"` : ""}>${glyph}</span>`;
  const spans = parts.map((part, index) => {
    return `<span class="kkj-part">${index ? " · " : ""}${escapeHtml(part)}</span>`;
  });
  const words = `<span class="kkj-words">${spans.join("")}</span>`;
  const notes = leftOut ? [...status.notes, `${whole(leftOut)} characters left out`] : status.notes;
  const after = notes.map((note) => `<div style="${LINE}">${escapeHtml(note)}</div>`).join("");
  const [around, tag, list] =
    text.length > FOLDABLE_CHARS
      ? ["details", "summary", "; list-style: none"]
      : ["div", "div", ""];
  const line = `<${tag} class="kkj-line" style="${LINE}${list}">${mark} ${words}</${tag}>${after}`;
  const body = text && `<div style="${BOX}"><pre style="${TEXT}">\n${htmlOf(text)}</pre></div>`;
  const run = `class="kkj-static ${NO_FORMULAS}" data-kkj-run="${status.run_id}" style="margin: 0"`;
  return `<${around}${list && " open"} ${run}>${line}${body}</${around}>`;
}

/** What stands above a column. */
export function titleHtml(name: string): string {
  return `<div class="${NO_FORMULAS}" style="${LINE}; font-weight: 600">${escapeHtml(name)}</div>`;
}

function htmlOf(text: string): string {
  const all = blocks(text);
  if (all.length < 2) return escapeHtml(text);
  return all
    .map(
      (block) =>
        '<div style="content-visibility: auto; ' +
        `contain-intrinsic-size: auto ${heightPx(block)}px">${escapeHtml(block)}</div>`,
    )
    .join("");
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"'\r]/g, (character) => ESCAPES[character] as string);
}

function withNewline(text: string): string {
  return !text || text.endsWith("\n") ? text : `${text}\n`;
}
