// The source of the answer view: a line of JSON for each step. kkjupyter/notebook/views/answer/records.py
// writes it and says what each kind means. Of a long answer only the beginning and the newest part may be
// there: the lines at the gap are cut in two, and left out.

const WRITTEN = [
  ...(["text", "think", "thought", "refusal", "call", "args", "anew", "result"] as const),
  ...(["image", "audio", "role", "error", "note", "value", "cut"] as const),
];
const KINDS: ReadonlyMap<unknown, (typeof WRITTEN)[number]> = new Map(
  WRITTEN.map((kind) => [kind, kind]),
);

export type Kind = (typeof WRITTEN)[number] | "gap";

export interface AnswerRecord {
  kind: Kind;
  choice: number;
  text: string;
  /** Seconds, the number of a call, a MIME type: as the kind says. */
  extra: number | string | null;
  /** Arguments that are complete. */
  isWhole: boolean;
}

const GAP = /^\[… ([\d,]+) characters left out …\]$/;

/** Reads a source that grows; a line that is not whole waits for its rest. */
export class RecordReader {
  private rest = "";

  read(source: string): AnswerRecord[] {
    const end = source.lastIndexOf("\n");
    if (end < 0) {
      this.rest += source;
      return [];
    }
    const lines = (this.rest + source.slice(0, end)).split("\n");
    this.rest = source.slice(end + 1);
    return lines.map(recordOf).filter((record) => record !== null);
  }
}

export function recordsOf(source: string): AnswerRecord[] {
  return new RecordReader().read(`${source}\n`);
}

function recordOf(line: string): AnswerRecord | null {
  const gap = GAP.exec(line);
  if (gap) return { kind: "gap", choice: 0, text: gap[1] ?? "", extra: null, isWhole: false };
  if (!line.startsWith("[")) return null;
  let values: unknown;
  try {
    values = JSON.parse(line);
  } catch {
    return null;
  }
  const [kind, choice, text, extra, isWhole] = values as unknown[];
  const known = KINDS.get(kind);
  if (!known || typeof choice !== "number" || typeof text !== "string") return null;
  const isExtra = typeof extra === "number" || typeof extra === "string";
  return { kind: known, choice, text, extra: isExtra ? extra : null, isWhole: isWhole === true };
}

/** The answer's Markdown, without what was thought and which tools were called. */
export function answerIn(source: string): string {
  const choices = new Map<number, string[]>();
  for (const { kind, choice, text } of recordsOf(source)) {
    if (kind === "gap") {
      for (const texts of choices.values()) texts.push(`\n[… ${text} characters left out …]\n`);
    } else if (kind === "text" || kind === "refusal") {
      const texts = choices.get(choice);
      if (texts) texts.push(text);
      else choices.set(choice, [text]);
    }
  }
  const inOrder = [...choices].sort(([one], [other]) => one - other);
  return inOrder.map(([, texts]) => texts.join("")).join("\n\n---\n\n");
}
