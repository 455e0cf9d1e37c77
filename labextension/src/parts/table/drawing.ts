// The elements of a table: its head, its rows, their cells.

import { type Cell, type Column, fullText, kindOf } from "./cells";
import { gapText } from "./tsv";

export function make(className: string, role: string): HTMLElement {
  const element = document.createElement("div");
  element.className = className;
  element.setAttribute("role", role);
  return element;
}

/** A head that is a button with the mouse; keys reach it through the grid. */
export function drawColumnHead(column: Column, index: number): HTMLElement {
  const head = make("kkj-table-columnhead", "columnheader");
  head.setAttribute("aria-colindex", String(index + 1));
  head.setAttribute("aria-sort", "none");
  head.dataset.column = String(index);
  const button = document.createElement("button");
  button.type = "button";
  button.tabIndex = -1;
  button.className = "kkj-table-sort";
  button.textContent = column.name;
  button.title = column.name;
  head.append(button);
  return head;
}

export function drawRow(row: readonly Cell[], columns: readonly Column[]): HTMLElement {
  const element = make("kkj-table-row", "row");
  columns.forEach((column, index) => {
    const cell = make("", "gridcell");
    cell.setAttribute("aria-colindex", String(index + 1));
    cell.dataset.column = String(index);
    element.append(cell);
    drawCell(cell, row[index], column);
  });
  return element;
}

/** Draw a row anew in its place, so that a selection in what has not changed survives. */
export function redrawRow(
  element: HTMLElement,
  row: readonly Cell[],
  columns: readonly Column[],
): void {
  if (element.childElementCount !== columns.length) {
    element.replaceChildren(...drawRow(row, columns).children);
    return;
  }
  columns.forEach((column, index) => {
    drawCell(element.children[index] as HTMLElement, row[index], column);
  });
}

function drawCell(element: HTMLElement, cell: Cell | undefined, column: Column): void {
  const side = column.isNumber ? " kkj-table-number" : "";
  const name = `kkj-table-cell kkj-table-${kindOf(cell)}-cell${side}`;
  const active = element.classList.contains("kkj-table-active") ? " kkj-table-active" : "";
  const text = column.shown(cell);
  if (element.className !== name + active) element.className = name + active;
  if (element.textContent === text) return;
  element.textContent = text;
  element.title = "";
}

/** Whether the cell does not show all it has. */
export function isCut(element: HTMLElement, cell: Cell | undefined): boolean {
  return element.scrollWidth > element.clientWidth || element.textContent !== fullText(cell);
}

/** A row that stands for those which the source lacks. */
export function drawGap(leftOut: number | null): HTMLElement {
  const element = make("kkj-table-row kkj-table-gap", "row");
  const cell = make("kkj-table-cell kkj-table-gap-cell", "gridcell");
  cell.textContent = gapText(leftOut);
  element.append(cell);
  return element;
}
