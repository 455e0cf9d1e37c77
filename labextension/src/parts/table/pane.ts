// The pane: what is seen of the rows, and what a user does with them.

import type { Pane } from "../../panes/pane";
import { makeButton } from "../../ui/button";
import { suppressShortcuts } from "../../ui/shortcuts";
import { addStyle } from "../../ui/styles";
import { CellPopup } from "./cell-popup";
import { fullText } from "./cells";
import { drawColumnHead, drawGap, drawRow, isCut, make, redrawRow } from "./drawing";
import { moved, type Place } from "./keyboard";
import { type Direction, Order } from "./order";
import { Rows } from "./rows";
import css from "./table.css";
import { tsvOf } from "./tsv";
import { Viewport } from "./viewport";
import { WIDEST_PX, Widths } from "./widths";

const AT_BOTTOM_PX = 8;
/** Of each frame, for taking rows in and for sorting. */
const WORK_MS = 8;
const HINT_CHARS = 2_000;

let tables = 0;

export class TablePane implements Pane {
  readonly element = document.createElement("div");
  readonly hasOwnHeight = true;
  private readonly id = `kkj-table-${++tables}`;
  private readonly box = make("kkj-table-box", "grid");
  private readonly sizer = make("kkj-table-sizer", "none");
  private readonly head = make("kkj-table-row kkj-table-head", "row");
  private readonly body = make("kkj-table-rows", "rowgroup");
  private readonly size = document.createElement("span");
  private readonly newest = makeButton("Newest", "Go to the newest rows, and follow them");
  private readonly widths = new Widths(this.sizer);
  private readonly popup = new CellPopup(this.element);
  private readonly viewport = new Viewport(this.box, this.sizer, this.body, (place) =>
    this.drawPlace(place),
  );
  private rows = new Rows();
  private order: Order | null = null;
  /** The order that is being made; it is shown when it is complete. */
  private nextOrder: Order | null = null;
  private drawnVersion = 0;
  private active: Place | null = null;
  // Coming into sight, and being resized.
  private readonly resizing = new ResizeObserver(() => this.schedule());
  private frame = 0;
  private following = true;
  private over = false;

  constructor(label: string) {
    addStyle(document, "table", css);
    this.element.className = "kkj-table";
    this.box.setAttribute("aria-label", label);
    this.box.setAttribute("aria-readonly", "true");
    this.box.tabIndex = 0;
    this.head.setAttribute("aria-rowindex", "1");
    this.sizer.append(this.head, this.body);
    this.box.append(this.sizer);
    const caption = document.createElement("div");
    caption.className = "kkj-table-caption";
    this.newest.hidden = true;
    caption.append(this.size, this.newest);
    this.element.prepend(this.box, caption);
    this.box.addEventListener("scroll", () => this.scrolled());
    this.box.addEventListener("click", (event) => this.clicked(event));
    this.box.addEventListener("keydown", (event) => this.pressed(event));
    // Behind the table's own keys: Escape closes what it has open before it leads out of it.
    suppressShortcuts(this.box);
    this.box.addEventListener("pointerover", ({ target }) => this.hint(target));
    this.newest.addEventListener("click", () => this.follow());
    this.resizing.observe(this.box);
  }

  append(source: string): void {
    this.rows.append(source);
    this.schedule();
  }

  replace(source: string): void {
    this.rows = new Rows();
    this.order = this.nextOrder = this.active = null;
    this.following = true;
    this.head.replaceChildren();
    this.forget();
    this.append(source);
  }

  flush(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const until = performance.now() + WORK_MS;
    let isDone = this.rows.advance(until);
    const sorting = this.nextOrder ?? this.order;
    if (sorting) {
      const before = sorting.count;
      isDone = sorting.advance(until) && isDone;
      if (sorting.count !== before && sorting === this.order) this.drawnVersion = -1;
      if (this.nextOrder && sorting.count) this.reorder(this.nextOrder);
    }
    this.draw();
    if (!isDone) this.schedule();
  }

  ended(): void {
    this.over = true;
    this.drawCaption();
  }

  copied(source: string): string {
    return tsvOf(source);
  }

  dispose(): void {
    this.resizing.disconnect();
    cancelAnimationFrame(this.frame);
  }

