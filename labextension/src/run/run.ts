// One run as this page knows it: its text, its status, and what was asked of the kernel.
// There is one for each output, however many views show it.

import type { FromKernel, Report, RunState, Snapshot, Status, ToKernel } from "../kernel/messages";
import { rewritten, settled } from "../text/carriage-returns";
import { nowMs } from "../ui/clock";

/** So many deltas are joined, and what was written over forgotten, if nobody asks for the text. */
const PARTS = 1_000;
const ASK_AGAIN_MS = 2_000;
const RATE_WINDOW_MS = 3_000;
const RATE_SETTLES_MS = 500;

export interface RunListener {
  /** Text was added at the end. */
  appended(text: string): void;
  /** Everything shown so far is void; this is what there is. */
  replaced(text: string): void;
  /** The status changed, or a cancel went one step further. */
  changed(): void;
}

export type CancelStep = "none" | "asked" | "acknowledged" | "interrupted" | "busy";

const OVER: readonly RunState[] = ["done", "cancelled", "failed", "lost"];

export function isOver({ state }: { state: RunState }): boolean {
  return OVER.includes(state);
}

export class Run {
  view!: string;
  /** What draws the source, and the part that has it; null where every page does. */
  pane!: string;
  part!: string | null;
  cancelStep: CancelStep = "none";
  /** How many UTF-16 units are missing in the middle of what this page holds. */
  leftOut!: number;

  private parts!: string[];
  private end!: number;
  private latest: Status;
  private latestAt: number;
  /** When the kernel was asked for what is missing; -Infinity while nothing is. */
  private askAt = -Infinity;
  private countedAt = 0;
  private samples: [atMs: number, amount: number][] = [];
  private readonly listeners = new Set<RunListener>();
  private isWithheld: boolean;

  constructor(
    private readonly send: (content: ToKernel) => void,
    snapshot: Snapshot,
    private readonly now: () => number = nowMs,
  ) {
    this.hold(snapshot);
    this.isWithheld = snapshot.withheld ?? false;
    this.latest = snapshot.status;
    this.latestAt = this.countedAt = this.now();
  }

  get text(): string {
    if (this.parts.length > 1) this.join();
    return this.parts[0] ?? "";
  }

  get over(): boolean {
    return isOver(this.latest);
  }

  /** The status with time gone on, and with a cancel of this page's in it. */
  get status(): Status {
    if (this.over) return this.latest;
    const gone_s = (this.now() - this.latestAt) / 1_000;
    const { elapsed_s, reconnecting_s } = this.latest;
    const state = this.cancelStep === "none" ? this.latest.state : "cancelling";
    const away = reconnecting_s === undefined ? {} : { reconnecting_s: reconnecting_s + gone_s };
    return { ...this.latest, elapsed_s: elapsed_s + gone_s, state, ...away };
  }

  /** How much comes per second, over the last seconds; null while that says nothing. */
  get rate(): number | null {
    const now = this.now();
    const first = this.samples.find(([at]) => now - at <= RATE_WINDOW_MS);
    if (!first || now - first[0] < RATE_SETTLES_MS) return null;
    return ((amountOf(this.latest) - first[1]) * 1_000) / (now - first[0]);
  }

  /** For how many seconds no item has come, as far as this page knows. */
  get silence_s(): number {
    return (this.now() - this.countedAt) / 1_000;
  }

