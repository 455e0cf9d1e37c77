// The latest pane: the newest value. The one before stays until the new one can be painted, so that
// nothing flickers and nothing below jumps.

import type { Pane, PaneContext } from "../../panes/pane";
import { make } from "../../ui/element";
import { frames } from "../../ui/frames";
import { addStyle } from "../../ui/styles";
import { recordOf, textsIn } from "./records";
import css from "./rich.css";
import { DrawnValue } from "./value";

/** The class of a value that is being drawn. */
const NEXT = "kkj-rich-next";

export class LatestPane implements Pane {
  readonly element = make("div", "kkj-rich kkj-rich-latest");
  readonly hasOwnHeight = true;
  private rest = "";
  /** The newest line of the source. */
  private newest = "";
  private value: DrawnValue | null = null;
  private next: DrawnValue | null = null;
  /** Renderers need the page around them. */
  private readonly shown = new ResizeObserver(() => this.request());

  constructor(private readonly context: PaneContext) {
    addStyle(document, "rich", css);
    this.shown.observe(this.element);
  }

  append(source: string): void {
    const lines = (this.rest + source).split("\n");
    this.rest = lines.pop() ?? "";
    this.newest = lines.findLast((line) => recordOf(line)) ?? this.newest;
    this.request();
  }

  replace(source: string): void {
    this.rest = "";
    this.append(source);
  }

  flush(): void {
    frames().cancel(this.draw);
    this.draw();
  }

  copied(source: string): string {
    return textsIn(source).at(-1) ?? "";
  }

  dispose(): void {
    frames().cancel(this.draw);
    this.shown.disconnect();
    this.value?.dispose();
    this.next?.dispose();
  }

  private request(): void {
    if (this.newest !== this.value?.line) frames().request(this.draw);
  }

  private readonly draw = (): void => {
    const { element, newest } = this;
    if (this.next || !newest || newest === this.value?.line || !element.isConnected) return;
    const next = new DrawnValue(newest, this.context);
    this.next = next;
    next.element.classList.add(NEXT);
    element.append(next.element);
    void next.draw().then(() => {
      this.value?.dispose();
      this.value = next;
      this.next = null;
      next.element.classList.remove(NEXT);
      this.request();
    });
  };
}
