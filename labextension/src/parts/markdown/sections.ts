// The blocks of an answer in the page: finished ones, which are never touched again, and behind them
// the open ones. They stand in sections; one that is out of sight is not laid out.

import { heightPx } from "../../text/blocks";
import { make } from "../../ui/element";
import { NO_FORMULAS } from "./formulas";
import { patch } from "./patch";

/**
 * A section ends with the first finished block after so many characters: about a screen. The open one
 * is laid out and painted with each frame.
 */
const SECTION_CHARS = 3_000;

interface OpenBlock {
  node: HTMLElement;
  section: Section;
}

interface Section {
  element: HTMLElement;
  chars: number;
  open: number;
}

export class Sections {
  private section: Section | null = null;
  private blocks: OpenBlock[] = [];

  constructor(private readonly element: HTMLElement) {}

  /** Show these nodes as the open blocks; returns what is in the page for them. */
  show(nodes: readonly HTMLElement[]): HTMLElement[] {
    for (const [index, node] of nodes.entries()) {
      const block = this.blocks[index];
      if (block) block.node = patch(block.node, node) as HTMLElement;
      else this.add(node);
    }
    for (const { node, section } of this.blocks.splice(nodes.length)) {
      node.remove();
      section.open -= 1;
    }
    return this.blocks.map(({ node }) => node);
  }

  /** The first `count` open blocks are finished, with `source` in them; returns them. */
  finish(count: number, source: string): HTMLElement[] {
    const finished = this.blocks.splice(0, count);
    const last = finished.at(-1);
    if (last) last.section.chars += source.length;
    for (const { section } of finished) {
      section.open -= 1;
      if (section.chars >= SECTION_CHARS && !section.open) this.close(section);
    }
    return finished.map(({ node }) => node);
  }

  clear(): void {
    this.element.replaceChildren();
    this.section = null;
    this.blocks = [];
  }

  private add(node: HTMLElement): void {
    const full = !this.section || this.section.chars >= SECTION_CHARS;
    const section = full ? this.begin() : (this.section as Section);
    section.element.append(node);
    section.open += 1;
    this.blocks.push({ node, section });
  }

  private begin(): Section {
    const element = make("div", `kkj-section ${NO_FORMULAS}`);
    this.element.append(element);
    this.section = { element, chars: 0, open: 0 };
    return this.section;
  }

  /** Only a closed section may be skipped when it is out of sight: its height is (about) known. */
  private close(section: Section): void {
    const height = heightPx(section.element.textContent ?? "");
    section.element.style.containIntrinsicSize = `auto ${height}px`;
    section.element.classList.add("kkj-closed");
    if (this.section === section) this.section = null;
  }
}
