// The text: appended block by block, never rewritten, so that a selection in it survives and a
// long stream costs no more per delta than a short one.

import { blockEnd, heightPx } from "./blocks";
import { suppressShortcuts } from "./button";
import { Follower } from "./follow";

/** Neighbouring deltas share a text node up to this length. */
const NODE_CHARS = 2_000;

export class TextPane {
  readonly element: HTMLElement;
  private block: HTMLElement | null = null;
  private blockChars = 0;
  private pending = "";
  private frame = 0;
  private readonly follower: Follower;

  constructor(label: string) {
    const pane = document.createElement("div");
    pane.className = "kkj-text";
    pane.setAttribute("role", "log");
    pane.setAttribute("aria-live", "off");
    pane.setAttribute("aria-label", label);
    pane.tabIndex = 0;
    suppressShortcuts(pane);
    this.follower = new Follower(pane);
    this.element = pane;
  }

  append(text: string): void {
    this.pending += text;
    // A hidden page draws no frames: what arrives meanwhile is one append when it is shown again.
    this.frame ||= requestAnimationFrame(() => this.flush());
  }

  replace(text: string): void {
    this.element.replaceChildren();
    this.block = null;
    this.pending = "";
    this.append(text);
  }

  /** Draw what is pending now. */
  flush(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    let text = this.pending;
    this.pending = "";
    while (text) text = this.write(text);
    this.follower.follow();
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
  }

  /** Write the beginning of `text`, at most to the end of the block; return the rest. */
  private write(text: string): string {
    const block = this.block ?? this.open();
    const end = blockEnd(text, this.blockChars);
    const now = end < 0 ? text : text.slice(0, end);
    this.put(block, now);
    this.blockChars += now.length;
    if (end < 0) return "";
    this.close(block);
    return text.slice(end);
  }

  protected put(block: HTMLElement, text: string): void {
    const last = block.lastChild;
    if (last instanceof Text && last.length + text.length <= NODE_CHARS) last.appendData(text);
    else block.append(text);
  }

  private open(): HTMLElement {
    const block = document.createElement("div");
    block.className = "kkj-block";
    this.element.append(block);
    this.block = block;
    this.blockChars = 0;
    return block;
  }

  private close(block: HTMLElement): void {
    // Only a closed block may be skipped when it is out of sight: its height is (about) known.
    block.style.containIntrinsicSize = `auto ${heightPx(block.textContent ?? "")}px`;
    block.classList.add("kkj-closed");
    this.block = null;
  }
}
