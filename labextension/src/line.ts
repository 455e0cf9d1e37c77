// The state line: a glyph, a few words, one button.

import { describe, items } from "./format";
import type { Run } from "./run";

const REDRAW_MS = 200;
/** A screen reader hears a new state at once, and progress no oftener than this. */
const ANNOUNCE_MS = 10_000;
const COPIED_MS = 1_500;

export interface Actions {
  cancel(): void;
  copy(): Promise<boolean>;
}

export class StateLine {
  readonly element = div("kkj-state");
  private readonly glyph = span("kkj-glyph");
  private readonly words = span("kkj-words");
  private readonly button = document.createElement("button");
  private readonly notes = div("kkj-notes");
  private readonly announcer = span("kkj-announcer");
  private announced = "";
  private announcedAt = 0;
  private drawnAt = Number.NEGATIVE_INFINITY;
  private timer = 0;
  private feedback = "";
  private feedbackTimer = 0;

  constructor(
    private readonly run: Run,
    private readonly actions: Actions,
  ) {
    const line = div("kkj-line");
    this.glyph.setAttribute("aria-hidden", "true");
    this.words.setAttribute("aria-hidden", "true");
    this.announcer.setAttribute("role", "status");
    this.button.type = "button";
    this.button.className = "kkj-button";
    this.button.addEventListener("click", () => this.press());
    line.append(this.glyph, this.words, this.button, this.announcer);
    this.element.append(line, this.notes);
    this.draw();
  }

  /** Something changed: draw it, but not oftener than an eye can read. */
  changed(): void {
    const wait = this.drawnAt + REDRAW_MS - performance.now();
    if (this.run.over || this.run.cancelStep !== "none" || wait <= 0) this.draw();
    else this.schedule(wait);
  }

  dispose(): void {
    clearTimeout(this.timer);
    clearTimeout(this.feedbackTimer);
  }

  private draw(): void {
    const { run } = this;
    const status = run.status;
    const { glyph, text } = describe(status, run.rate);
    this.drawnAt = performance.now();
    this.element.dataset.state = status.state;
    setText(this.glyph, glyph);
    setText(this.words, this.busyWords() || text);
    this.drawButton(status.title);
    const notes = status.notes.join("\n");
    setText(this.notes, notes);
    this.notes.hidden = !notes;
    this.announce(`${status.title}: ${this.busyWords() || text}`, status.state);
    // Time goes on and a rate falls while nothing arrives.
    if (!run.over) this.schedule(REDRAW_MS);
  }

  private schedule(delayMs: number): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.draw(), delayMs);
  }

  private busyWords(): string {
    if (this.run.over) return "";
    if (this.run.cancelStep === "busy") return "kernel busy: press Interrupt";
    if (this.run.cancelStep === "interrupted") return "cancelling · interrupting the cell";
    return "";
  }

  private drawButton(title: string): void {
    const { over, cancelStep } = this.run;
    const action = over ? "Copy" : "Cancel";
    setText(this.button, this.feedback || action);
    this.button.setAttribute("aria-label", over ? `Copy the text of ${title}` : `Cancel ${title}`);
    // Not `disabled`: that would throw the focus back to the page.
    const pointless = !over && cancelStep !== "none" && cancelStep !== "busy";
    this.button.setAttribute("aria-disabled", String(pointless));
    this.button.hidden = this.run.status.state === "done" && !this.run.text;
  }

  private press(): void {
    if (!this.run.over) {
      this.actions.cancel();
      return;
    }
    void this.actions.copy().then((copied) => {
      this.feedback = copied ? "Copied" : "No access";
      this.draw();
      clearTimeout(this.feedbackTimer);
      this.feedbackTimer = window.setTimeout(() => {
        this.feedback = "";
        this.draw();
      }, COPIED_MS);
    });
  }

  private announce(text: string, state: string): void {
    const now = performance.now();
    if (state === this.announced && (this.run.over || now - this.announcedAt < ANNOUNCE_MS)) return;
    const progress = state === "streaming" ? items(this.run.status.count) : text;
    this.announced = state;
    this.announcedAt = now;
    setText(this.announcer, progress);
  }
}

function setText(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

function span(className: string): HTMLElement {
  const element = document.createElement("span");
  element.className = className;
  return element;
}

function div(className: string): HTMLElement {
  const element = document.createElement("div");
  element.className = className;
  return element;
}
