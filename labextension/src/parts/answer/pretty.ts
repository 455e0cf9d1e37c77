// JSON set out for a reader, its numbers and names as they were sent.
// kkjupyter/notebook/views/answer/pretty.py does the same; test/cases/answer.json holds both to it.

const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gs;
/** What is longer or deeper stays as it came. */
const MOST_CHARS = 100_000;
const MOST_LEVELS = 32;
const LINE_CHARS = 72;

/** JSON on one line if it is short, else on several; what is not JSON stays as it is. */
export function pretty(text: string): string {
  if (text.length > MOST_CHARS || !isJson(text)) return text;
  const tokens = text.match(TOKEN) ?? [];
  const line = tokens.map((token) => (/^[,:]$/.test(token) ? `${token} ` : token)).join("");
  if (line.length <= LINE_CHARS) return line;
  let made = "";
  let level = 0;
  let before = "";
  for (const token of tokens) {
    const isFirst = before === "{" || before === "[";
    if (token === "}" || token === "]") {
      level -= 1;
      if (!isFirst) made += lineEnd(level);
    } else if (isFirst || before === ",") made += lineEnd(level);
    else if (before === ":") made += " ";
    made += token;
    if (token === "{" || token === "[") level += 1;
    if (level > MOST_LEVELS) return text;
    before = token;
  }
  return made;
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function lineEnd(level: number): string {
  return `\n${"  ".repeat(level)}`;
}
