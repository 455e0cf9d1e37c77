import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Cell } from "../../src/parts/table/cells";
import { Column } from "../../src/parts/table/cells";
import { moved } from "../../src/parts/table/keyboard";
import { Order } from "../../src/parts/table/order";
import { TablePane } from "../../src/parts/table/pane";
import { Rows } from "../../src/parts/table/rows";
import { tsvOf } from "../../src/parts/table/tsv";
import cases from "../cases/table.json";

const EVER = Number.POSITIVE_INFINITY;

let pane: TablePane;

beforeEach(() => {
  pane = new TablePane("rows(5)");
  document.body.replaceChildren(pane.element);
});
afterEach(() => pane.dispose());

function lines(...values: unknown[]): string {
  return values.map((value) => `${JSON.stringify(value)}\n`).join("");
}

function head(columns: string[], row = 0) {
  return { columns, row };
}

function write(source: string): void {
  pane.append(source);
  pane.flush();
}

function rowsOf(source: string): Rows {
  const rows = new Rows();
  rows.append(source);
  rows.advance(EVER);
  return rows;
}

function shown(): string[][] {
  return [...pane.element.querySelectorAll(".kkj-table-rows > *")].map((row) =>
    [...row.children].map((cell) => cell.textContent ?? ""),
  );
}

function sortButton(index: number): HTMLButtonElement {
  const found = pane.element.querySelectorAll<HTMLButtonElement>(".kkj-table-sort")[index];
  if (!found) throw new Error(`no column ${index}`);
  return found;
}

function sortedBy(): (string | null)[] {
  return [...pane.element.querySelectorAll("[role=columnheader]")].map((columnHead) =>
    columnHead.getAttribute("aria-sort"),
  );
}

function grid(): HTMLElement {
  return pane.element.querySelector("[role=grid]") as HTMLElement;
}

function press(key: string, more: KeyboardEventInit = {}): void {
  grid().dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, ...more }));
}

function active(): string | undefined {
  const id = grid().getAttribute("aria-activedescendant");
  return id ? pane.element.querySelector(`#${id}`)?.textContent : undefined;
}

// ---- the source

test("a source may come in pieces of any size", () => {
  const source = lines(head(["a", "b"]), [1, "x"], [2, "ü😀"]);
  const rows = new Rows();
  for (const piece of source) {
    rows.append(piece);
    rows.advance(EVER);
  }
  expect(rows.columns.map(({ name }) => name)).toEqual(["a", "b"]);
  expect([rows.row(0), rows.row(1)]).toEqual([
    [1, "x"],
    [2, "ü😀"],
  ]);
});

test("what the middle lacks is counted by the next head", () => {
  const rows = rowsOf(
    `${lines(head(["a"]), [0], [1])}[2\n[… 9,999 characters left out …]\n7]\n${lines([8], head(["a"], 9), [9])}`,
  );
  expect([rows.count, rows.gapAt, rows.leftOut]).toEqual([4, 2, 6]);
});

test("rows of which no head is left have columns all the same", () => {
  const rows = rowsOf(`[… 9 characters left out …]\n${lines([8, "x"])}`);
  expect(rows.columns.length).toBe(2);
  expect(rows.leftOut).toBeNull();
});

test("much source is taken in bit by bit", () => {
  const rows = new Rows();
  rows.append(lines(head(["a"]), ...Array.from({ length: 1_000 }, (_, i) => [i])));
  expect(rows.advance(performance.now())).toBe(false);
  expect(rows.count).toBeGreaterThan(0);
  expect(rows.count).toBeLessThan(1_000);
  expect(rows.advance(EVER)).toBe(true);
  expect(rows.count).toBe(1_000);
});

test.each(cases as { cells: Cell[]; shown: string[] }[])("$shown", ({ cells, shown }) => {
  const column = new Column("x");
  for (const cell of cells) column.see(cell);
  expect(cells.map((cell) => column.shown(cell))).toEqual(shown);
});

// ---- sorting

