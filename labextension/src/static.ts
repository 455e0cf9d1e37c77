// The static output, for when the kernel is not there to make it. The same as
// kkjupyter/notebook/views/bundle.py; test/static-cases.json holds both to it.

import { describe, whole } from "./format";
import type { Run } from "./run";
import type { Bundle, Status } from "./types";

const MIME_TYPE = "application/vnd.kkjupyter.v1+json";
/** Longer text can be folded away; the state line is the handle. */
const FOLDABLE_CHARS = 2_000;

const FONT = "var(--jp-ui-font-family, system-ui, sans-serif)";
const CODE_FONT = "var(--jp-code-font-family, monospace)";
const MUTED = "var(--jp-ui-font-color2, inherit)";
const LINE =
  `margin: 0; padding: 2px 5px; min-height: 20px; font-family: ${FONT}; font-size: 12px; ` +
  `line-height: 20px; color: ${MUTED}; overflow-wrap: break-word`;
const BOX =
  "margin: 0; padding: 0 5px; max-height: 416px; overflow: auto; display: flex; " +
  "flex-direction: column-reverse";
const TEXT =
  `margin: 0; white-space: pre-wrap; overflow-wrap: break-word; font-family: ${CODE_FONT}; ` +
  "font-size: 13px; line-height: 17px; color: var(--jp-content-font-color1, inherit)";
const ACCENTS: Partial<Record<Status["state"], string>> = {
  failed: "var(--jp-error-color1, inherit)",
  lost: "var(--jp-error-color1, inherit)",
};

export function staticBundle(run: Run): Bundle {
  const { status, text, leftOut } = run;
  return {
    [MIME_TYPE]: { view: run.view, left_out: leftOut, ...status },
    "text/html": staticHtml(run.view, text, leftOut, status),
    "text/plain": staticPlain(text, status),
  };
}

export function checkpointText(run: Run): string {
  const { glyph, text } = describe(run.status);
  return withNewline(run.text) + `[not finished when saved: ${glyph} ${text}]`;
}

export function staticPlain(text: string, status: Status): string {
  if (status.state === "done") return text;
  const { glyph, text: words } = describe(status);
  return `${withNewline(text)}[${glyph} ${words}]`;
}

export function staticHtml(view: string, text: string, leftOut: number, status: Status): string {
  const { glyph, text: words } = describe(status);
  const accent = ACCENTS[status.state];
  const mark = accent ? `<span style="color: ${accent}">${glyph}</span>` : glyph;
  const extra = leftOut ? [...status.notes, `${whole(leftOut)} characters left out`] : status.notes;
  const notes = extra.map((note) => `<br>${escapeHtml(note)}`).join("");
  const line = `${mark} ${escapeHtml(words)}${notes}`;
  if (!text) return `<div style="${LINE}">${line}</div>`;
  const wide = view === "text" ? "; max-width: 120ch" : "";
  const body = `<div style="${BOX}"><div style="${TEXT}${wide}">${escapeHtml(text)}</div></div>`;
  if (text.length <= FOLDABLE_CHARS) return `<div style="${LINE}">${line}</div>${body}`;
  return `<details open><summary style="${LINE}; list-style: none">${line}</summary>${body}</details>`;
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