  private schedule(): void {
    // A hidden page draws no frames: what arrives meanwhile is drawn when it is shown again.
    this.frame ||= requestAnimationFrame(() => this.flush());
  }

  // ---- the row at a place from the top

  private get places(): number {
    if (this.order) return this.order.count;
    return this.rows.count + (this.rows.gapAt === null ? 0 : 1);
  }

  /** The row at a place; -1 for what is left out. */
  private rowAt(place: number): number {
    if (this.order) return this.order.at(place);
    const { gapAt } = this.rows;
    if (gapAt === null || place < gapAt) return place;
    return place === gapAt ? -1 : place - 1;
  }

  // ---- drawing

  private draw(): void {
    const { rows, viewport } = this;
    this.drawHead();
    if (this.drawnVersion !== rows.version) this.redraw();
    this.widen();
    viewport.resize(this.places);
    if (this.following && !this.selecting()) viewport.toEnd();
    this.fit(viewport.draw());
    this.drawCaption();
  }

  private drawHead(): void {
    const { columns } = this.rows;
    const known = this.head.childElementCount;
    if (known === columns.length) return;
    this.head.append(
      ...columns.slice(known).map((column, index) => drawColumnHead(column, known + index)),
    );
    this.box.setAttribute("aria-colcount", String(columns.length));
  }

  /** The rows in the page once more: what a column's cells read has changed. */
  private redraw(): void {
    const { rows } = this;
    this.drawnVersion = rows.version;
    rows.columns.forEach((column, index) => {
      this.head.children[index]?.classList.toggle("kkj-table-number", column.isNumber);
    });
    for (const [place, element] of this.viewport.drawn) {
      const row = this.rowAt(place);
      if (row >= 0) redrawRow(element, rows.row(row), rows.columns);
      else this.viewport.drop(place);
    }
  }

  private drawPlace(place: number): HTMLElement {
    const { rows } = this;
    const row = this.rowAt(place);
    const element = row < 0 ? drawGap(rows.leftOut) : drawRow(rows.row(row), rows.columns);
    element.setAttribute("aria-rowindex", String(place + 2));
    element.dataset.place = String(place);
    element.classList.toggle("kkj-table-even", place % 2 === 1);
    if (this.active?.row === place) this.mark(element.children[this.active.column]);
    return element;
  }

  /** Widen columns in which a new cell would be cut though there is room. */
  private fit(fresh: HTMLElement[]): void {
    for (const cell of fresh.flatMap((row) => [...row.children] as HTMLElement[])) {
      const { scrollWidth, clientWidth } = cell;
      if (scrollWidth > clientWidth + 1 && clientWidth < WIDEST_PX && cell.dataset.column) {
        this.widths.atLeast(Number(cell.dataset.column), scrollWidth);
      }
    }
    if (fresh.length) this.widen();
  }

  private widen(): void {
    const widths = this.widths.update(this.rows.columns);
    if (widths !== null) this.element.style.setProperty("--kkj-columns", widths);
  }

  private drawCaption(): void {
    const { rows } = this;
    const all = rows.count + (rows.leftOut ?? 0);
    const text = `${counted(all, "row")} × ${counted(rows.columns.length, "column")}`;
    if (this.size.textContent !== text) this.size.textContent = text;
    this.newest.hidden = this.over || this.following || !this.viewport.isScrolled;
    this.box.setAttribute("aria-rowcount", String(this.places + 1));
    this.box.setAttribute("aria-busy", String(this.nextOrder !== null));
  }

  private forget(): void {
    this.viewport.forget();
    this.popup.hide();
    this.drawnVersion = -1;
  }

  // ---- sorting

  /** Ascending, then descending, then as the rows came. */
  private sort(column: number): void {
    const present = this.nextOrder ?? this.order;
    const direction = present?.column === column ? present.direction : null;
    if (direction === "descending") {
      this.follow();
      return;
    }
    const next: Direction = direction ? "descending" : "ascending";
    this.nextOrder = new Order(this.rows, column, next);
    this.following = false;
    this.drawSort(column, next);
    this.flush();
  }

  /** Back to the rows as they came, the newest in sight. */
  private follow(): void {
    if (this.order || this.nextOrder) {
      this.order = this.nextOrder = null;
      this.forget();
      this.drawSort(-1, "ascending");
    }
    this.following = true;
    this.flush();
  }