function orderOf(cells: Cell[], direction: "ascending" | "descending", slice = EVER): number[] {
  const rows = rowsOf(lines(head(["a"]), ...cells.map((cell) => [cell])));
  const order = new Order(rows, 0, direction);
  while (!order.advance(slice)) {}
  return cells.map((_, place) => order.at(place));
}

test("numbers by size, texts as people read them, what is empty last", () => {
  const cells: Cell[] = ["b10", null, 10, "b9", 2, [], ["n", "NaN"], ["n", "1e30"], 2];
  expect(orderOf(cells, "ascending")).toEqual([4, 8, 2, 7, 3, 0, 1, 5, 6]);
  expect(orderOf(cells, "descending")).toEqual([0, 3, 7, 2, 4, 8, 1, 5, 6]);
});

test("dates by the moment, false before true", () => {
  const dates: Cell[] = ["2026-01-02T03:00:00+05:00", "2026-01-01T23:00:00+00:00"].map((text) => [
    "d",
    text,
  ]);
  expect(orderOf(dates, "ascending")).toEqual([0, 1]);
  expect(orderOf([true, false, true], "ascending")).toEqual([1, 0, 2]);
});

test("many rows, in slices of time, and more of them later", () => {
  const values = Array.from({ length: 5_000 }, (_, i) => (i * 7_919) % 1_009);
  const rows = rowsOf(lines(head(["a"]), ...values.slice(0, 4_000).map((value) => [value])));
  const order = new Order(rows, 0, "ascending");
  let slices = 0;
  while (!order.advance(performance.now())) slices++;
  expect(slices).toBeGreaterThan(3);
  rows.append(lines(...values.slice(4_000).map((value) => [value])));
  rows.advance(EVER);
  expect(order.count).toBe(4_000);
  order.advance(EVER);
  const expected = values.map((_, i) => i).sort((a, b) => (values[a] ?? 0) - (values[b] ?? 0));
  expect(values.map((_, place) => order.at(place))).toEqual(expected);
});

// ---- copying

test("copy gives values parted by tabs, and no formulas", () => {
  const source = lines(
    head(["a", "=b"]),
    ["x\ty", 'say "hi"'],
    ["=1+1", -1],
    [null, []],
    ["-5", ["d", "2026-01-02T00:00:00"]],
    [21.285714285714285, true],
  );
  expect(tsvOf(source).split("\n")).toEqual([
    "a\t'=b",
    '"x\ty"\t"say ""hi"""',
    "'=1+1\t-1",
    "\t",
    "-5\t2026-01-02 00:00:00",
    "21.285714285714285\tTrue",
    "",
  ]);
});

// ---- the pane

test("rows below a head; missing, null and booleans told apart", () => {
  write(lines(head(["a", "b"]), [1, "x"], [2.25, null], [[], true], [3, ["j", "{}"]]));
  expect(shown()).toEqual([
    ["1.00", "x"],
    ["2.25", "None"],
    ["", "True"],
    ["3.00", "{}"],
  ]);
  const classes = [...pane.element.querySelectorAll(".kkj-table-rows [data-column='1']")].map(
    (cell) => /kkj-table-(\w+)-cell/.exec(cell.className)?.[1],
  );
  expect(classes).toEqual(["text", "null", "boolean", "other"]);
  expect(pane.element.textContent).toContain("4 rows × 2 columns");
  expect(grid().getAttribute("aria-rowcount")).toBe("5");
});

test("a column that comes later, and decimals that grow, are drawn in the rows there are", () => {
  write(lines(head(["a"]), [1]));
  const row = pane.element.querySelector(".kkj-table-rows > *");
  write(lines(head(["a", "b"], 1), [0.5, 7]));
  expect(shown()).toEqual([
    ["1.0", ""],
    ["0.5", "7"],
  ]);
  expect(pane.element.querySelector(".kkj-table-rows > *")).toBe(row);
});

test("only what is in sight is in the page", () => {
  write(lines(head(["a"]), ...Array.from({ length: 500 }, (_, i) => [i])));
  expect(shown().length).toBeLessThan(60);
  expect(grid().getAttribute("aria-rowcount")).toBe("501");
});

