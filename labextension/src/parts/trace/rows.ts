// The rows of a trace, from its source: lines of JSON that put a row in its place, take rows away,
// or say what stands around them. kkjupyter/notebook/views/trace/view.py writes them.

export interface Row {
  time: string;
  direction: "out" | "in" | "here";
  label: string;
  detail: string;
  size: string;
  /** Whether these are several frames. */
  run: boolean;
  payload?: string;
}

export class Rows {
  heading = "";
  summary = "";
  rows: Row[] = [];
  /** The indices of the rows that changed since this was last emptied. */
  readonly changed = new Set<number>();
  private rest = "";

  add(source: string): void {
    const lines = (this.rest + source).split("\n");
    this.rest = lines.pop() ?? "";
    for (const line of lines) this.read(parse(line));
  }

  private read(line: unknown): void {
    if (Array.isArray(line)) {
      const [index, row] = line as [number, Row];
      if (index > this.rows.length) return; // what stands before it was left out
      this.rows[index] = row;
      this.changed.add(index);
    } else if (line && typeof line === "object") {
      const around = line as { heading?: string; summary?: string; rows?: number };
      this.heading = around.heading ?? this.heading;
      this.summary = around.summary ?? this.summary;
      if (around.rows !== undefined) this.rows.length = Math.min(this.rows.length, around.rows);
    }
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null; // the place where the middle of a long source was left out
  }
}

/** The diagram as text, for the clipboard. */
export function asText(source: string): string {
  const { heading, rows, summary } = read(source);
  const arrows = { out: "──►", in: "◄──", here: "···" };
  const lines = rows.map(({ time, direction, label, detail, size }) =>
    [time.padStart(8), arrows[direction], label, detail, size].filter(Boolean).join("  "),
  );
  return [heading, ...lines, summary, ""].join("\n");
}

export function read(source: string): Rows {
  const found = new Rows();
  found.add(source.endsWith("\n") ? source : `${source}\n`);
  return found;
}
