// What a model thinks before it answers: folded, with a clock while it goes on.

import type { PaneContext } from "../../panes/pane";
import { duration } from "../../text/numbers";
import { nowMs } from "../../ui/clock";
import { make, setText } from "../../ui/element";
import { suppressShortcuts } from "../../ui/shortcuts";
import { MarkdownContent } from "../markdown/content";
import type { Block } from "./block";

const TICK_MS = 200;

export class Thought implements Block {
  readonly element = make("details", "kkj-thought");
  private readonly summary = make("summary", "kkj-thought-words");
  /** Made when somebody looks: most thoughts are never read. */
  private content: MarkdownContent | null = null;
  private texts: string[] = [];
  private seconds = 0;
  private toldAt = nowMs();
  private isOver = false;
  private timer = 0;
  /** Folded when the page began to be printed. */
  private isPrinted = false;

  constructor(private readonly context: PaneContext) {
    suppressShortcuts(this.summary);
    this.element.append(this.summary);
    this.element.addEventListener("toggle", () => {
      if (this.element.open) this.show();
    });
    window.addEventListener("beforeprint", this.unfold);
    window.addEventListener("afterprint", this.fold);
    this.tick();
  }

  /** @param seconds since it began */
  append(text: string, seconds: number): void {
    this.seconds = seconds;
    this.toldAt = nowMs();
    if (this.content) this.content.append(text);
    else this.texts.push(text);
  }

  /** @param seconds it took; null if nobody knows */
  over(seconds: number | null): void {
    this.stop(seconds ? `thought for ${duration(seconds)}` : "thought");
  }

  flush(): void {
    this.content?.flush();
  }

  ended(): void {
    // The stream has ended before the thought.
    if (!this.isOver) this.over(this.seconds || null);
  }

  dispose(): void {
    clearTimeout(this.timer);
    window.removeEventListener("beforeprint", this.unfold);
    window.removeEventListener("afterprint", this.fold);
    this.content?.dispose();
  }

  /** On paper nothing can be unfolded. */
  private readonly unfold = (): void => {
    if (this.element.open) return;
    this.isPrinted = this.element.open = true;
    this.show();
    this.flush();
  };

  private readonly fold = (): void => {
    if (this.isPrinted) this.element.open = false;
    this.isPrinted = false;
  };

  private show(): void {
    if (this.content) return;
    this.content = new MarkdownContent(this.context);
    this.content.element.classList.add("kkj-thought-text");
    this.element.append(this.content.element);
    this.content.append(this.texts.join(""));
    this.texts = [];
    if (this.isOver) this.content.ended();
  }

  private tick(): void {
    const seconds = this.seconds + (nowMs() - this.toldAt) / 1_000;
    // Tenths are all that can be read of a number that runs.
    setText(this.summary, `thinking … ${duration(seconds, 0)}`);
    this.timer = window.setTimeout(() => this.tick(), TICK_MS);
  }

  private stop(words: string): void {
    clearTimeout(this.timer);
    this.isOver = true;
    this.element.classList.add("kkj-over");
    setText(this.summary, words);
    this.content?.ended();
  }
}
