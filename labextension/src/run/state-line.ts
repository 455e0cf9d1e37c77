// The state line: a glyph, a few words, one button.

import { items } from "../text/numbers";
import { copyAndSay, copyName, type GetText, labelButton, makeButton } from "../ui/button";
import { nowMs } from "../ui/clock";
import { make, setText } from "../ui/element";
import type { Run } from "./run";
import { describe, shownState } from "./status-text";

const REDRAW_MS = 200;
/** A screen reader hears a new state at once, and progress no oftener than this. */
const ANNOUNCE_MS = 10_000;

export interface Actions {
  cancel(): void;
  getText: GetText;
}

export class StateLine {
  readonly element = make("div", "kkj-state");
  private readonly glyph = make("span", "kkj-glyph");
  private readonly words = make("span", "kkj-words");
  private readonly notes = make("div", "kkj-notes");
  private readonly announcer = make("span", "kkj-announcer");
  private readonly button: HTMLButtonElement;
  private announced = "";
  private announcedAt = 0;
  private drawnAt = -Infinity;
  private timer = 0;

  constructor(
    private readonly run: Run,
    actions: Actions,
  ) {
    this.button = makeButton("", "");
    this.button.addEventListener("click", () => {
      if (run.over) void copyAndSay(this.button, actions.getText);
      else actions.cancel();
    });
    // Heard through the announcer, which does not speak five times a second.
    this.glyph.ariaHidden = this.words.ariaHidden = "true";
    this.announcer.setAttribute("role", "status");
    const line = make("div", "kkj-line");
    // The space is not drawn; it is there for whoever marks and copies the line.
    line.append(this.glyph, " ", this.words, this.button, this.announcer);
    this.element.append(line, this.notes);
    this.draw();
  }

  /** Something changed: draw it, but not oftener than an eye can read. */
  changed(): void {
    const wait = this.drawnAt + REDRAW_MS - nowMs();
    if (this.run.over || this.run.cancelStep !== "none" || wait <= 0) this.draw();
    else this.schedule(wait);
  }

  dispose(): void {
    clearTimeout(this.timer);
  }

  private draw(): void {
    const { run } = this;
    const status = run.status;
    const { glyph, parts } = describe(status, run.rate);
    const shown = this.cancelWords() ?? parts;
    const state = shownState(status);
    this.drawnAt = nowMs();
    this.element.dataset.state = state;
    setText(this.glyph, glyph);
    this.drawWords(shown);
    this.drawButton(status.title);
    setText(this.notes, status.notes.join("\n"));
    this.notes.hidden = !status.notes.length;
    this.announce(state, `${status.title}: ${shown.join(", ")}`);
    clearTimeout(this.timer);
    // Time goes on, and a rate falls, while nothing arrives.
    if (!run.over) this.schedule(REDRAW_MS);
  }

  private schedule(delayMs: number): void {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.draw(), delayMs);
  }

  private cancelWords(): string[] | null {
    const { over, cancelStep } = this.run;
    if (over) return null;
    if (cancelStep === "busy") return ["kernel busy: press Interrupt"];
    if (cancelStep === "interrupted") return ["cancelling", "interrupting the cell"];
    return null;
  }

  private drawWords(parts: string[]): void {
    while (this.words.childElementCount > parts.length) this.words.lastElementChild?.remove();
    parts.forEach((part, index) => {
      const span = this.words.children[index] ?? this.words.appendChild(make("span", "kkj-part"));
      setText(span, index ? ` · ${part}` : part);
    });
  }

  private drawButton(title: string): void {
    const { over, cancelStep, text } = this.run;
    if (!over) labelButton(this.button, "Cancel", `Cancel ${title}`);
    else if (!this.button.ariaLabel?.startsWith("Copy")) {
      labelButton(this.button, "Copy", copyName(title));
    }
    // Not `disabled`: that would throw the focus back to the page.
    const isPointless = !over && cancelStep !== "none" && cancelStep !== "busy";
    this.button.ariaDisabled = String(isPointless);
    this.button.hidden = over && !text;
  }

  private announce(state: string, sentence: string): void {
    const now = nowMs();
    if (state === this.announced && (this.run.over || now - this.announcedAt < ANNOUNCE_MS)) return;
    const isProgress = state === this.announced && state === "streaming";
    this.announced = state;
    this.announcedAt = now;
    setText(this.announcer, isProgress ? items(this.run.status.count) : sentence);
  }
}
