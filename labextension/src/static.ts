// The static output, for when the kernel is not there to make it. The same as
// kkjupyter/notebook/views/bundle.py; test/static-cases.json holds both to it.

import { blocks, heightPx } from "./blocks";
import { describe, oneLine, whole } from "./format";
import type { Run } from "./run";
import type { Bundle, Status } from "./types";

export const MIME_TYPE = "application/vnd.kkjupyter.v1+json";
/** Classes that keep the typesetters of JupyterLab and nbconvert from the dollars inside. */
const NO_FORMULAS = "mathjax_ignore tex2jax_ignore";
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
const BAD = "var(--jp-error-color1, inherit)";

/** @param text what the run's view shows, for a reader; not always its source */
export function staticBundle(run: Run, text: string): Bundle {
  const { status, leftOut } = run;
  const source = text === run.text ? {} : { source: run.text };
  return {
    [MIME_TYPE]: { view: run.view, pane: run.pane, left_out: leftOut, ...source, ...status },
    "text/html": staticHtml(text, leftOut, status),
    "text/plain": staticPlain(text, status),
  };
}

export function checkpointText(run: Run): string {
  return `${withNewline(run.text)}[not finished when saved: ${oneLine(run.status)}]`;
}

export function staticPlain(text: string, status: Status): string {
  if (status.state === "done") return text;
  return `${withNewline(text)}[${oneLine(status)}]`;
}

export function staticHtml(text: string, leftOut: number, status: Status): string {
  const { glyph, parts } = describe(status);
  const bad = status.state === "failed" || status.state === "lost";
  const mark = bad ? `<span style="color: ${BAD}">${glyph}</span>` : `<span>${glyph}</span>`;
  const spans = parts.map((part, index) => {
    return `<span class="kkj-part">${index ? " · " : ""}${escapeHtml(part)}</span>`;
  });
  const words = `<span class="kkj-words">${spans.join("")}</span>`;
  const notes = leftOut ? [...status.notes, `${whole(leftOut)} characters left out`] : status.notes;
  const after = notes.map((note) => `<div style="${LINE}">${escapeHtml(note)}</div>`).join("");
  const foldable = text.length > FOLDABLE_CHARS;
  const tag = foldable ? "summary" : "div";
  const list = foldable ? "; list-style: none" : "";
  const line = `<${tag} class="kkj-line" style="${LINE}${list}">${mark} ${words}</${tag}>${after}`;
  const body = text && `<div style="${BOX}"><pre style="${TEXT}">\n${htmlOf(text)}</pre></div>`;
  const run = `class="kkj-static ${NO_FORMULAS}" data-kkj-run="${status.run_id}" style="margin: 0"`;
  return foldable
    ? `<details open ${run}>${line}${body}</details>`
    : `<div ${run}>${line}${body}</div>`;
}

/** What stands above a column. */
export function titleHtml(name: string): string {
  return `<div class="${NO_FORMULAS}" style="${LINE}; font-weight: 600">${escapeHtml(name)}</div>`;
}

function htmlOf(text: string): string {
  const [first = "", ...others] = blocks(text);
  if (!others.length) return escapeHtml(first);
  return [first, ...others]
    .map((block) => {
      const size = `auto ${heightPx(block)}px`;
      const style = `content-visibility: auto; contain-intrinsic-size: ${size}`;
      return `<div style="${style}">${escapeHtml(block)}</div>`;
    })
    .join("");
}

function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#x27;")
    .replaceAll("\r", "&#13;");
}

function withNewline(text: string): string {
  return !text || text.endsWith("\n") ? text : `${text}\n`;
}
