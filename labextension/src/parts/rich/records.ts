// The source of the rich and the latest view: a line of JSON for each value, written in
// kkjupyter/notebook/views/rich/records.py.

import type { MimeForms } from "../../panes/pane";
import { whole } from "../../text/numbers";

/** A value, or how many values are no longer kept. */
export type RichRecord = MimeForms | { leftOut: number };

/** What a line says; null if it was cut. */
export function recordOf(line: string): RichRecord | null {
  try {
    const { data, metadata, left_out } = JSON.parse(line);
    if (typeof left_out === "number") return { leftOut: left_out };
    return data && metadata ? { data, metadata } : null;
  } catch {
    return null;
  }
}

/** For a reader who has text only. */
export function textOf(record: RichRecord): string {
  if ("leftOut" in record) return gapWords(record.leftOut);
  const text = record.data["text/plain"];
  return typeof text === "string" ? text : "";
}

export function gapWords(count: number): string {
  return `… ${whole(count)} earlier item${count === 1 ? " is" : "s are"} left out`;
}

/** The texts of all values of a source. */
export function textsIn(source: string): string[] {
  return source.split("\n").flatMap((line) => {
    const record = recordOf(line);
    return record ? textOf(record) : [];
  });
}
