// The json view's source, a line for each value, as trees that fold. The lines are what
// kkjupyter/notebook/views/jsonlines.py writes: JSON, and for what JSON has no word for (a date, a
// set, an object of the user's) the nearest thing a reader knows. So the reading here is lenient: a
// leaf is whatever stands between the marks, and a line that cannot be read stays a line.

export type Tree = string | { open: string; close: string; entries: [key: string, value: Tree][] };

const PAIRS: Record<string, string> = { "{": "}", "[": "]", "(": ")" };

/** The tree of a line; null if it is a leaf or cannot be read. */
export function treeOf(line: string): Tree | null {
  if (!/^[[{]/.test(line)) return null;
  const reader = new Reader(line);
  const tree = reader.value();
  return typeof tree === "object" && tree.entries.length && reader.isAtEnd ? tree : null;
}

class Reader {
  private at = 0;

  constructor(private readonly line: string) {}

  get isAtEnd(): boolean {
    return this.at === this.line.length;
  }

  value(): Tree {
    const open = this.line[this.at];
    return open === "{" || open === "[" ? this.container(open) : this.leaf(",}]");
  }

  private container(open: "{" | "["): Tree {
    const close = PAIRS[open] as string;
    const entries: [string, Tree][] = [];
    this.at += 1;
    while (this.at < this.line.length && this.line[this.at] !== close) {
      let key = String(entries.length);
      if (open === "{") {
        key = this.leaf(":,}]");
        if (this.line[this.at] !== ":") return this.broken();
        this.at += 2;
      }
      entries.push([key, this.value()]);
      if (this.line.startsWith(", ", this.at)) this.at += 2;
      else if (this.line[this.at] !== close) return this.broken();
    }
    if (this.line[this.at] !== close) return this.broken();
    this.at += 1;
    return { open, close, entries };
  }

  /** To one of `ends` that is in no string and no bracket. */
  private leaf(ends: string): string {
    const start = this.at;
    const closing: string[] = [];
    for (; this.at < this.line.length; this.at += 1) {
      const character = this.line[this.at] as string;
      if (character === '"') this.skipString();
      else if (character in PAIRS) closing.push(PAIRS[character] as string);
      else if (character === closing.at(-1)) closing.pop();
      else if (!closing.length && ends.includes(character) && !this.isInside(character)) break;
    }
    return this.line.slice(start, this.at);
  }

  /** A colon within a time of day is no end of a key. */
  private isInside(character: string): boolean {
    return character === ":" && this.line[this.at + 1] !== " ";
  }

  private skipString(): void {
    for (this.at += 1; this.at < this.line.length && this.line[this.at] !== '"'; this.at += 1) {
      if (this.line[this.at] === "\\") this.at += 1;
    }
  }

  private broken(): Tree {
    this.at = Number.NaN;
    return "";
  }
}
