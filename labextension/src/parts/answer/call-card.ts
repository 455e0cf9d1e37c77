// A tool that the model calls: its name, its arguments as they grow, what it returned.

import { TextPane } from "../../panes/text-pane";
import { make, setText } from "../../ui/element";
import type { Block } from "./block";
import { pretty } from "./pretty";

export class CallCard implements Block {
  readonly element = make("section", "kkj-call");
  private readonly name = make("code", "kkj-call-name", "…");
  private readonly argumentsPane = new TextPane("arguments");
  private resultPane: TextPane | null = null;
  /** What came of the arguments, and how many of these are drawn as they came. */
  private texts: string[] = [];
  private drawn = 0;
  private isWhole = false;
  /** Whether they were drawn set out, and not as they came. */
  private isSetOut = false;
  /** Whether some of the arguments are missing in what this page has. */
  private isBroken = false;

  constructor() {
    const head = make("div", "kkj-call-head");
    head.append(make("span", "kkj-call-label", "tool"), this.name);
    this.argumentsPane.element.hidden = true;
    this.element.append(head, this.argumentsPane.element);
  }

  named(name: string): void {
    setText(this.name, name || "…");
  }

  append(text: string, isWhole: boolean): void {
    if (this.isBroken && this.texts.length) this.texts.push(" … ");
    this.isBroken = false;
    this.texts.push(text);
    this.isWhole = isWhole;
  }

  replace(text: string, isWhole: boolean): void {
    this.texts = [];
    this.drawn = 0;
    this.isSetOut = true;
    this.append(text, isWhole);
  }

  /** Some of what comes is missing here. */
  broken(): void {
    this.isBroken = true;
  }

  returned(text: string): void {
    if (!this.resultPane) {
      this.resultPane = new TextPane("result");
      const result = make("div", "kkj-call-result");
      result.append(make("div", "kkj-call-label", "result"), this.resultPane.element);
      this.element.append(result);
    }
    this.resultPane.append(text);
  }

  /** Once a frame, however much came: what is drawn as it came is continued, not drawn anew. */
  draw(): void {
    this.element.classList.toggle("kkj-over", this.isWhole || this.resultPane !== null);
    if (this.drawn === this.texts.length) return;
    this.argumentsPane.element.hidden = false;
    if (this.isWhole || this.isSetOut) {
      const text = this.texts.join("");
      this.texts = [text];
      this.argumentsPane.replace(this.isWhole ? pretty(text) : text);
    } else this.argumentsPane.append(this.texts.slice(this.drawn).join(""));
    this.drawn = this.texts.length;
    this.isSetOut = this.isWhole;
  }

  flush(): void {
    this.argumentsPane.flush();
    this.resultPane?.flush();
  }

  ended(): void {
    this.element.classList.add("kkj-over");
  }

  dispose(): void {
    this.argumentsPane.dispose();
    this.resultPane?.dispose();
  }
}
