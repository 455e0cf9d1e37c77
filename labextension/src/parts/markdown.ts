// The Markdown pane: an answer rendered while it is written. Blocks that are finished are never
// touched again; the one that grows is drawn anew with each frame, and cut when it becomes long, so
// that a frame costs no more at the end of a long answer than at its beginning.

import type { Pane, PaneContext } from "../panes/pane";
import { copyAndSay } from "../ui/button";
import { addStyle } from "../ui/styles";
import type { Paint } from "./markdown/highlight";
import css from "./markdown/markdown.css";
import type { Cut, Outline } from "./markdown/outline";
import { MarkdownRenderer } from "./markdown/renderer";
import { Sections } from "./markdown/sections";

/**
 * What is taken in with one frame: as much as is drawn in so much time, within these bounds. What is
 * open is drawn with each frame, so that very small ones would only fall behind.
 */
const FRAME_MS = 25;
const MIN_FRAME_CHARS = 6_000;
const MAX_FRAME_CHARS = 16_000;
/** A formula takes the notebook some milliseconds. */
const FRAME_FORMULAS = 5;
/** An open block that is longer is cut where it can be ... */
const OPEN_CHARS = 6_000;
/** ... and one that is much longer anywhere: unclosed brackets take time that grows as its square. */
const HARD_CHARS = 12_000;

export function makePane(context: PaneContext): Pane {
  return new MarkdownPane(context);
}

class MarkdownPane implements Pane {
  readonly element: HTMLElement;
  private readonly sections: Sections;
  private readonly renderer = new MarkdownRenderer();
  private pending = "";
  /** The source of the open blocks. */
  private open = "";
  /** What must stand before it, where it is the rest of a block that was cut. */
  private prefix = "";
  private paint: Paint | undefined;
  private isContinued = false;
  /** Of finished blocks, not typeset yet. */
  private formulas: HTMLElement[] = [];
  private frame = 0;
  private frameChars = MAX_FRAME_CHARS;
  private hasEnded = false;

  constructor(private readonly context: PaneContext) {
    const pane = document.createElement("div");
    pane.className = "kkj-markdown";
    pane.addEventListener("click", copyCode);
    // Lab's own look of Markdown, where there is Lab.
    const content = document.createElement("div");
    content.className = "kkj-answer jp-RenderedHTMLCommon";
    pane.append(content);
    addStyle(document, "markdown", css);
    this.sections = new Sections(content);
    this.element = pane;
  }

  append(source: string): void {
    this.pending += source;
    this.frame ||= requestAnimationFrame(() => this.flush());
  }

  replace(source: string): void {
    this.sections.clear();
    this.cutOff("", undefined, false);
    this.open = "";
    this.pending = "";
    this.formulas = [];
    this.append(source);
  }

  /** Draw what is pending; of very much, a part now and the rest with the next frames. */
  flush(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const startedMs = performance.now();
    if (this.pending) this.take(this.frameChars);
    this.typesetSome();
    this.pace(performance.now() - startedMs);
    if (this.pending || this.formulas.length) {
      this.frame = requestAnimationFrame(() => this.flush());
    }
  }

  ended(): void {
    this.hasEnded = true;
    if (!this.pending) this.take(0);
    this.flush();
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
  }

  private take(chars: number): void {
    this.open += this.pending.slice(0, chars);
    this.pending = this.pending.slice(chars);
    this.draw();
  }

  private draw(): void {
    const isLast = this.hasEnded && !this.pending;
    // Each turn leaves less to draw.
    for (;;) {
      const source = this.prefix + this.open;
      const parsed = this.renderer.read(source, !isLast);
      const { outline } = parsed;
      const finished = isLast ? outline.length : outline.finished;
      const cut = finished ? null : this.whereToCut(outline);
      if (cut) {
        this.cut(source.slice(0, cut.at), cut.prefix);
        continue;
      }
      this.show(this.renderer.draw(parsed, this.paint));
      if (finished) this.finish(finished, outline.startOf(finished));
      if (!finished || this.open.length <= OPEN_CHARS) return;
    }
  }

  private whereToCut(outline: Outline): Cut | null {
    // A short block after a long one is left whole: that one is finished with the next line.
    if (outline.growing <= OPEN_CHARS) return null;
    const cut = outline.cut() ?? (outline.growing > HARD_CHARS ? outline.cutAnyway() : null);
    return cut && cut.at > this.prefix.length ? cut : null;
  }

  /** Take the blocks before this offset of what was drawn for finished. */
  private finish(count: number, end: number): void {
    const source = this.open.slice(0, end - this.prefix.length);
    this.open = this.open.slice(source.length);
    this.done(count, source);
    this.cutOff("", undefined, false);
  }

  /** Finish the open block with `source`, though it goes on. */
  private cut(source: string, prefix: string): void {
    const nodes = this.renderer.draw(this.renderer.read(source, false), this.paint);
    const paint = this.renderer.paintOf(nodes.at(-1));
    nodes.at(-1)?.classList.add("kkj-goes-on");
    this.show(nodes);
    this.open = this.open.slice(source.length - this.prefix.length);
    this.done(nodes.length, source);
    this.cutOff(prefix, prefix ? paint : undefined, true);
  }

  private cutOff(prefix: string, paint: Paint | undefined, isContinued: boolean): void {
    this.prefix = prefix;
    this.paint = paint;
    this.isContinued = isContinued;
  }

  private show(nodes: HTMLElement[]): void {
    if (this.isContinued) nodes[0]?.classList.add("kkj-continued");
    this.sections.show(nodes);
  }

  private done(count: number, source: string): void {
    this.renderer.learn(source);
    for (const node of this.sections.finish(count, source)) {
      this.formulas.push(...formulasIn(node));
    }
  }

  /** Take less with the next frame if this one was slow, and more if it was quick. */
  private pace(spentMs: number): void {
    const chars = this.frameChars * Math.min(2, FRAME_MS / Math.max(1, spentMs));
    this.frameChars = Math.min(MAX_FRAME_CHARS, Math.max(MIN_FRAME_CHARS, Math.round(chars)));
  }

  private typesetSome(): void {
    for (const formula of this.formulas.splice(0, FRAME_FORMULAS)) this.context.typeset?.(formula);
  }
}

function formulasIn(node: HTMLElement): HTMLElement[] {
  return node.matches(".kkj-math") ? [node] : [...node.querySelectorAll<HTMLElement>(".kkj-math")];
}

function copyCode(event: Event): void {
  const button = (event.target as Element).closest<HTMLButtonElement>(".kkj-code > .kkj-button");
  const code = button?.parentElement?.querySelector("code");
  if (button && code) void copyAndSay(button, async () => code.textContent ?? "");
}
