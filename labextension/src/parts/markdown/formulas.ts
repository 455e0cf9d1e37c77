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
const HAS_FORMULA = "mathjax_process";

const FORMULA = ".kkj-math";
const SECTION = ".kkj-section";
const ITEM = ":is(li, tr, blockquote > *):not(:last-child)";

/** By each formula that was asked to be set, its source. */
const asked = new WeakMap<Node, string>();

/** The source of a formula that is set or will be; undefined of any other node. */
export function askedSource(node: Node): string | undefined {
  return asked.get(node);
}

export class Formulas {
  private waiting: HTMLElement[] = [];
  private formulaMs = FORMULA_MS;
  private isFirst = true;

  /** @param typeset of what is below an element, sets what has the class for it */
  constructor(private readonly typeset: Typeset | undefined) {}

  /** Have the formulas in `block` set. */
  add(block: HTMLElement): void {
    if (block.matches(FORMULA)) this.ask(block);
    else for (const formula of block.querySelectorAll<HTMLElement>(FORMULA)) this.ask(formula);
  }

  /** Have those set that are in finished items and rows of `block`, which grows. */
  addFinishedIn(block: HTMLElement): void {
    for (const formula of block.querySelectorAll<HTMLElement>(`${ITEM} ${FORMULA}`)) {
      this.ask(formula);
    }
  }

  /** Forget those that are not set yet. */
  clear(): void {
    this.waiting = [];
    idleTime().cancel(this.setSome);
  }

  private ask(formula: HTMLElement): void {
    if (!this.typeset || asked.has(formula)) return;
    asked.set(formula, formula.textContent ?? "");
    this.waiting.push(formula);
    idleTime().request(this.setSome);
  }

  private readonly setSome = async (): Promise<void> => {
    const batch = this.takeBatch();
    const place = batch[0]?.closest<HTMLElement>(SECTION);
    if (!place || !this.typeset) return;
    for (const formula of batch) formula.classList.add(HAS_FORMULA);
    const startedMs = nowMs();
    try {
      await this.typeset(place);
    } finally {
      // One that is not set is left to the next call.
      for (const { firstElementChild, classList } of batch) {
        if (firstElementChild) classList.remove(HAS_FORMULA);
      }
      // The first waits until the typesetter has been loaded.
      if (!this.isFirst)
        this.formulaMs += ((nowMs() - startedMs) / batch.length - this.formulaMs) / 4;
      this.isFirst = false;
      if (this.waiting.length) idleTime().request(this.setSome);
    }
  };

  /** The next few, all of one section. */
  private takeBatch(): HTMLElement[] {
    // A block that was drawn anew took some of them along.
    this.waiting = this.waiting.filter((formula) => formula.closest(SECTION));
    const most = this.isFirst ? 1 : Math.min(MAX_PER_CALL, Math.floor(CALL_MS / this.formulaMs));
    const section = this.waiting[0]?.closest(SECTION);
    const end = this.waiting.findIndex((formula) => formula.closest(SECTION) !== section);
    return this.waiting.splice(0, Math.max(1, end < 0 ? most : Math.min(most, end)));
  }
}
