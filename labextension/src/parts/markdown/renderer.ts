// Source to nodes: parsed, sanitised, its code coloured and put into boxes.

import DOMPurify, { type Config } from "dompurify";
import type { MarkdownIt, Token } from "markdown-it";
import { make } from "../../ui/element";
import { boxCode } from "./code-block";
import { beginPaint, type Paint, paint } from "./highlight";
import { languageNamed } from "./languages";
import { Outline } from "./outline";
import { makeParser } from "./parser";
import type { ParserEnv } from "./parser-env";
import { withoutHalfLine, withTableHead } from "./unfinished";

// What the parser writes is safe by itself; the sanitiser is the second lock.
const ALLOWED = {
  ALLOWED_TAGS: (
    "a blockquote br code del div em h1 h2 h3 h4 h5 h6 hr img li ol p pre s span strong sup table " +
    "tbody td th thead tr ul"
  ).split(" "),
  ALLOWED_ATTR: ["alt", "class", "href", "rel", "src", "start", "target"],
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|data:image\/(?:png|jpe?g|gif|webp);base64,)/i,
  ADD_URI_SAFE_ATTR: ["rel", "start", "target"],
  ALLOW_DATA_ATTR: false,
  ALLOW_ARIA_ATTR: false,
  RETURN_DOM_FRAGMENT: true,
} satisfies Config;

/** A source that was read, to be drawn. */
export interface ParsedSource {
  outline: Outline;
  /** What is to be shown of it. */
  tokens: Token[];
  env: ParserEnv;
}

export class MarkdownRenderer {
  private readonly md: MarkdownIt = makeParser();
  private references: NonNullable<ParserEnv["references"]> = {};
  /** Where the colouring of each code ended. */
  private readonly paints = new WeakMap<HTMLElement, Paint>();

  /** @param canInsert whether code can be put into the notebook */
  constructor(private readonly canInsert = false) {}

  /**
   * @param source what is not finished yet
   * @param growing whether more of it may come
   */
  read(source: string, growing: boolean): ParsedSource {
    const references = { ...this.references };
    const env: ParserEnv = { references, growing, closesOpenMarks: growing && !isClosed(source) };
    const tokens = this.md.parse(source, env);
    const outline = new Outline(source, tokens);
    const readable = growing ? readableOf(source, outline.endsInCode) : source;
    if (readable === source) return { outline, tokens, env };
    const shown: ParserEnv = { references, growing, closesOpenMarks: !isClosed(readable) };
    return { outline, tokens: this.md.parse(readable, shown), env: shown };
  }

  /** @param from where the colouring of its first code goes on */
  draw({ tokens, env }: ParsedSource, from?: Paint): HTMLElement[] {
    const html = this.md.renderer.render(tokens, this.md.options, env);
    const fragment = DOMPurify.sanitize(html, ALLOWED) as DocumentFragment;
    return this.dress(fragment, from);
  }

  /** Remember the link addresses that a finished source defines. */
  learn(source: string): void {
    if (!source.includes("]:")) return;
    const env: ParserEnv = { references: this.references };
    this.md.block.parse(source, this.md, env, []);
    this.references = env.references ?? {};
  }

  /** Where the colouring of the code in this node ended. */
  paintOf(node: HTMLElement | undefined): Paint | undefined {
    const code = node?.querySelector<HTMLElement>("code");
    return code ? this.paints.get(code) : undefined;
  }

  private dress(fragment: DocumentFragment, from: Paint | undefined): HTMLElement[] {
    let first = from;
    for (const pre of fragment.querySelectorAll("pre")) {
      const code = pre.querySelector("code");
      if (!code) continue;
      const name = /language-(\S+)/.exec(code.className)?.[1] ?? "";
      const language = languageNamed(name);
      if (language) {
        const begin = first?.language === language ? first : beginPaint(language);
        this.paints.set(code, paint(code, code.textContent ?? "", begin));
      }
      first = undefined;
      boxCode(pre, name, this.canInsert);
    }
    for (const table of fragment.querySelectorAll("table")) {
      const box = make("div", "kkj-wide");
      table.replaceWith(box);
      box.append(table);
    }
    return [...fragment.children] as HTMLElement[];
  }
}

/** What of a growing source can be read already. */
function readableOf(source: string, isCode: boolean): string {
  const known = withoutHalfLine(source, isCode);
  return isCode ? known : withTableHead(known);
}

/** Whether the last paragraph has ended: nothing of it is open any more. */
function isClosed(source: string): boolean {
  return /\n[ \t>]*\n$/.test(source);
}
