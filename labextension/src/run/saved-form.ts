// What a page writes into the notebook file where the kernel cannot: before the end, and when there is
// no kernel left. The same fields as kkjupyter/notebook/views/saved_form.py; test/cases/saved-form.json
// holds the text to that.

import { type Bundle, MIME_TYPE, type Snapshot, type Status } from "../kernel/messages";
import { whole } from "../text/numbers";
import { isOver, type Run } from "./run";
import { oneLine } from "./status-text";

/** What an output may take in the notebook file, all its forms together; the kernel's limit, too. */
export const SAVED_BYTES = 5_000_000;
/** A notebook file has each line of a text on a line of its own: blanks, quotes, a comma. */
const LINE_BYTES = 11;
/** What is said of a run of which the file has only the beginning. */
export const NOT_FINISHED = "not finished when saved";

/** A run as it is written. */
export interface WrittenRun {
  /** The id of its output. */
  key: string;
  run: Run;
  /** Makes of the source what the run's view shows, for a reader. */
  read(source: string): string;
}

/** Answers before the newest one, oldest first. */
export interface WrittenBefore {
  runs: readonly { snapshot: Snapshot }[];
  /** How many there were before these. */
  leftOut: number;
}

export interface WrittenColumn extends WrittenRun {
  name: string;
}

/** @param earlier the answers before this one; those for which there is no room are left out */
export function runBundle({ key, run, read }: WrittenRun, earlier?: WrittenBefore): Bundle {
  const { status } = run; // its clock goes on
  const bundle = fitting(run, SAVED_BYTES, (source, left_out) => {
    const text = read(source);
    return {
      [MIME_TYPE]: { key, ...fieldsOf(run, status, left_out), ...sourceOf(run, source, text) },
      "text/plain": plainText(text, status),
    };
  });
  if (earlier) Object.assign(bundle[MIME_TYPE] as object, writtenBefore(earlier, bundle));
  return bundle;
}

/** The earlier answers, as the newest ones of them fit in beside `bundle`. */
function writtenBefore({ runs, leftOut }: WrittenBefore, bundle: Bundle): object {
  let room = SAVED_BYTES - fileBytes(bundle);
  const fields = runs.map(({ snapshot: { text, withheld, status, ...rest } }) => {
    return { ...rest, ...status, source: text };
  });
  const first = fields.findLastIndex((one) => {
    room -= fileBytes(one);
    return room < 0;
  });
  return { earlier: fields.slice(first + 1), earlier_left_out: leftOut + first + 1 };
}

/** Several runs side by side. */
export function columnsBundle(key: string, runs: readonly WrittenColumn[]): Bundle {
  const limitBytes = SAVED_BYTES / runs.length;
  let plain = "";
  const columns = runs.map(({ name, key: own, run, read }) => {
    const { status } = run;
    const written = fitting(run, limitBytes, (source, left_out) => {
      const text = read(source);
      const fields = { ...fieldsOf(run, status, left_out), ...sourceOf(run, source, text) };
      return { fields: { name, key: own, ...fields }, text: plainText(text, status) };
    });
    plain += `${plain && "\n\n"}── ${name}\n`;
    const start = plain.length;
    plain += written.text;
    return { ...written.fields, at: [start, plain.length] };
  });
  const data = { view: "compare", pane: "compare", key, columns };
  return { [MIME_TYPE]: data, "text/plain": plain };
}

function fieldsOf({ view, pane, part }: Run, status: Status, left_out: number) {
  return { view, pane, part, left_out, ...status };
}

/** Text that stands beside it is not repeated. */
function sourceOf({ part }: Run, source: string, text: string): { source?: string } {
  return part && text !== source ? { source } : {};
}

/** The text, and how it ended if not well, or that it had not. */
export function plainText(text: string, status: Status): string {
  const note = noteOf(status);
  if (!note) return text;
  return `${text}${!text || text.endsWith("\n") ? "" : "\n"}${note}`;
}

/** The line at the end of a text that tells how its run ended; "" after a good end. */
export function noteOf(status: Status): string {
  if (status.state === "done") return "";
  return isOver(status) ? `[${oneLine(status)}]` : `[${NOT_FINISHED}: ${oneLine(status)}]`;
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
    const bytes = fileBytes(written);
    if (bytes <= limitBytes || !chars) return written;
    chars = Math.floor((Math.min(chars, run.text.length) * limitBytes * 0.95) / bytes);
  }
}

/** How much of a notebook file this takes. */
function fileBytes(written: unknown): number {
  const json = JSON.stringify(written);
  return new Blob([json]).size + LINE_BYTES * json.split("\\n").length;
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
