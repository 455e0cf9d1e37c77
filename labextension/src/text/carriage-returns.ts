// Lines that are written over, as a terminal shows them: `\r` goes back to the beginning of the line,
// and what a shorter text does not reach of a longer one stays; `\r\n` is the end of a line.
// kkjupyter/notebook/safe_text.py has the same; test/cases/carriage-returns.json holds both to it.

/** `text` as it is in the end. */
export function rewritten(text: string): string {
  return settled(text).split("\r", 1)[0] as string;
}

/**
 * `text` without what was written over for good. Whatever is appended to it, it looks the same: its
 * last line may be followed by a `\r` and what was written since, from its beginning.
 */
export function settled(text: string): string {
  const first = text.indexOf("\r");
  if (first < 0) return text;
  const start = text.lastIndexOf("\n", first) + 1;
  const lines = text.slice(start).split("\n");
  const last = lines.pop() as string;
  const written = last.slice(last.lastIndexOf("\r") + 1);
  const shown = writtenOver(last);
  const open = shown === written ? shown : `${shown}\r${written}`;
  return text.slice(0, start) + [...lines.map(writtenOver), open].join("\n");
}

function writtenOver(line: string): string {
  let shown: string[] = [];
  // What came last lies on top. By characters: one outside the basic plane covers one, too.
  for (const written of line.split("\r").reverse()) {
    if (written.length > shown.length) shown = shown.concat([...written].slice(shown.length));
  }
  return shown.join("");
}
