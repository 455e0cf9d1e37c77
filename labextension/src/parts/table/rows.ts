// The rows of a table as the page keeps them: their lines of source, parsed when they are drawn.

import { type Cell, Column } from "./cells";

/** Parsed rows that are kept: some screens full. */
const CACHED_ROWS = 500;
/** So many lines are taken in between two looks at the clock. */
const LINES_AT_ONCE = 64;
const GAP = /^\[… [\d,]+ characters left out …\]$/;

interface Head {
  columns: string[];
  row: number;
}

export class Rows {
  readonly columns: Column[] = [];
  /** Counts how often the look of earlier rows has changed. */
  version = 0;
  /** How many rows there are before those that the source lacks; null if it lacks none. */
  gapAt: number | null = null;
  /** How many it lacks; null while that is not known. */
  leftOut: number | null = 0;

  private readonly lines: string[] = [];
  private readonly cache = new Map<number, Cell[]>();
  private waiting: string[] = [];
  private taken = 0;
  private rest = "";

  get count(): number {
    return this.lines.length;
  }

  /** More source. It is taken in by {@link advance}. */
  append(source: string): void {
    const lines = (this.rest + source).split("\n");
    this.rest = lines.pop() ?? "";
    if (this.taken === this.waiting.length) {
      this.waiting = lines;
      this.taken = 0;
    } else for (const line of lines) this.waiting.push(line);
  }

  /** Take in what was appended until `until` (of performance.now()); true if that was all. */
  advance(until: number): boolean {
    while (this.taken < this.waiting.length) {
      const end = Math.min(this.taken + LINES_AT_ONCE, this.waiting.length);
      while (this.taken < end) this.take(this.waiting[this.taken++] ?? "");
      if (performance.now() >= until) break;
    }
    return this.taken === this.waiting.length;
  }

  row(index: number): Cell[] {
    let row = this.cache.get(index);
    if (!row) {
      row = this.parse(index);
      if (this.cache.size >= CACHED_ROWS) this.cache.clear();
      this.cache.set(index, row);
    }
    return row;
  }

  /** As {@link row}, for those who go through all of them. */
  parse(index: number): Cell[] {
    return JSON.parse(this.lines[index] ?? "[]");
  }

  private take(line: string): void {
    if (line[0] === "{") this.takeHead(line);
    else if (line[0] === "[") this.takeRow(line);
  }

  private takeHead(line: string): void {
    const head = parsed<Head>(line);
    if (!head) return;
    for (const name of head.columns.slice(this.columns.length)) {
      this.columns.push(new Column(name));
      this.version++;
    }
    // The first head after the gap numbers the rows between.
    if (this.gapAt !== null && this.leftOut === null) this.leftOut = head.row - this.count;
  }

  private takeRow(line: string): void {
    if (GAP.test(line)) {
      this.gapAt = this.count;
      this.leftOut = null;
      return;
    }
    const row = parsed<Cell[]>(line);
    if (!row) return; // half a row, next to the gap
    this.lines.push(line);
    while (this.columns.length < row.length) {
      this.columns.push(new Column(""));
      this.version++;
    }
    for (let i = 0; i < this.columns.length; i++) {
      if (this.columns[i]?.see(row[i])) this.version++;
    }
  }
}

function parsed<T>(line: string): T | null {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}
