// The whole of a cell that is cut, below it.

export class CellPopup {
  private readonly element = document.createElement("div");
  private shownFor: Element | null = null;

  constructor(private readonly table: HTMLElement) {
    this.element.className = "kkj-table-whole";
    this.element.setAttribute("role", "note");
    this.element.setAttribute("aria-live", "polite");
    this.element.hidden = true;
    table.append(this.element);
  }

  get isOpen(): boolean {
    return !this.element.hidden;
  }

  /** Show `text` at `cell`; a second time, hide it. */
  toggle(cell: HTMLElement, text: string): void {
    if (this.shownFor === cell && this.isOpen) {
      this.hide();
      return;
    }
    this.shownFor = cell;
    this.element.textContent = text;
    this.element.hidden = false;
    const around = this.table.getBoundingClientRect();
    const below = cell.getBoundingClientRect();
    const room = around.width - this.element.offsetWidth;
    this.element.style.left = `${Math.max(0, Math.min(below.left - around.left, room))}px`;
    // Above the cell if there is no room below it.
    const height = this.element.offsetHeight;
    const down = below.bottom - around.top;
    const up = below.top - around.top - height;
    this.element.style.top = `${down + height > around.height && up >= 0 ? up : down}px`;
  }

  hide(): void {
    this.element.hidden = true;
    this.shownFor = null;
  }
}
