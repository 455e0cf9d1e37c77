// The state line: a glyph, a title, a few words, and what can be done.

import {
  copyAndSay,
  copyName,
  type GetText,
  keepCalm,
  labelButton,
  makeButton,
} from "../ui/button";
import { nowMs } from "../ui/clock";
import { make, setText } from "../ui/element";
import { focusNotebook } from "../ui/notebook-focus";
import type { Run } from "./run";
import { amount, describe, isReconnecting, isStalled, shownState } from "./status-text";

const REDRAW_MS = 200;
/** A screen reader hears a new state at once, and progress no oftener than this. */
const ANNOUNCE_MS = 10_000;
/** So long the kernel may take to begin once more before it can be asked again. */
const ANSWERED_WITHIN_MS = 5_000;
/** A note that is as short as "ended by --take 3" stands in the line: nothing moves down for it. */
const SHORT_NOTE_CHARS = 24;

export interface Actions {
  cancel(): void;
  getText: GetText;
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
  private again: HTMLButtonElement | null = null;
  private ask = () => {};
  private wasOver: boolean;
  /** It was drawn before its end. */
  private hasEndedHere = false;
  private announced = "";
  private announcedAt = 0;
  private drawnAt = -Infinity;
  private timer = 0;

  constructor(
    private readonly run: Run,
    actions: Actions,
  ) {
    this.wasOver = run.over;
    this.button = makeButton("", "");
    this.button.addEventListener("click", () => {
      if (run.over) void copyAndSay(this.button, actions.getText);
      else actions.cancel();
    });
    // Heard through the announcer, which does not speak five times a second.
    for (const seen of [this.glyph, this.title, this.words]) seen.ariaHidden = "true";
    this.announcer.setAttribute("role", "status");
    const line = make("div", "kkj-line");
    // In the order in which the saved text has it, for whoever marks and copies the line, with the
    // space that is not drawn. The style sheet puts the title before the words.
    line.append(this.glyph, " ", this.words, this.title, this.button, this.announcer);
    this.element.append(line, this.notes);
    this.draw();
  }

  /** Something changed: draw it, but not oftener than an eye can read. */
  changed(): void {
    const wait = this.drawnAt + REDRAW_MS - nowMs();
    if (this.run.over || this.run.cancelStep !== "none" || wait <= 0) this.draw();
    else this.schedule(wait);
  }

  /**
   * From now on, or no longer, the same can be asked for once more: there is a button for it.
   *
   * @param ask asks; null if it cannot be asked for
   */
  offerAgain(ask: (() => void) | null): void {
    const { again, button } = this;
    if (!ask) {
      if (again && document.activeElement === again) focusNotebook(again);
      again?.remove();
      this.again = null;
      return;
    }
    this.ask = ask;
    if (again) return;
    const made = makeButton("", "");
    this.again = made;
    made.addEventListener("click", () => {
      // What is asked for takes the place of this line; until then one click counts.
      if (made.ariaDisabled === "true") return;
      made.ariaDisabled = "true";
      setTimeout(() => {
        made.ariaDisabled = "false";
      }, ANSWERED_WITHIN_MS);
      this.ask();
    });
    button.before(made);
    this.draw();
    if (this.hasEndedHere) keepCalm(made);
  }

  dispose(): void {
    clearTimeout(this.timer);
  }

  private draw(): void {
    const { run } = this;
    const { status, silence_s } = run;
    const { glyph, parts } = describe(status, run.rate, silence_s);
    const state = shownState(status);
    const short = status.notes.filter((note) => note.length <= SHORT_NOTE_CHARS);
    const shown = this.cancelWords() ?? parts;
    this.drawnAt = nowMs();
    this.element.dataset.state = state;
    this.element.classList.toggle("kkj-stalled", isStalled(status, silence_s));
    setText(this.glyph, glyph);
    setText(this.title, status.model || status.title);
    if (this.title.title !== status.title) this.title.title = status.title;
    this.drawWords(shown, short);
    this.drawButtons(status.title);
    const long = status.notes.filter((note) => !short.includes(note));
    setText(this.notes, long.join("\n"));
    this.notes.hidden = !long.length;
    this.announce(
      isReconnecting(status) ? "reconnecting" : state,
      `${status.title}: ${[...shown, ...short].join(", ")}`,
    );
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

  private drawWords(parts: string[], notes: string[]): void {
    const all = [...parts, ...notes];
    while (this.words.childElementCount > all.length) this.words.lastElementChild?.remove();
    all.forEach((part, index) => {
      const span = this.words.children[index] ?? this.words.appendChild(make("span", ""));
      // A narrow view leaves out some of these, by their place.
      span.className = index < parts.length ? "kkj-part" : "kkj-note";
      setText(span, index ? ` · ${part}` : part);
    });
  }

  private drawButtons(title: string): void {
    const { button, again } = this;
    const { over, cancelStep, text } = this.run;
    if (again) {
      again.hidden = !over;
      const label = this.run.status.state === "done" ? "Regenerate" : "Try again";
      labelButton(again, label, `${label}: ${title}`, "again");
    }
    if (!over) {
      labelButton(button, "Cancel", `Cancel ${title}`, "stop");
      // Not `disabled`: that would throw the focus back to the page.
      button.ariaDisabled = String(cancelStep !== "none" && cancelStep !== "busy");
    } else if (!button.ariaLabel?.startsWith("Copy")) {
      labelButton(button, "Copy", copyName(title), "copy");
    }
    if (over && !this.wasOver) {
      // A click so soon after the end is meant for Cancel.
      keepCalm(button);
      this.hasEndedHere = true;
    }
    this.wasOver = over;
    const isHidden = over && !text;
    if (isHidden && document.activeElement === button) focusNotebook(button);
    button.hidden = isHidden;
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
