// Long text in blocks: what is out of sight need not be laid out.

/** A block ends at the first line end after this many characters ... */
const BLOCK_CHARS = 12_000;
/** ... or, in text without line ends, at the next space after this many: the line breaks there. */
const BLOCK_LIMIT_CHARS = 24_000;
const LINE_PX = 17;
const LINE_CHARS = 110;

/** Where a block that holds `chars` already ends within `text`; -1 if it goes on behind it. */
export function blockEnd(text: string, chars = 0): number {
  const line = text.indexOf("\n", Math.max(0, BLOCK_CHARS - chars));
  const space = text.indexOf(" ", Math.max(0, BLOCK_LIMIT_CHARS - chars));
  if (line < 0 || space < 0) return Math.max(line, space) + 1 || -1;
  return Math.min(line, space) + 1;
}

export function blocks(text: string): string[] {
  const found: string[] = [];
  for (let rest = text; rest; ) {
    const end = blockEnd(rest);
    const block = end < 0 ? rest : rest.slice(0, end);
    found.push(block);
    rest = rest.slice(block.length);
  }
  return found;
}

/** About how high a block will be: what the scroll bar goes by until it is laid out. */
export function heightPx(block: string): number {
  const lines = block.replace(/\n$/, "").split("\n");
  return LINE_PX * lines.reduce((sum, line) => sum + Math.ceil((line.length + 1) / LINE_CHARS), 0);
}
