// The state line: a glyph, a title, a few words, and what can be done.

import { copyAndSay, copyName, type GetText, labelButton, makeButton } from "../ui/button";
import { nowMs } from "../ui/clock";
import { make, setText } from "../ui/element";
import { focusNotebook } from "../ui/notebook-focus";
import type { Run } from "./run";
import { amount, describe, isStalled, shownState } from "./status-text";

const REDRAW_MS = 200;
/** A screen reader hears a new state at once, and progress no oftener than this. */
const ANNOUNCE_MS = 10_000;
/** A click so soon after the end was meant for Cancel. */
const CALM_MS = 1_000;
/** A note that is as short as "ended by --take 3" stands in the line: nothing moves down for it. */
const SHORT_NOTE_CHARS = 24;

export interface Actions {
  cancel(): void;
  getText: GetText;
  /** Ask for the same again. Where it cannot be asked for again, there is no button for it. */
  regenerate?(): void;
}

export class StateLine {
  readonly element = make("div", "kkj-state");
  private readonly glyph = make("span", "kkj-glyph");
  private readonly title = make("span", "kkj-name");
  private readonly words = make("span", "kkj-words");
  private readonly notes = make("div", "kkj-notes");
  private readonly announcer = make("span", "kkj-announcer");
  /** Cancel, then Copy. */
  private readonly button: HTMLButtonElement;
  private readonly again: HTMLButtonElement | null;
  private wasOver: boolean;
  private calmUntilMs = -Infinity;
  private announced = "";
  private announcedAt = 0;
  private drawnAt = -Infinity;
  private timer = 0;

  constructor(
    private readonly run: Run,
    private readonly actions: Actions,
  ) {
    this.wasOver = run.over;
    this.button = makeButton("", "");
    this.button.addEventListener("click", (event) => {
      if (!run.over) actions.cancel();
      else if (this.isMeant(event)) void copyAndSay(this.button, actions.getText);
    });
    this.again = this.makeAgain();
    // Heard through the announcer, which does not speak five times a second.
    for (const seen of [this.glyph, this.title, this.words]) seen.ariaHidden = "true";
    this.announcer.setAttribute("role", "status");
    const line = make("div", "kkj-line");
    // In the order in which the saved text has it, for whoever marks and copies the line, with the
    // space that is not drawn. The style sheet puts the title before the words.
    line.append(this.glyph, " ", this.words, this.title);
    if (this.again) line.append(this.again);
    line.append(this.button, this.announcer);
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

  private makeAgain(): HTMLButtonElement | null {
    const { regenerate } = this.actions;
    if (!regenerate) return null;
    const button = makeButton("Regenerate", `Regenerate ${this.run.status.title}`, "again");
    button.addEventListener("click", (event) => {
      if (this.isMeant(event)) regenerate.call(this.actions);
    });
    return button;
  }

  /** Whether a click after the end is for what the button says now. */
  private isMeant({ detail }: MouseEvent): boolean {
    // `detail` counts the clicks of a double-click; the first of them was for Cancel, or was enough.
    return !this.isCalm && detail < 2;
  }

  private get isCalm(): boolean {
    return nowMs() < this.calmUntilMs;
  }

  private draw(): void {
    const { run } = this;
    const { status, silence_s } = run;
    const { glyph, parts } = describe(status, run.rate, silence_s);
    const state = shownState(status);
    const short = status.notes.filter((note) => note.length <= SHORT_NOTE_CHARS);
    const shown = [...(this.cancelWords() ?? parts), ...short];
    this.drawnAt = nowMs();
    if (run.over && !this.wasOver) this.calmUntilMs = nowMs() + CALM_MS;
    this.wasOver = run.over;
    this.element.dataset.state = state;
    this.element.classList.toggle("kkj-stalled", isStalled(status, silence_s));
    setText(this.glyph, glyph);
    const title = status.model || status.title;
    setText(this.title, title);
    if (this.title.title !== title) this.title.title = title;
    this.drawWords(shown);
    this.drawButtons(status.title);
    const long = status.notes.filter((note) => !short.includes(note));
    setText(this.notes, long.join("\n"));
    this.notes.hidden = !long.length;
    this.announce(state, `${status.title}: ${shown.join(", ")}`);
    clearTimeout(this.timer);
    // Time goes on, and a rate falls, while nothing arrives.
    if (!run.over) this.schedule(REDRAW_MS);
    else if (this.isCalm) this.schedule(this.calmUntilMs - nowMs() + 1);
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

  private drawButtons(title: string): void {
    const { button, again } = this;
    const { over, cancelStep, text } = this.run;
    if (!over) labelButton(button, "Cancel", `Cancel ${title}`, "stop");
    else if (!button.ariaLabel?.startsWith("Copy")) {
      labelButton(button, "Copy", copyName(title), "copy");
    }
    // Not `disabled`: that would throw the focus back to the page.
    const isPointless = !over && cancelStep !== "none" && cancelStep !== "busy";
    button.ariaDisabled = String(isPointless || this.isCalm);
    const isHidden = over && !text;
    if (isHidden && document.activeElement === button) focusNotebook(button);
    button.hidden = isHidden;
    if (!again) return;
    again.hidden = !over;
    again.ariaDisabled = String(this.isCalm);
  }

  private announce(state: string, sentence: string): void {
    const now = nowMs();
    if (state === this.announced && (this.run.over || now - this.announcedAt < ANNOUNCE_MS)) return;
    const isProgress = state === this.announced && state === "streaming";
    this.announced = state;
    this.announcedAt = now;
    setText(this.announcer, isProgress ? amount(this.run.status) : sentence);
  }
}
