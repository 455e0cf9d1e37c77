// The json view's source, a line for each value, as trees that fold. The lines are what
// kkjupyter/notebook/views/json.py writes: JSON, and for what JSON has no word for (a date, a
// set, an object of the user's) the nearest thing a reader knows. So the reading here is lenient: a
// leaf is whatever stands between the marks, and a line that cannot be read stays a line.

export type Tree = string | { open: string; close: string; entries: [key: string, value: Tree][] };

const PAIRS: Record<string, string> = { "{": "}", "[": "]", "(": ")" };

/** What is nested deeper is a leaf; the kernel writes no deeper. */
const MAX_DEPTH = 32;

/** The tree of a line; null if it is a leaf or cannot be read. */
export function treeOf(line: string): Tree | null {
  const reader = new Reader(line);
  const tree = reader.value(MAX_DEPTH);
  return typeof tree === "object" && tree.entries.length && reader.at === line.length ? tree : null;
}

class Reader {
  at = 0;

  constructor(private readonly line: string) {}

  /** undefined at the end */
  get next(): string | undefined {
    return this.line[this.at];
  }

  /** @param levels how many are read, of what is nested in it */
  value(levels: number): Tree {
    const open = this.next;
    return levels && (open === "{" || open === "[")
      ? this.container(open, levels - 1)
      : this.leaf(",}]");
  }

  private container(open: "{" | "[", levels: number): Tree {
    const close = PAIRS[open] as string;
    const entries: [string, Tree][] = [];
    this.at += 1;
    while (this.next && this.next !== close) {
      let key = String(entries.length);
      if (open === "{") {
        key = this.leaf(":,}]");
        if (this.next !== ":") return this.broken();
        this.at += 2;
      }
      entries.push([key, this.value(levels)]);
      if (this.line.startsWith(", ", this.at)) this.at += 2;
      else if (this.next !== close) return this.broken();
    }
    if (this.next !== close) return this.broken();
    this.at += 1;
    return { open, close, entries };
  }

  /** To one of `ends` that is in no string and no bracket. */
  private leaf(ends: string): string {
    const start = this.at;
    const closing: string[] = [];
    for (let character = this.next; character; this.at += 1, character = this.next) {
      if (character === '"') this.skipString();
      else if (character in PAIRS) closing.push(PAIRS[character] as string);
      else if (character === closing.at(-1)) closing.pop();
      else if (!closing.length && ends.includes(character)) {
        // A colon within a time of day is no end of a key.
        if (character !== ":" || this.line[this.at + 1] === " ") break;
      }
    }
    return this.line.slice(start, this.at);
  }

  private skipString(): void {
    for (this.at += 1; this.next && this.next !== '"'; this.at += 1) {
      if (this.next === "\\") this.at += 1;
    }
  }

  private broken(): Tree {
    this.at = Number.NaN;
    return "";
  }
}
