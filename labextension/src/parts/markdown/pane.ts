// The Markdown pane: the answer in a box that scrolls and keeps the end in sight.

import type { Pane, PaneContext } from "../../panes/pane";
import { AutoScroller } from "../../ui/auto-scroll";
import { suppressShortcuts } from "../../ui/button";
import { make } from "../../ui/element";
import { MarkdownContent } from "./content";

export class MarkdownPane implements Pane {
  readonly element: HTMLElement = make("div", "kkj-markdown");
  private readonly content: MarkdownContent;
  private readonly growth: ResizeObserver;

  constructor(context: PaneContext) {
    this.element.setAttribute("role", "log");
    this.element.setAttribute("aria-live", "off");
    this.element.setAttribute("aria-label", context.label);
    this.element.tabIndex = 0;
    suppressShortcuts(this.element);
    this.content = new MarkdownContent(context);
    this.element.append(this.content.element);
    const scroller = new AutoScroller(this.element);
    // Told when the page has been laid out: nobody has to ask for its height while it is drawn.
    this.growth = new ResizeObserver(() => scroller.follow());
    this.growth.observe(this.content.element);
  }

  append(source: string): void {
    this.content.append(source);
  }

  replace(source: string): void {
    this.content.replace(source);
  }

  flush(): void {
    this.content.flush();
  }

  ended(): void {
    this.content.ended();
  }

  dispose(): void {
    this.growth.disconnect();
    this.content.dispose();
  }
}
