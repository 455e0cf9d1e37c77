// Colours code line by line, going on where it stopped, as an editor does.

import { StringStream } from "@codemirror/streamparser";
import type { Language } from "./languages";

const INDENT = 4;
/** Longer lines are data, not code. */
const LINE_CHARS = 2_000;

/** The kind of a token, by the first of its names that is known; there are older and newer names. */
const NAMES: Record<string, string> = {
  keyword: "keyword controlKeyword definitionKeyword moduleKeyword modifier qualifier self",
  string: "string string-2 character regexp deleted",
  comment: "comment",
  number: "number atom bool null",
  operator: "operator meta",
  type: "type typeName className variable-3",
  builtin: "builtin variableName.standard",
  def: "def variableName.definition",
  property: "property propertyName attribute attributeName",
  tag: "tag tagName inserted",
};
const KINDS = new Map(
  Object.entries(NAMES).flatMap(([kind, names]) => names.split(" ").map((name) => [name, kind])),
);

/** Where the colouring of a piece of code stopped; its rest may begin there. */
export interface Paint {
  language: Language;
  state: unknown;
}

export function beginPaint(language: Language): Paint {
  return { language, state: language.startState?.(INDENT) ?? true };
}

/**
 * Fill `element` with `code`, coloured.
 *
 * @param from where its colouring goes on
 * @returns where it stopped
 */
export function paint(element: Element, code: string, from: Paint): Paint {
  const { language } = from;
  const state = copyOf(language, from.state);
  const drawing = new Drawing();
  const lines = code.split("\n");
  lines.forEach((line, index) => {
    if (index) drawing.add("\n", undefined);
    // The last is what comes after the last line end.
    if (line || index < lines.length - 1) paintLine(drawing, line, language, state);
  });
  element.replaceChildren(drawing.finish());
  return { language, state };
}

function paintLine(drawing: Drawing, line: string, language: Language, state: unknown): void {
  if (!line) {
    language.blankLine?.(state, INDENT);
    return;
  }
  const stream = new StringStream(line.slice(0, LINE_CHARS), INDENT, INDENT);
  while (!stream.eol()) {
    stream.start = stream.pos;
    let style: string | null = null;
    // A tokenizer may take steps that take nothing; one that takes too many has hung.
    for (let step = 0; step < 10 && stream.pos === stream.start; step++) {
      style = language.token(stream, state);
    }
    if (stream.pos === stream.start) stream.next();
    drawing.add(stream.current(), style === null ? undefined : kindOf(style));
  }
  if (line.length > LINE_CHARS) drawing.add(line.slice(LINE_CHARS), undefined);
}

function kindOf(style: string): string | undefined {
  for (const name of style.split(" ")) {
    const kind = KINDS.get(name) ?? KINDS.get(name.replace(/\..*/, ""));
    if (kind) return kind;
  }
  return undefined;
}

function copyOf(language: Language, state: unknown): unknown {
  if (language.copyState) return language.copyState(state);
  if (typeof state !== "object" || !state) return state;
  const entries = Object.entries(state);
  return Object.fromEntries(entries.map(([k, v]) => [k, Array.isArray(v) ? [...v] : v]));
}

/** Neighbours of one kind become one node. */
class Drawing {
  private readonly fragment = document.createDocumentFragment();
  private text = "";
  private kind: string | undefined;

  add(text: string, kind: string | undefined): void {
    if (kind !== this.kind) {
      this.put();
      this.kind = kind;
    }
    this.text += text;
  }

  finish(): DocumentFragment {
    this.put();
    return this.fragment;
  }

  private put(): void {
    if (!this.text) return;
    if (this.kind) {
      const span = document.createElement("span");
      span.className = `kkj-c-${this.kind}`;
      span.textContent = this.text;
      this.fragment.append(span);
    } else {
      this.fragment.append(this.text);
    }
    this.text = "";
  }
}