  private reorder(order: Order): void {
    this.order = order;
    this.nextOrder = null;
    this.box.scrollTop = 0;
    this.forget();
  }

  private drawSort(sorted: number, direction: Direction): void {
    [...this.head.children].forEach((head, column) => {
      head.setAttribute("aria-sort", column === sorted ? direction : "none");
    });
  }

  // ---- what a user does

  private scrolled(): void {
    const { box } = this;
    if (!this.order && !this.nextOrder) {
      this.following = box.scrollHeight - box.scrollTop - box.clientHeight < AT_BOTTOM_PX;
    }
    this.popup.hide();
    this.schedule();
  }

  private clicked({ target }: Event): void {
    const cell = (target as Element).closest<HTMLElement>("[data-column]");
    if (!cell) return;
    const place = placeOf(cell);
    this.activate(place);
    if (place.row < 0) this.sort(place.column);
    else if (document.getSelection()?.isCollapsed !== false) this.open(cell, place);
  }

  private pressed(event: KeyboardEvent): void {
    const { active } = this;
    const extent = {
      rows: this.places,
      columns: this.rows.columns.length,
      page: this.viewport.page,
    };
    const to = moved(active, event, extent);
    if (to) {
      this.activate(to);
    } else if (event.key === "Escape" && (this.popup.isOpen || active)) {
      if (this.popup.isOpen) this.popup.hide();
      else this.activate(null);
    } else if ((event.key === "Enter" || event.key === " ") && active) {
      const cell = this.cellAt(active);
      if (active.row < 0) this.sort(active.column);
      else if (cell) this.open(cell, active);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  private activate(place: Place | null): void {
    this.box.querySelector(".kkj-table-active")?.classList.remove("kkj-table-active");
    this.box.querySelector(`#${this.id}`)?.removeAttribute("id");
    this.box.removeAttribute("aria-activedescendant");
    this.active = place;
    if (!place) return;
    if (place.row >= 0) {
      this.viewport.reveal(place.row);
      this.fit(this.viewport.draw());
    }
    const cell = this.cellAt(place);
    this.mark(cell);
    if (cell) this.revealSideways(cell as HTMLElement);
  }

  private mark(cell: Element | undefined): void {
    if (!cell) return;
    cell.classList.add("kkj-table-active");
    cell.id = this.id;
    this.box.setAttribute("aria-activedescendant", this.id);
  }

  private cellAt({ row, column }: Place): HTMLElement | undefined {
    const element = row < 0 ? this.head : this.viewport.drawn.get(row);
    return element?.children[column] as HTMLElement | undefined;
  }

  private revealSideways({ offsetLeft, offsetWidth }: HTMLElement): void {
    const { box } = this;
    const right = offsetLeft + offsetWidth - box.clientWidth;
    box.scrollLeft = Math.min(Math.max(box.scrollLeft, right), offsetLeft);
  }

  private open(element: HTMLElement, { row, column }: Place): void {
    const cell = this.cellOf(row, column);
    if (this.popup.isOpen || isCut(element, cell)) this.popup.toggle(element, fullText(cell));
  }

  private hint(target: EventTarget | null): void {
    const element = (target as Element).closest<HTMLElement>(".kkj-table-cell[data-column]");
    if (!element || element.title) return;
    const { row, column } = placeOf(element);
    const cell = this.cellOf(row, column);
    if (!isCut(element, cell)) return;
    element.title = fullText(cell).slice(0, HINT_CHARS);
    element.classList.add("kkj-table-cut");
  }

  private cellOf(place: number, column: number) {
    const row = this.rowAt(place);
    return row < 0 ? undefined : this.rows.row(row)[column];
  }

  /** Rows that are being marked must not run away from under the pointer. */
  private selecting(): boolean {
    const selection = document.getSelection();
    return Boolean(selection && !selection.isCollapsed && this.body.contains(selection.anchorNode));
  }
}

function placeOf(cell: HTMLElement): Place {
  const row = Number(cell.parentElement?.dataset.place ?? -1);
  return { row, column: Number(cell.dataset.column) };
}

function counted(count: number, noun: string): string {
  return `${count.toLocaleString("en-US")} ${noun}${count === 1 ? "" : "s"}`;
}
