// How wide the columns are: as wide as what was seen of them, and never narrower again.

import type { Column } from "./cells";

export const WIDEST_PX = 320;
const PADDING_PX = 20;

export class Widths {
  private readonly widths: number[] = [];
  private readonly measured: string[] = [];
  private dirty = false;

  /** @param place where the texts are measured: it has the font of the table. */
  constructor(private readonly place: HTMLElement) {}

  /** A cell turned out to be wider than its column. */
  atLeast(column: number, widthPx: number): void {
    const width = Math.min(widthPx, WIDEST_PX);
    if (width <= (this.widths[column] ?? 0)) return;
    this.widths[column] = width;
    this.dirty = true;
  }

  /** The `grid-template-columns` if it has changed, else null. */
  update(columns: readonly Column[]): string | null {
    // Not in the page yet, or in one that is hidden: there is nothing to go by.
    if (!this.place.getClientRects().length) return null;
    const probes: { column: number; probe: HTMLElement }[] = [];
    columns.forEach(({ name, widest }, column) => {
      if (this.measured[column] === widest) return;
      const texts = this.measured[column] === undefined ? [name, widest] : [widest];
      texts.forEach((text, index) => {
        const probe = document.createElement("span");
        probe.className = "kkj-table-measure";
        if (texts.length > 1 && !index) probe.style.fontWeight = "600";
        // More than this is cut in any case.
        probe.textContent = text.slice(0, WIDEST_PX);
        probes.push({ column, probe });
      });
      this.measured[column] = widest;
    });
    this.place.append(...probes.map(({ probe }) => probe));
    for (const { column, probe } of probes) {
      this.atLeast(column, probe.getBoundingClientRect().width);
    }
    for (const { probe } of probes) probe.remove();
    if (!this.dirty) return null;
    this.dirty = false;
    return columns.map((_, column) => `${this.widths[column] ?? PADDING_PX}px`).join(" ");
  }
}
