// The place of the pane in a view. A part may have to come from the kernel first; if that takes a
// while, the source is shown as text meanwhile.

import type { Run } from "../run/run";
import { make } from "../ui/element";
import { makeOwnPane } from "./own-panes";
import type { Pane, PaneContext, PartModule } from "./pane";
import { PaneFrame } from "./pane-frame";
import { readerOf } from "./part-loader";

const TEXT_AFTER_MS = 400;

export class PaneContainer {
  readonly element = make("div", "kkj-slot");
  private pane: Pane | null = null;
  private frame: PaneFrame | null = null;
  private shown = "";
  private timer = 0;
  private disposed = false;
  private toldOfEnd = false;

  constructor(
    private readonly run: Run,
    private readonly context: PaneContext,
    private readonly load: (part: string) => Promise<PartModule>,
  ) {
    this.choose();
  }

  append(source: string): void {
    this.pane?.append(source);
  }

  /** The source was begun anew, perhaps for another pane. */
  replace(source: string): void {
    // That it had ended was a mistake of this page's.
    const isRevived = this.toldOfEnd && !this.run.over;
    if (this.wanted !== this.shown || isRevived) this.choose();
    else this.pane?.replace(source);
  }

  /** The run is over. Idempotent. */
  ended(): void {
    if (this.toldOfEnd || !this.pane) return;
    this.toldOfEnd = true;
    this.pane.ended?.(this.run.status.state);
    this.frame?.ended();
  }

  /** What the Copy button gives. A short stream may have ended before its part was there. */
  async copied(source: string): Promise<string> {
    return this.pane?.copied?.(source) ?? (await readerOf(this.run.part, this.load))(source);
  }

  dispose(): void {
    this.disposed = true;
    clearTimeout(this.timer);
    this.frame?.dispose();
    this.pane?.dispose();
  }

  private get wanted(): string {
    return this.run.part ?? this.run.pane;
  }

  private choose(): void {
    const { part } = this.run;
    this.shown = this.wanted;
    // How wide the view is does not wait for a part.
    this.element.dataset.pane = this.run.pane;
    clearTimeout(this.timer);
    if (!part) {
      this.put(makeOwnPane(this.run.pane));
      return;
    }
    const isWanted = () => !this.disposed && this.wanted === part;
    const showText = () => {
      if (isWanted()) this.put(makeOwnPane("text"));
    };
    this.timer = window.setTimeout(showText, TEXT_AFTER_MS);
    this.load(part).then(
      (module) => {
        clearTimeout(this.timer);
        if (isWanted()) this.put(module.makePane(this.context));
      },
      (error) => {
        clearTimeout(this.timer);
        console.error("kkjupyter: a view is shown as text", error);
        showText();
      },
    );
  }

  private put(pane: Pane): void {
    this.frame?.dispose();
    this.pane?.dispose();
    this.pane = pane;
    pane.append(this.run.text);
    pane.flush();
    this.frame = pane.hasOwnHeight
      ? null
      : new PaneFrame(pane.element, this.context.label, !this.run.over);
    this.element.replaceChildren(this.frame?.element ?? pane.element);
    this.toldOfEnd = false;
    if (this.run.over) this.ended();
  }
}
