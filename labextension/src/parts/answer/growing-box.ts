// A text in a box within an answer; one that grows keeps its end in sight while it does.

import { TextPane } from "../../panes/text-pane";
import { AutoScroller } from "../../ui/auto-scroll";
import { make } from "../../ui/element";
import { suppressShortcuts } from "../../ui/shortcuts";

export class GrowingBox {
  readonly element = make("div", "kkj-growing");
  private readonly text = new TextPane();
  private readonly growth: ResizeObserver;

  /**
   * @param label what a screen reader calls it
   * @param follows whether its end is kept in sight, and not its beginning
   */
  constructor(label: string, follows: boolean) {
    this.element.setAttribute("role", "group");
    this.element.setAttribute("aria-label", label);
    this.element.tabIndex = 0;
    suppressShortcuts(this.element);
    this.element.append(this.text.element);
    if (!follows) this.text.ended(); // it has no caret
    const scroller = new AutoScroller(this.element, follows);
    this.growth = new ResizeObserver(() => scroller.follow());
    this.growth.observe(this.text.element);
  }

  append(text: string): void {
    this.text.append(text);
  }

  /** All of it, from its beginning: it grows no more. */
  settle(text: string): void {
    this.growth.disconnect();
    this.text.replace(text);
    this.text.ended();
    this.element.scrollTop = 0;
  }

  /** It was settled too soon. */
  resume(text: string): void {
    this.text.replace(text);
    this.growth.observe(this.text.element);
  }

  flush(): void {
    this.text.flush();
  }

  ended(): void {
    this.text.ended();
  }

  dispose(): void {
    this.growth.disconnect();
    this.text.dispose();
  }
}
