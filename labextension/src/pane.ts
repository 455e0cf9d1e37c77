// The text: appended block by block, never rewritten, so that a selection in it survives and a
// long stream costs no more per delta than a short one.

/** A block is closed at the first line end after this many characters ... */
const BLOCK_CHARS = 12_000;
/** ... or, in text without line ends, at the next space after this many. */
const BLOCK_LIMIT_CHARS = 24_000;
/** Neighbouring deltas share a text node up to this length. */
const NODE_CHARS = 2_000;
const LINE_PX = 17;
const LINE_CHARS = 110;
const AT_BOTTOM_PX = 8;

export class TextPane {
  readonly element: HTMLElement;
  private block: HTMLElement | null = null;
  private blockChars = 0;
  private pending = "";
  private frame = 0;
  private following = true;

  constructor(label: string) {
    const pane = document.createElement("div");
    pane.className = "kkj-text";
    pane.setAttribute("role", "log");
    pane.setAttribute("aria-live", "off");
    pane.setAttribute("aria-label", label);
    pane.tabIndex = 0;
    pane.addEventListener("scroll", () => {
      const below = pane.scrollHeight - pane.scrollTop - pane.clientHeight;
      this.following = below < AT_BOTTOM_PX;
    });
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
    if (this.following && !this.selecting()) this.element.scrollTop = this.element.scrollHeight;
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
  }

  /** Write the beginning of `text`, at most to the end of the block; return the rest. */
  private write(text: string): string {
    const block = this.block ?? this.open();
    const cut = this.cut(text);
    const now = cut ? text.slice(0, cut.at) : text;
    if (now) {
      const last = block.lastChild as Text | null;
      if (last && last.length + now.length <= NODE_CHARS) last.appendData(now);
      else block.append(now);
      this.blockChars += now.length;
    }
    if (!cut) return "";
    this.close(block, cut.soft);
    return text.slice(cut.next);
  }

  /** Where the current block ends within `text`, if it does. */
  private cut(text: string): { at: number; next: number; soft: boolean } | null {
    const line = text.indexOf("\n", Math.max(0, BLOCK_CHARS - this.blockChars));
    const space = text.indexOf(" ", Math.max(0, BLOCK_LIMIT_CHARS - this.blockChars));
    if (line >= 0 && (space < 0 || line < space)) return { at: line, next: line + 1, soft: false };
    if (space >= 0) return { at: space + 1, next: space + 1, soft: true };
    return null;
  }

  private open(): HTMLElement {
    const block = document.createElement("div");
    block.className = "kkj-block";
    this.element.append(block);
    this.block = block;
    this.blockChars = 0;
    return block;
  }

  /** `soft`: the text goes on without a line end; only the drawing breaks here. */
  private close(block: HTMLElement, soft: boolean): void {
    if (soft) block.dataset.soft = "";
    const lines = (block.textContent ?? "")
      .split("\n")
      .reduce((sum, line) => sum + Math.ceil((line.length + 1) / LINE_CHARS), 0);
    // Only a closed block may be skipped when it is out of sight: its height is (about) known.
    block.style.containIntrinsicSize = `auto ${lines * LINE_PX}px`;
    block.classList.add("kkj-closed");
    this.block = null;
  }

  /** Text that is being marked must not run away from under the pointer. */
  private selecting(): boolean {
    const selection = document.getSelection();
    return Boolean(
      selection && !selection.isCollapsed && this.element.contains(selection.anchorNode),
    );
  }
}