  listen(listener: RunListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Somebody looks at it: the text of one that is over is sent only then. */
  shown(): void {
    if (!this.isWithheld) return;
    this.isWithheld = false;
    this.ask();
  }

  receive(message: FromKernel): void {
    switch (message.kind) {
      case "delta":
        this.append(message.offset, message.text);
        this.update(message.status);
        break;
      case "reset":
        this.reset(message);
        break;
      case "end":
        if (message.end > this.end) this.ask();
        this.update(message.status);
        break;
      case "ack":
      case "state":
        this.answered(message);
        break;
      case "unknown":
        this.lose("no longer known to the kernel");
        break;
    }
  }

  /** What goes on from here is added: drawn anew it would lose the reader's selection and place. */
  private reset(snapshot: Snapshot): void {
    const { pane, part, left_out, text, end, status } = snapshot;
    const wasLost = this.latest.state === "lost";
    const isSame =
      !wasLost && pane === this.pane && part === this.part && left_out === this.leftOut;
    // That it is lost was only this page's guess.
    if (wasLost) this.latest = status;
    // An answer on one channel may be older than what has come on another.
    if (isSame && status.count < this.latest.count) return;
    const known = this.text;
    if (isSame && text.startsWith(known) && end - this.end === text.length - known.length) {
      this.append(this.end, text.slice(known.length));
    } else {
      this.hold(snapshot);
      for (const listener of this.listeners) listener.replaced(text);
    }
    this.update(status);
  }

  /** A cancel went one step further. An acknowledgement is never taken back. */
  cancelReached(step: CancelStep): void {
    if (this.over || this.cancelStep === "acknowledged") return;
    this.cancelStep = step;
    this.tell();
  }

  /** The output has its final form in the notebook: that is the whole text, if nothing is left out. */
  settle({ text, left_out, ...rest }: Snapshot): void {
    const mine = this.part ? this.text : rewritten(this.text);
    const isOther = rest.pane !== this.pane;
    // A source may be saved in a shorter form: where it ends, it has always come to the same.
    const isKnown = left_out || this.leftOut || rest.end === this.end || text === mine;
    if (isOther || !isKnown) {
      this.hold({ text, left_out, ...rest });
      for (const listener of this.listeners) listener.replaced(text);
    }
    this.update(rest.status);
  }

  /** The kernel is gone: the end, as far as this page can say. */
  lose(why: string): void {
    if (this.over) return;
    this.update({ ...this.status, state: "lost", error: why });
  }

  /** The kernel was asked what became of the run. */
  private answered({ kind, state, end }: { kind: "ack" | "state" } & Report): void {
    if (end > this.end) this.ask();
    // The clock of a run that goes on does not run back.
    const elapsed_s = isOver(state)
      ? state.elapsed_s
      : Math.max(state.elapsed_s, this.status.elapsed_s);
    // Asked after the cancel, and the run goes on: the cancel did not arrive.
    const isDeaf = this.cancelStep === "busy" || this.cancelStep === "interrupted";
    if (kind === "state" && isDeaf) this.cancelStep = "none";
    this.update({ ...state, elapsed_s });
    if (kind === "ack") this.cancelReached("acknowledged");
  }

  private hold({ view, pane, part, text, end, left_out }: Snapshot): void {
    this.view = view;
    this.pane = pane;
    this.part = part;
    this.parts = [text];
    this.end = end;
    this.askAt = -Infinity;
    this.leftOut = left_out;
  }

  private append(offset: number, text: string): void {
    if (offset > this.end) {
      this.ask();
      return;
    }
    const fresh = text.slice(this.end - offset);
    if (!fresh) return;
    if (this.parts.push(fresh) > PARTS) this.join();
    this.end += fresh.length;
    this.askAt = -Infinity;
    for (const listener of this.listeners) listener.appended(fresh);
  }

  private join(): void {
    const text = this.parts.join("");
    // A part may read a `\r` in its own way.
    this.parts = [this.part ? text : settled(text)];
  }

  /**
   * Ask for what is missing; once, until it came or enough time has passed.
   * The answer may be lost, too: `isAgain` asks only for what was asked for and has not come.
   */
  ask(isAgain?: boolean): void {
    const now = this.now();
    if ((isAgain && this.askAt < 0) || now - this.askAt < ASK_AGAIN_MS) return;
    this.askAt = now;
    this.send({ kind: "need", offset: this.end });
  }

  private update(status: Status): void {
    // An answer to an old question may arrive after the end.
    if (this.over && !isOver(status)) return;
    const now = this.now();
    if (status.count !== this.latest.count) this.countedAt = now;
    if (status.unit !== this.latest.unit) this.samples = [];
    this.latest = status;
    this.latestAt = now;
    if (status.state === "cancelling") this.cancelStep = "acknowledged";
    if (status.count) {
      while (now - (this.samples[0]?.[0] ?? now) > RATE_WINDOW_MS) this.samples.shift();
      this.samples.push([now, amountOf(status)]);
    }
    this.tell();
  }

  private tell(): void {
    for (const listener of this.listeners) listener.changed();
  }
}

/** What is counted: of a language model what it has written, else items. */
function amountOf({ count, written }: Status): number {
  return written ?? count;
}
