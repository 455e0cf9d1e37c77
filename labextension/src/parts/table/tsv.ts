// A table for a spreadsheet: values parted by tabs.

import { fullText, kindOf } from "./cells";
import { Rows } from "./rows";

/** What a spreadsheet would take for a formula, though the sender wrote a text. */
const FORMULA = /^[=@+\-\t\r]/;
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i;

/** The rows of `source` as tab-separated values, the names first. */
export function tsvOf(source: string): string {
  const rows = new Rows();
  rows.append(source.endsWith("\n") ? source : `${source}\n`);
  rows.advance(Number.POSITIVE_INFINITY);
  const lines = [rows.columns.map(({ name }) => field(name, true)).join("\t")];
  for (let i = 0; i < rows.count; i++) {
    if (i === rows.gapAt) lines.push(gapText(rows.leftOut));
    const row = rows.parse(i);
    lines.push(
      rows.columns
        .map((_, j) => {
          const kind = kindOf(row[j]);
          if (kind === "null") return "";
          return field(fullText(row[j]), kind === "text" || kind === "other");
        })
        .join("\t"),
    );
  }
  return `${lines.join("\n")}\n`;
}

export function gapText(leftOut: number | null): string {
  const rows = leftOut === 1 ? "row" : "rows";
  return `… ${leftOut === null ? "some" : leftOut.toLocaleString("en-US")} ${rows} left out …`;
}

function field(text: string, isText: boolean): string {
  const safe = isText && FORMULA.test(text) && !NUMBER.test(text) ? `'${text}` : text;
  return /["\t\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
