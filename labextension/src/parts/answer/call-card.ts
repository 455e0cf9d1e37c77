// A tool that the model calls: its name, its arguments as they grow, what it returned.

import { make, setText } from "../../ui/element";
import type { Block } from "./block";
import { GrowingBox } from "./growing-box";
import { pretty } from "./pretty";

export class CallCard implements Block {
  readonly element = make("section", "kkj-call");
  private readonly head = make("div", "kkj-call-head");
  private readonly name = make("code", "kkj-call-name", "…");
  private readonly argumentsBox = new GrowingBox("arguments", true);
  private resultBox: GrowingBox | null = null;
  /** What came of the arguments, and how many of these are drawn as they came. */
  private texts: string[] = [];
  private drawn = 0;
  private isWhole = false;
  /** Whether they were drawn set out, and not as they came. */
  private isSetOut = false;
  /** Whether some of the arguments are missing in what this page has. */
  private isBroken = false;

  constructor() {
    this.head.append(make("span", "kkj-call-label", "tool"), this.name);
    this.element.append(this.head);
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
    if (!this.resultBox) {
      this.resultBox = new GrowingBox("result", false);
      const result = make("div", "kkj-call-result");
      result.append(make("div", "kkj-call-label", "result"), this.resultBox.element);
      this.element.append(result);
    }
    this.resultBox.append(text);
  }

  /** Once a frame, however much came: what is drawn as it came is continued, not drawn anew. */
  draw(): void {
    this.element.classList.toggle("kkj-over", this.isWhole || this.resultBox !== null);
    if (this.drawn === this.texts.length) return;
    if (!this.argumentsBox.element.isConnected) this.head.after(this.argumentsBox.element);
    if (this.isWhole || this.isSetOut) {
      const text = this.texts.join("");
      this.texts = [text];
      if (this.isWhole) this.argumentsBox.settle(pretty(text));
      else this.argumentsBox.resume(text);
    } else this.argumentsBox.append(this.texts.slice(this.drawn).join(""));
    this.drawn = this.texts.length;
    this.isSetOut = this.isWhole;
  }

  flush(): void {
    this.argumentsBox.flush();
    this.resultBox?.flush();
  }

  ended(): void {
    this.argumentsBox.ended();
    this.resultBox?.ended();
    this.element.classList.add("kkj-over");
  }

  dispose(): void {
    this.argumentsBox.dispose();
    this.resultBox?.dispose();
  }
}
