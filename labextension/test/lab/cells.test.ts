import { beforeEach, expect, test, vi } from "vitest";
import { findCell, goTo, isInSight } from "../../src/lab/cells";
import type { App, NotebookCell } from "../../src/lab/jupyterlab";
import { Notebook, placed } from "../support/lab";

let notebook: Notebook;
let cell: NotebookCell;

beforeEach(() => {
  vi.spyOn(document, "hidden", "get").mockReturnValue(false);
  notebook = new Notebook();
  cell = notebook.panel.content.widgets[0] as NotebookCell;
});

test("a cell is found by its id, unless the kernel knows none", () => {
  expect(findCell(notebook.panel, "cell")).toBe(cell);
  expect(findCell(notebook.panel, "other")).toBeUndefined();
  expect(findCell(notebook.panel, null)).toBeUndefined();
});

// The notebook's own part of the screen is from 100 to 600.
test.each([
  ["in the middle", 300, 50, true],
  ["much higher than the screen", -900, 5_000, true],
  ["a thin one", 300, 4, true],
  ["scrolled away at the top", 20, 70, false],
  ["with its last pixels left at the top", 20, 90, false],
  ["below the end", 640, 50, false],
  ["not drawn at all", 0, 0, false],
])("an output is in sight or not: %s", (_, top, height, expected) => {
  placed(notebook.cell, top, height);
  placed(notebook.output, top, height);
  expect(isInSight(notebook.panel, cell)).toBe(expected);
});

test("long code is no sight of what is below it", () => {
  placed(notebook.cell, 100, 900);
  placed(notebook.output, 700, 300);
  expect(isInSight(notebook.panel, cell)).toBe(false);
});

test("nothing is in sight in a tab behind another, or on a hidden page", () => {
  placed(notebook.output, 300, 50);
  Object.assign(notebook.panel, { isVisible: false });
  expect(isInSight(notebook.panel, cell)).toBe(false);
  Object.assign(notebook.panel, { isVisible: true });
  vi.spyOn(document, "hidden", "get").mockReturnValue(true);
  expect(isInSight(notebook.panel, cell)).toBe(false);
});

test("the way to a cell ends where its output is on screen", async () => {
  const activated: string[] = [];
  const app = { shell: { activateById: (id: string) => activated.push(id) } } as unknown as App;
  placed(notebook.output, 700, 50);
  notebook.output.scrollIntoView = vi.fn();
  await goTo(app, notebook.panel, cell);
  expect(activated).toEqual(["notebook"]);
  expect(notebook.scrolledTo).toEqual([0]);
  expect(notebook.panel.content.activeCellIndex).toBe(0);
  expect(notebook.output.scrollIntoView).toHaveBeenCalledOnce();
});

test("to a cell that is gone the way ends at its notebook", async () => {
  const activateById = vi.fn();
  await goTo({ shell: { activateById } } as unknown as App, notebook.panel, undefined);
  expect(activateById).toHaveBeenCalledWith("notebook");
  expect(notebook.scrolledTo).toEqual([]);
});
