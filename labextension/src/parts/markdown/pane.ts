// The Markdown pane: an answer, with the indent that all panes have.

import type { Pane, PaneContext } from "../../panes/pane";
import { make } from "../../ui/element";
import { MarkdownContent } from "./content";

export class MarkdownPane implements Pane {
  readonly element: HTMLElement = make("div", "kkj-markdown");
  private readonly content: MarkdownContent;

  constructor(context: PaneContext) {
    this.content = new MarkdownContent(context);
    this.element.append(this.content.element);
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
    this.content.dispose();
  }
}
