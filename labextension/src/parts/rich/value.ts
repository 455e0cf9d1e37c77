// One value in the page: drawn by the notebook's own renderers where there are any.

import type { PaneContext } from "../../panes/pane";
import { make } from "../../ui/element";
import { ownForm, picturesReady } from "./own-forms";
import { gapWords, type RichRecord, recordOf } from "./records";

export class DrawnValue {
  readonly element = make("div", "kkj-rich-value");
  private undo: (() => void) | null = null;
  private isDisposed = false;

  /** @param line of the source */
  constructor(
    readonly line: string,
    private readonly context: PaneContext,
  ) {}

  /** Draw it; its element is in the page. Resolves when it can be painted; never rejects. */
  async draw(): Promise<void> {
    const record = recordOf(this.line);
    if (!record) return;
    if ("leftOut" in record)
      this.element.append(make("div", "kkj-rich-gap", gapWords(record.leftOut)));
    else await this.drawForms(record);
    await picturesReady(this.element);
  }

  dispose(): void {
    this.isDisposed = true;
    this.undo?.();
    this.undo = null;
    this.element.remove();
  }

  private async drawForms(record: Exclude<RichRecord, { leftOut: number }>): Promise<void> {
    const { renderMime, typeset, label } = this.context;
    const isRich = Object.keys(record.data).some((mime) => mime !== "text/plain");
    if (isRich && renderMime) {
      try {
        this.undo = await renderMime(record, this.element);
      } catch (error) {
        console.error("kkjupyter: the notebook cannot show a value", error);
      }
    }
    if (this.isDisposed) this.dispose();
    else if (!this.undo) {
      this.element.replaceChildren(ownForm(record, label));
      if (record.data["text/latex"]) await typeset?.(this.element);
    }
  }
}
