// The rows in the order of one column: a stable merge sort that works in slices of time, and takes
// rows in that arrive later. Numbers come before texts, what is empty comes last either way. The engine
// sorts no more than a run at once: it would hold the page for half a second with 100,000 texts, and
// for many seconds with a million.

import { type Cell, fullText, kindOf } from "./cells";
import type { Rows } from "./rows";

const RUN_ROWS = 1_000;
const STEPS_AT_ONCE = 2_000;
const NUMBER = 0;
const TEXT = 1;
const EMPTY = 2;

const collator = new Intl.Collator(undefined, { numeric: true });

export type Direction = "ascending" | "descending";

export class Order {
  private classes = new Uint8Array(1_024);
  private numbers = new Float64Array(1_024);
  private readonly texts: (string | undefined)[] = [];
  private known = 0;
  /** Sorted already, each larger than the next. */
  private readonly runs: Int32Array<ArrayBuffer>[] = [];
  private work: Generator<void, void> | null = null;
  private sorted = new Int32Array(0);

  constructor(
    private readonly rows: Rows,
    readonly column: number,
    readonly direction: Direction,
  ) {}

  /** How many rows have their place. */
  get count(): number {
    return this.sorted.length;
  }

  /** The row at a place. */
  at(place: number): number {
    return this.sorted[place] ?? -1;
  }

  /** Go on sorting until `until` (of performance.now()); true if every row has its place. */
  advance(until: number): boolean {
    while (this.count < this.rows.count) {
      this.work ??= this.sort(this.rows.count);
      if (this.work.next().done) this.work = null;
      if (performance.now() >= until) break;
    }
    return this.count === this.rows.count;
  }

  private *sort(count: number): Generator<void, void> {
    while (this.known < count) {
      const first = this.known;
      this.learn(Math.min(first + RUN_ROWS, count));
      const run = Int32Array.from({ length: this.known - first }, (_, i) => first + i);
      run.sort((a, b) => this.compare(a, b));
      this.runs.push(run);
      yield;
      yield* this.mergeWhile((last, before) => before < 2 * last);
    }
    yield* this.mergeWhile(() => true);
    this.sorted = this.runs[0] ?? this.sorted;
  }

  private *mergeWhile(wanted: (last: number, before: number) => boolean): Generator<void, void> {
    for (;;) {
      const last = this.runs.at(-1);
      const before = this.runs.at(-2);
      if (!last || !before || !wanted(last.length, before.length)) return;
      const merged = yield* this.merge(before, last);
      this.runs.splice(-2, 2, merged);
    }
  }

  private *merge(a: Int32Array, b: Int32Array): Generator<void, Int32Array<ArrayBuffer>> {
    const merged = new Int32Array(a.length + b.length);
    let i = 0;
    let end = 0;
    let steps = 0;
    for (const row of b) {
      // Most of a long run is copied, not compared.
      const next = this.placeIn(a, i, row);
      merged.set(a.subarray(i, next), end);
      end += next - i;
      merged[end++] = row;
      i = next;
      if (++steps % STEPS_AT_ONCE === 0) yield;
    }
    merged.set(a.subarray(i), end);
    return merged;
  }

  /** Where `row` belongs in `run`, behind its equals, from `from` on: galloping, then halving. */
  private placeIn(run: Int32Array, from: number, row: number): number {
    let step = 1;
    let low = from;
    let high = from;
    while (high < run.length && this.compare(run[high] ?? 0, row) <= 0) {
      low = high + 1;
      high += step;
      step *= 2;
    }
    high = Math.min(high, run.length);
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.compare(run[middle] ?? 0, row) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private compare(a: number, b: number): number {
    const classA = this.classes[a] ?? EMPTY;
    const classB = this.classes[b] ?? EMPTY;
    if (classA === EMPTY || classB === EMPTY) {
      if (classA !== classB) return classA - classB;
    } else {
      const found =
        classA - classB || (classA === NUMBER ? this.byNumber(a, b) : this.byText(a, b));
      if (found) return this.direction === "ascending" ? found : -found;
    }
    return a - b;
  }

  private byNumber(a: number, b: number): number {
    const x = this.numbers[a] ?? 0;
    const y = this.numbers[b] ?? 0;
    return x < y ? -1 : x > y ? 1 : 0;
  }

  private byText(a: number, b: number): number {
    const x = this.texts[a] ?? "";
    const y = this.texts[b] ?? "";
    return x === y ? 0 : collator.compare(x, y);
  }

  /** Read the keys of the rows up to `end`. */
  private learn(end: number): void {
    if (end > this.classes.length) {
      const size = Math.max(end, 2 * this.classes.length);
      this.classes = grown(this.classes, new Uint8Array(size));
      this.numbers = grown(this.numbers, new Float64Array(size));
    }
    for (; this.known < end; this.known++) {
      const key = keyOf(this.rows.parse(this.known)[this.column]);
      if (typeof key === "number") {
        this.classes[this.known] = NUMBER;
        this.numbers[this.known] = key;
      } else {
        this.classes[this.known] = key === null ? EMPTY : TEXT;
        if (key !== null) this.texts[this.known] = key;
      }
    }
  }
}

/** What a cell is sorted by; null if it is empty. */
function keyOf(cell: Cell | undefined): number | string | null {
  switch (kindOf(cell)) {
    case "missing":
    case "null":
      return null;
    case "boolean":
      return Number(cell);
    case "number": {
      const value = typeof cell === "number" ? cell : Number(fullText(cell));
      return Number.isNaN(value) ? null : value;
    }
    case "date": {
      const moment = Date.parse(Array.isArray(cell) ? (cell[1] ?? "") : "");
      return Number.isNaN(moment) ? fullText(cell) : moment;
    }
  }
  return fullText(cell);
}

function grown<T extends Uint8Array | Float64Array>(from: T, into: T): T {
  into.set(from);
  return into;
}
