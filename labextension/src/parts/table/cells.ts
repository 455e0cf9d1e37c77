// The cells and lines of a table's source, and their texts. kkjupyter/notebook/views/table/view.py and
// cell_json.py write them; widths.py has the same texts, and test/cases/table.json holds both to it.

import { decimalsFor } from "../../text/numbers";

/**
 * A scalar stands for itself; `[]` is nothing at all, `["n", "NaN"]` a number that JSON cannot hold,
 * `["d", "2026-01-02"]` a date or time, `["j", "{...}"]` anything else.
 */
export type Cell = string | number | boolean | null | string[];

export type Kind = "number" | "text" | "date" | "boolean" | "null" | "missing" | "other";

/** What Python, whose notebook this is, calls them. */
const PYTHON_NAMES: Record<string, string> = { true: "True", false: "False", null: "None" };
const LINE_ENDS = /\r\n|\n|\r/g;

export function kindOf(cell: Cell | undefined): Kind {
  switch (typeof cell) {
    case "string":
      return "text";
    case "number":
      return "number";
    case "boolean":
      return "boolean";
  }
  if (cell === null) return "null";
  if (!cell?.length) return "missing";
  return cell[0] === "n" ? "number" : cell[0] === "d" ? "date" : "other";
}

/** All of a cell, its lines as they are. */
export function fullText(cell: Cell | undefined): string {
  if (typeof cell === "string") return cell;
  if (cell === undefined) return "";
  if (!Array.isArray(cell)) return PYTHON_NAMES[String(cell)] ?? String(cell);
  return cell[0] === "d" ? (cell[1] ?? "").replace("T", " ") : (cell[1] ?? "");
}

/** A cell in full on one line. */
export function lineText(cell: Cell | undefined): string {
  const text = fullText(cell);
  return /[\n\r\t]/.test(text) ? text.replace(LINE_ENDS, "↵").replaceAll("\t", " ") : text;
}

/** What is known of a column so far; widths and decimals only grow. */
export class Column {
  decimals = 0;
  /** The longest text so far, if the column is not one of numbers. */
  longest = "";
  private numbers = false;
  private others = false;
  private integerChars = 0;
  private rawChars = 0;

  constructor(readonly name: string) {}

  /** Whether its cells stand to the right. */
  get isNumber(): boolean {
    return this.numbers && !this.others;
  }

  /** Take a cell in; whether earlier cells now read differently. */
  see(cell: Cell | undefined): boolean {
    const wasNumber = this.isNumber;
    const decimals = this.decimals;
    if (typeof cell === "number") {
      this.numbers = true;
      this.measure(String(cell));
    } else if (cell !== null && cell !== undefined && !(Array.isArray(cell) && !cell.length)) {
      const kind = kindOf(cell);
      if (kind === "number") {
        this.numbers = true;
        this.rawChars = Math.max(this.rawChars, lineText(cell).length);
      } else this.others = true;
    }
    if (typeof cell !== "number" && cell !== undefined) {
      const text = lineText(cell);
      if (text.length > this.longest.length) this.longest = text;
    }
    return wasNumber !== this.isNumber || decimals !== this.decimals;
  }

  /** A text as wide as its widest cell, about. */
  get widest(): string {
    const chars = this.integerChars + (this.decimals && this.decimals + 1);
    const number = "0".repeat(Math.max(chars, this.rawChars));
    return number.length > this.longest.length ? number : this.longest;
  }

  /** A cell as the table shows it. */
  shown(cell: Cell | undefined): string {
    return typeof cell === "number" ? withDecimals(cell, this.decimals) : lineText(cell);
  }

  private measure(text: string): void {
    if (text.includes("e")) {
      this.rawChars = Math.max(this.rawChars, text.length);
      return;
    }
    const point = text.indexOf(".");
    const integer = point < 0 ? text.length : point;
    if (integer > this.integerChars) this.integerChars = integer;
    if (point < 0) return;
    const digits = text.slice(0, point).replace(/^-?0?/, "").length;
    const decimals = Math.min(text.length - point - 1, decimalsFor(digits));
    this.decimals = Math.max(this.decimals, decimals);
  }
}

/** A number with as many decimals as its column has, where that says enough of it. */
export function withDecimals(value: number, decimals: number): string {
  const text = String(value);
  if (text.includes("e")) return text;
  const point = text.indexOf(".");
  const has = point < 0 ? 0 : text.length - point - 1;
  if (has <= decimals) return text + (has || !decimals ? "" : ".") + "0".repeat(decimals - has);
  if (Math.abs(value) < 10 ** -decimals) return value.toExponential(2);
  return value.toFixed(decimals);
}
