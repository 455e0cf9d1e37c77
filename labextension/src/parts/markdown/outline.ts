// Where the blocks of a source begin and end: what of it is finished, and where one that grows and
// grows may be cut.

import type { Token } from "markdown-it";
import { isWhole } from "./unfinished";

export interface Cut {
  /** The offset at which the rest begins. */
  at: number;
  /** What must stand before the rest, so that it is read as what it is. */
  prefix: string;
}

interface Block {
  token: Token;
  start: number;
  end: number;
}

export class Outline {
  private readonly starts: number[] = [0];
  private readonly blocks: Block[] = [];

  constructor(
    private readonly source: string,
    private readonly tokens: Token[],
  ) {
    for (let at = source.indexOf("\n"); at >= 0; at = source.indexOf("\n", at + 1)) {
      this.starts.push(at + 1);
    }
    for (const token of tokens) {
      if (token.level || !token.map) continue;
      this.blocks.push({ token, start: token.map[0], end: token.map[1] });
    }
  }

  /** How many blocks will never change, whatever comes; they are all but the last. */
  get finished(): number {
    const last = this.blocks.at(-1);
    if (!last) return 0;
    // The line that begins the last block must be whole; of a table, the one below it, too.
    const line = last.token.type === "table_open" ? last.start + 1 : last.start;
    const halfLine = this.starts.length - 1;
    return line < halfLine ? this.blocks.length - 1 : Math.max(0, this.blocks.length - 2);
  }

  get length(): number {
    return this.blocks.length;
  }

  /** How much of the source the last block is; all of it, if there is none. */
  get growing(): number {
    return this.source.length - (this.blocks.length ? this.startOf(this.blocks.length - 1) : 0);
  }

  /** The offset at which the block with this number begins; the end, if there is none. */
  startOf(block: number): number {
    return this.offset(this.blocks[block]?.start ?? Number.POSITIVE_INFINITY);
  }

  /** Whether the source ends inside of code between fences. */
  get endsInCode(): boolean {
    const token = this.tokens.findLast(({ map, nesting }) => map && nesting >= 0);
    if (token?.type !== "fence" || !token.map) return false;
    const [start, end] = token.map;
    if (this.offset(end) < this.source.length) return false;
    const last = this.line(end - 1);
    const closing = /(`{3,}|~{3,})\s*$/.exec(last)?.[1];
    return !(end - 1 > start && closing?.startsWith(token.markup));
  }

  /** Where the last block may be cut, if it can be. */
  cut(): Cut | null {
    const block = this.blocks.at(-1);
    if (!block) return null;
    // The last line may be half of one.
    const last = this.starts.length - 1;
    switch (block.token.type) {
      case "fence":
        return last - 1 > block.start + 1 ? this.cutAt(last - 1, this.lines(block.start, 1)) : null;
      case "table_open":
        return last - 1 > block.start + 2 ? this.cutAt(last - 1, this.lines(block.start, 2)) : null;
      case "bullet_list_open":
      case "ordered_list_open": {
        const items = this.tokens.filter(
          ({ type, level }) => type === "list_item_open" && level === 1,
        );
        const item = items.at(-1)?.map?.[0] ?? block.start;
        return item > block.start ? this.cutAt(item, "") : null;
      }
      case "paragraph_open":
        return this.cutParagraph(this.offset(block.start));
      case "code_block":
      case "blockquote_open":
        return last - 1 > block.start ? this.cutAt(last - 1, "") : null;
      default:
        return null;
    }
  }

  /** Anywhere: a block that long is not what it was meant to be. */
  cutAnyway(): Cut {
    const line = this.source.lastIndexOf("\n", this.source.length - 2) + 1;
    return { at: line || this.source.length, prefix: "" };
  }

  /** At the end of a sentence or between words, and not within a link, a formula, emphasis. */
  private cutParagraph(start: number): Cut | null {
    const source = this.source;
    const from = Math.max(start, source.length - 3_000);
    for (const between of [/[.!?:]\s+(?=\p{L})/gu, /\s(?=\p{Ll})/gu]) {
      const ends = [...source.slice(from).matchAll(between)].map(
        (found) => from + found.index + found[0].length,
      );
      for (const at of ends.slice(-20).reverse()) {
        const before = source.slice(start, at);
        if (isWhole(before) && !/\[[^\]]*$/.test(before)) return { at, prefix: "" };
      }
    }
    return null;
  }

  private cutAt(line: number, prefix: string): Cut {
    return { at: this.offset(line), prefix };
  }

  private offset(line: number): number {
    return this.starts[line] ?? this.source.length;
  }

  private line(line: number): string {
    return this.source.slice(this.offset(line), this.offset(line + 1));
  }

  private lines(line: number, count: number): string {
    return this.source.slice(this.offset(line), this.offset(line + count));
  }
}
