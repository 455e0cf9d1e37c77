// Markdown drawn while it is written. Blocks that are finished are never touched again; the one that
// grows is drawn anew with each frame, and cut when it becomes long, so that a frame costs no more at
// the end of a long answer than at its beginning.

import type { Pane, PaneContext } from "../../panes/pane";
import { nowMs } from "../../ui/clock";
import { make } from "../../ui/element";
import { frames } from "../../ui/frames";
import { addStyle } from "../../ui/styles";
import { addCaret } from "./caret";
import { clickedInCode, continueBlock, GOES_ON } from "./code-block";
import { Formulas } from "./formulas";
import type { Paint } from "./highlight";
import css from "./markdown.css";
import type { Cut, Outline } from "./outline";
import { MarkdownRenderer } from "./renderer";
import { Sections } from "./sections";

/**
 * What is taken in with one frame: as much as is drawn in so much time, within these bounds. The page
 * then takes about twice as long to lay it out and paint it. What is open is drawn with each frame, so
 * that very small ones would only fall behind.
 */
const FRAME_MS = 15;
const MIN_FRAME_CHARS = 6_000;
const MAX_FRAME_CHARS = 16_000;
/** An open block that is longer is cut where it can be ... */
const OPEN_CHARS = 6_000;
/** ... and one that is much longer anywhere: unclosed brackets take time that grows as its square. */
const HARD_CHARS = 12_000;

/** A pane without a box of its own: it is as high as what it holds, and whoever holds it scrolls. */
export class MarkdownContent implements Pane {
  // Lab's own look of Markdown, where there is Lab.
  readonly element: HTMLElement = make("div", "kkj-answer jp-RenderedHTMLCommon");
  private readonly sections = new Sections(this.element);
  private readonly renderer: MarkdownRenderer;
  private readonly formulas: Formulas;
  private pending = "";
  /** The source of the open blocks. */
  private open = "";
  /** What must stand before it, where it is the rest of a block that was cut. */
  private prefix = "";
  private paint: Paint | undefined;
  /** The piece of it that was drawn last. */
  private before: HTMLElement | undefined;
  private frameChars = MAX_FRAME_CHARS;
  private hasEnded = false;

  constructor({ typeset, insertCell }: Pick<PaneContext, "typeset" | "insertCell">) {
    this.formulas = new Formulas(typeset);
    this.renderer = new MarkdownRenderer(insertCell !== undefined);
    this.element.addEventListener("click", (event) => clickedInCode(event, insertCell));
    addStyle(document, "markdown", css);
  }

  append(source: string): void {
    this.pending += source;
    frames().request(this.drawFrame);
  }

  replace(source: string): void {
    this.sections.clear();
    this.cutOff("");
    this.open = "";
    this.pending = "";
    this.formulas.clear();
    this.append(source);
  }

  /** Draw what is pending; of very much, a part now and the rest with the next frames. */
  flush(): void {
    frames().cancel(this.drawFrame);
    this.drawFrame();
  }

  ended(): void {
    this.hasEnded = true;
    if (!this.pending) this.take(0);
    this.flush();
  }

  dispose(): void {
    frames().cancel(this.drawFrame);
    this.formulas.clear();
  }

  private readonly drawFrame = (): void => {
    const startedMs = nowMs();
    if (this.pending) this.take(this.frameChars);
    this.pace(nowMs() - startedMs);
    if (this.pending) frames().request(this.drawFrame);
  };

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
      const nodes = this.renderer.draw(parsed, this.paint);
      if (!isLast) addCaret(nodes.at(-1));
      const shown = this.show(nodes);
      if (finished) this.finish(finished, outline.startOf(finished));
      if (finished && this.open.length > OPEN_CHARS) continue;
      const last = shown.pop();
      // Until the line that comes is whole it may belong to these; hardly ever it does.
      for (const block of shown.slice(finished)) this.formulas.add(block);
      if (last && shown.length >= finished) this.formulas.addFinishedIn(last);
      return;
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
    this.cutOff("");
  }

  /** Finish the open block with `source`, though it goes on. */
  private cut(source: string, prefix: string): void {
    const nodes = this.renderer.draw(this.renderer.read(source, false), this.paint);
    const paint = this.renderer.paintOf(nodes.at(-1));
    nodes.at(-1)?.classList.add(GOES_ON);
    this.show(nodes);
    this.open = this.open.slice(source.length - this.prefix.length);
    const pieces = this.done(nodes.length, source);
    this.cutOff(prefix, prefix ? paint : undefined, pieces.at(-1));
  }

  private cutOff(prefix: string, paint?: Paint, before?: HTMLElement): void {
    this.prefix = prefix;
    this.paint = paint;
    this.before = before;
  }

  /** Returns the nodes that now show them. */
  private show(nodes: HTMLElement[]): HTMLElement[] {
    const [first] = nodes;
    if (first && this.before) continueBlock(this.before, first);
    return this.sections.show(nodes);
  }

  private done(count: number, source: string): HTMLElement[] {
    this.renderer.learn(source);
    const nodes = this.sections.finish(count, source);
    for (const node of nodes) this.formulas.add(node);
    return nodes;
  }

  /** Take less with the next frame if this one was slow, and more if it was quick. */
  private pace(spentMs: number): void {
    const chars = this.frameChars * Math.min(2, FRAME_MS / Math.max(1, spentMs));
    this.frameChars = Math.min(MAX_FRAME_CHARS, Math.max(MIN_FRAME_CHARS, Math.round(chars)));
  }
}
