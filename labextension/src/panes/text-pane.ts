// The text: appended block by block, and never touched again, so that a selection in it survives and
// a long stream costs no more per delta than a short one; but for the last line, which may be written
// over.

import { blockEnd, heightPx } from "../text/blocks";
import { rewritten, settled } from "../text/carriage-returns";
import { make } from "../ui/element";

/** Neighbouring deltas share a text node up to this length. */
const NODE_CHARS = 2_000;
/** A hidden page draws no frames; what arrives meanwhile is written when it is so much. */
const PENDING_CHARS = 500_000;

export class TextPane {
  readonly element = make("div", "kkj-text");
  /** Whether a caret shows where it grows; it does while a line is being written. */
  protected hasCaret = true;
  private block: HTMLElement | null = null;
  /** Where the caret is. */
  private caret: HTMLElement | null = null;
  private blockChars = 0;
  private pending = "";
  /** The last line: what is shown of it, and perhaps a `\r` and what was written since. */
  private open = "";
  private returned = false;
  private frame = 0;

  append(text: string): void {
    this.pending += text;
    if (this.pending.length > PENDING_CHARS) this.flush();
    else this.frame ||= requestAnimationFrame(() => this.flush());
  }

  replace(text: string): void {
    this.element.replaceChildren();
    this.block = null;
    this.pending = this.open = "";
    this.returned = false;
    this.append(text);
  }

  /** Draw what is pending now. */
  flush(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    let text = this.take();
    while (text) text = this.write(text);
    this.putCaret(this.hasCaret && this.open ? this.block : null);
  }

  ended(): void {
    this.hasCaret = false;
    this.flush();
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
  }

  /** What there is to write now; what it writes over is taken away. */
  private take(): string {
    const { open, pending } = this;
    this.pending = "";
    if (!this.returned && !pending.includes("\r")) {
      // A line may be very long: it is not looked at as a whole.
      const end = pending.lastIndexOf("\n") + 1;
      this.open = end ? pending.slice(end) : open + pending;
      return pending;
    }
    const text = settled(open + pending);
    this.open = text.slice(text.lastIndexOf("\n") + 1);
    this.returned = this.open.includes("\r");
    const before = rewritten(open);
    const now = rewritten(text);
    if (now.startsWith(before)) return now.slice(before.length);
    this.erase(before.length);
    return now;
  }

  /** Take away the last line, of which so much is shown. */
  protected erase(chars: number): void {
    for (let left = chars; left > 0; ) {
      const block = this.element.lastChild as HTMLElement;
      const node = block.lastChild as Text;
      const kept = Math.max(0, node.length - left);
      left -= node.length - kept;
      if (kept) node.deleteData(kept, chars);
      else node.remove();
      // What is before an empty block is whole.
      this.block = block.lastChild && block;
      if (this.block) block.classList.remove("kkj-closed");
      else block.remove();
    }
    this.blockChars = this.block?.textContent?.length ?? 0;
  }

  /** Write the beginning of `text`, at most to the end of the block; return the rest. */
  private write(text: string): string {
    const block = this.block ?? this.begin();
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

  private putCaret(block: HTMLElement | null): void {
    if (block === this.caret) return;
    this.caret?.classList.remove("kkj-caret");
    block?.classList.add("kkj-caret");
    this.caret = block;
  }

  private begin(): HTMLElement {
    const block = make("div", "kkj-block");
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
