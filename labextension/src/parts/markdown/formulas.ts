// The formulas of an answer, which the notebook sets. Each call makes the page lay out once, whatever
// it holds, and a formula takes some milliseconds more: so those that stand near each other are set
// with one call, as many as fit into a frame, when the page has time.

import { nowMs } from "../../ui/clock";
import { idleTime } from "../../ui/idle";

export type Typeset = (element: HTMLElement) => void | Promise<void>;

/** What one call may take. */
const CALL_MS = 12;
const MAX_PER_CALL = 20;
/** About what a formula takes, before one was measured. */
const FORMULA_MS = 4;

/** The typesetter looks for dollars in what it is given; these classes tell it where there are formulas. */
export const NO_FORMULAS = "mathjax_ignore";
const FORMULA = "mathjax_process";

export class Formulas {
  private waiting: HTMLElement[] = [];
  private formulaMs = FORMULA_MS;
  private isFirst = true;

  /** @param typeset of what is below an element, sets what has the class for it */
  constructor(private readonly typeset: Typeset | undefined) {}

  /** Have the formulas in `block`, which will not change any more, set. */
  add(block: HTMLElement): void {
    if (!this.typeset) return;
    if (block.matches(".kkj-math")) this.waiting.push(block);
    else this.waiting.push(...block.querySelectorAll<HTMLElement>(".kkj-math"));
    if (this.waiting.length) idleTime().request(this.setSome);
  }

  /** Forget those that are not set yet. */
  clear(): void {
    this.waiting = [];
    idleTime().cancel(this.setSome);
  }

  private readonly setSome = async (): Promise<void> => {
    const batch = this.takeBatch();
    const place = batch[0]?.closest<HTMLElement>(".kkj-section");
    if (!place || !this.typeset) return;
    for (const formula of batch) formula.classList.add(FORMULA);
    const startedMs = nowMs();
    try {
      await this.typeset(place);
    } finally {
      for (const formula of batch) formula.classList.remove(FORMULA);
      // The first waits until the typesetter has been loaded.
      if (!this.isFirst)
        this.formulaMs += ((nowMs() - startedMs) / batch.length - this.formulaMs) / 4;
      this.isFirst = false;
      if (this.waiting.length) idleTime().request(this.setSome);
    }
  };

  /** The next few, all of one section. */
  private takeBatch(): HTMLElement[] {
    const most = this.isFirst ? 1 : Math.floor(CALL_MS / this.formulaMs);
    const section = this.waiting[0]?.closest(".kkj-section");
    const end = this.waiting.findIndex((formula) => formula.closest(".kkj-section") !== section);
    const count = Math.max(1, Math.min(most, MAX_PER_CALL, end < 0 ? this.waiting.length : end));
    return this.waiting.splice(0, count);
  }
}
