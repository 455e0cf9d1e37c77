// The source of a plot: lines of JSON, of which objects say what the points are, and arrays are
// points. The Python side is kkjupyter/notebook/views/plot/view.py.

type Value = number | null;

export interface Header {
  /** What x is; null where points are counted. */
  x: string | null;
  /** x is seconds since 1970. */
  time: boolean;
  series: string[];
  /** How many of the newest points are wanted; absent: all. */
  last?: number;
  /** How many items were no points. */
  skipped?: number;
}

export class Points {
  header: Header = { x: null, time: false, series: [] };
  xs: number[] = [];
  /** For each series its ys, null where it has a gap. */
  ys: Value[][] = [];
  /** Whether x goes back and forth: then the points are a cloud and no line. */
  isCloud = false;
  /** Counts what makes a new drawing necessary, not only more of it. */
  shape = 0;
  private rest = "";

  get length(): number {
    return this.xs.length;
  }

  add(source: string): void {
    const lines = (this.rest + source).split("\n");
    this.rest = lines.pop() ?? "";
    for (const line of lines) this.addLine(line);
  }

  /** The newest points, x ascending; all of them if `last` is null. */
  newest(last: number | null): [number[], ...Value[][]] {
    const from = last === null ? 0 : Math.max(0, this.length - last);
    const cut = <T>(values: T[]) => (from ? values.slice(from) : values);
    const xs = cut(this.xs);
    const ys = this.ys.map(cut);
    if (!this.isCloud) return [xs, ...ys];
    const order = xs.map((_, index) => index).sort((a, b) => (xs[a] ?? 0) - (xs[b] ?? 0));
    const sorted = <T>(values: T[]) => order.map((index) => values[index] as T);
    return [sorted(xs), ...ys.map(sorted)];
  }

  private addLine(line: string): void {
    const value = parsed(line);
    if (Array.isArray(value)) this.addPoint(value);
    else if (value && typeof value === "object") this.addHeader(value as Partial<Header>);
  }

  private addHeader(changes: Partial<Header>): void {
    const before = this.header;
    this.header = { ...before, ...changes };
    if (!changes.series) return;
    while (this.ys.length < this.header.series.length) {
      this.ys.push(new Array<Value>(this.length).fill(null));
    }
    this.shape += 1;
  }

  private addPoint(row: Value[]): void {
    const [x, ...values] = row;
    if (typeof x !== "number") return;
    if (!this.isCloud && this.length && x < (this.xs[this.length - 1] ?? x)) {
      this.isCloud = true;
      this.shape += 1;
    }
    this.xs.push(x);
    this.ys.forEach((ys, index) => {
      const y = values[index];
      ys.push(typeof y === "number" ? y : null);
    });
  }
}

/** Where a value stands between two gaps. */
export function loneAmong(ys: readonly Value[]): number[] {
  const isGap = (y: Value | undefined) => y === null || y === undefined;
  return ys.flatMap((y, at) => (!isGap(y) && isGap(ys[at - 1]) && isGap(ys[at + 1]) ? [at] : []));
}

/** undefined for a line that was cut, or says that others were left out. */
function parsed(line: string): unknown {
  if (!line.startsWith("[") && !line.startsWith("{")) return undefined;
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

/** What the Copy button gives: a table that a spreadsheet understands. */
export function asTable(source: string): string {
  const points = new Points();
  points.add(source.endsWith("\n") ? source : `${source}\n`);
  const { header, xs, ys } = points;
  const names = header.series.map((name) => name || "y");
  const head = [header.x ?? (header.time ? "time" : "x"), ...names].join("\t");
  const rows = xs.map((x, index) => {
    const shown = header.time ? new Date(x * 1_000).toISOString() : String(x);
    return [shown, ...ys.map((column) => column[index] ?? "")].join("\t");
  });
  return [head, ...rows, ""].join("\n");
}