test("markup stays text", () => {
  const evil = "<img src=x onerror=alert(1)>";
  write(lines(head([evil]), [evil]));
  expect(pane.element.querySelector("img")).toBeNull();
  expect(shown()).toEqual([[evil]]);
});

test("a click on a head sorts, another one turns round, a third goes back", () => {
  write(lines(head(["a", "b"]), [2, "x"], [10, "y"], [1, "z"]));
  sortButton(0).click();
  expect(shown().map(([a]) => a)).toEqual(["1", "2", "10"]);
  expect(sortedBy()).toEqual(["ascending", "none"]);
  sortButton(0).click();
  expect(shown().map(([a]) => a)).toEqual(["10", "2", "1"]);
  expect(sortedBy()).toEqual(["descending", "none"]);
  write(lines([5, "w"]));
  expect(shown().map(([a]) => a)).toEqual(["10", "5", "2", "1"]);
  sortButton(0).click();
  expect(shown().map(([a]) => a)).toEqual(["2", "10", "1", "5"]);
  expect(sortedBy()).toEqual(["none", "none"]);
});

test("keys lead through the cells, sort and open; there is one tab stop", () => {
  write(lines(head(["a", "b"]), [2, "x\ny"], [1, "z"]));
  const stops = [...pane.element.querySelectorAll<HTMLElement>("*")].filter(
    (element) => element.tabIndex === 0 && !element.closest("[hidden]"),
  );
  expect(stops).toEqual([grid()]);
  press("ArrowDown");
  expect(active()).toBe("a");
  press("ArrowRight");
  press("ArrowDown");
  expect(active()).toBe("x↵y");
  press("Enter");
  expect(pane.element.querySelector(".kkj-table-whole:not([hidden])")?.textContent).toBe("x\ny");
  press("Escape");
  expect(pane.element.querySelector(".kkj-table-whole:not([hidden])")).toBeNull();
  press("ArrowLeft");
  press("ArrowUp");
  press("Enter");
  expect(sortedBy()).toEqual(["ascending", "none"]);
});

test("the keys that lead somewhere", () => {
  const extent = { rows: 100, columns: 4, page: 16 };
  const from = { row: 50, column: 2 };
  const to = (key: string, ctrlKey = false) =>
    moved(from, { key, ctrlKey, metaKey: false }, extent);
  expect(to("PageUp")).toEqual({ row: 34, column: 2 });
  expect(to("PageDown")).toEqual({ row: 66, column: 2 });
  expect(to("Home")).toEqual({ row: 50, column: 0 });
  expect(to("End", true)).toEqual({ row: 99, column: 3 });
  expect(to("ArrowUp", true)).toEqual({ row: -1, column: 2 });
  expect(to("x")).toBeNull();
});

test("replace starts anew", () => {
  write(lines(head(["a"]), [1]));
  pane.replace(lines(head(["b"]), [2], [3]));
  pane.flush();
  expect(shown()).toEqual([["2"], ["3"]]);
  expect(sortButton(0).textContent).toBe("b");
});

test("rows that are missing have a row that says so", () => {
  write(
    `${lines(head(["a"]), [0])}\n[… 99 characters left out …]\n${lines([8], head(["a"], 9), [9])}`,
  );
  expect(shown()).toEqual([["0"], ["… 7 rows left out …"], ["8"], ["9"]]);
  expect(pane.element.textContent).toContain("10 rows × 1 column");
});

test("what is appended between two frames is drawn once", () => {
  const frame = vi.spyOn(window, "requestAnimationFrame");
  for (const row of [head(["a"]), [1], [2]]) pane.append(lines(row));
  expect(frame.mock.calls.length).toBeLessThan(2);
  pane.flush();
  expect(shown().length).toBe(2);
});

test("a column that turns out not to be one of numbers stands to the left", () => {
  const column = new Column("a");
  expect(column.see(1)).toBe(true);
  expect(column.see(null)).toBe(false);
  expect(column.isNumber).toBe(true);
  expect(column.see("x")).toBe(true);
  expect(column.isNumber).toBe(false);
});
