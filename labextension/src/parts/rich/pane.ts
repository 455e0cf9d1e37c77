// The rich pane: the values one below the other.

import type { Pane, PaneContext } from "../../panes/pane";
import { make } from "../../ui/element";
import { frames } from "../../ui/frames";
import { addStyle } from "../../ui/styles";
import { recordOf, textsIn } from "./records";
import css from "./rich.css";
import { DrawnValue } from "./value";

export class RichPane implements Pane {
  readonly element = make("div", "kkj-rich");
  private pending = "";
  private values: DrawnValue[] = [];
  /** What was shown when the source began anew, by line: most of it is in the new one, too. */
  private before = new Map<string, DrawnValue[]>();
  /** Renderers need the page around them. */
  private readonly shown = new ResizeObserver(() => this.request());

  constructor(private readonly context: PaneContext) {
    addStyle(document, "rich", css);
    this.shown.observe(this.element);
  }

  append(source: string): void {
    this.pending += source;
    this.request();
  }

  replace(source: string): void {
    for (const value of this.values) {
      this.before.set(value.line, [...(this.before.get(value.line) ?? []), value]);
    }
    this.values = [];
    this.pending = "";
    this.append(source);
  }

  flush(): void {
    frames().cancel(this.draw);
    this.draw();
  }

  copied(source: string): string {
    return textsIn(source)
      .map((text) => `${text}\n`)
      .join("");
  }

  dispose(): void {
    frames().cancel(this.draw);
    this.shown.disconnect();
    this.dropBefore();
    for (const value of this.values) value.dispose();
  }

  private request(): void {
    if (this.pending || this.before.size) frames().request(this.draw);
  }

  private readonly draw = (): void => {
    if (!this.element.isConnected) return;
    const lines = this.pending.split("\n");
    this.pending = lines.pop() ?? "";
    for (const line of lines) if (recordOf(line)) this.add(line);
    this.dropBefore();
  };

  private add(line: string): void {
    const known = this.before.get(line)?.shift();
    const value = known ?? new DrawnValue(line, this.context);
    this.values.push(value);
    this.element.append(value.element);
    if (!known) void value.draw();
  }

  private dropBefore(): void {
    for (const values of this.before.values()) for (const value of values) value.dispose();
    this.before.clear();
  }
}
