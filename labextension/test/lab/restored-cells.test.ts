import { expect, test } from "vitest";
import { keepRestoredCells } from "../../src/lab/restored-cells";
import { Notebook } from "../support/lab";

test("a cell that comes back is told of as deleted no more", () => {
  const notebook = new Notebook();
  keepRestoredCells(notebook.panel);
  notebook.deletedCells.push("a", "b");
  notebook.cells.changed.emit({ type: "add", newValues: [{ id: "new" }, { id: "b" }] });
  expect(notebook.deletedCells).toEqual(["a"]);
  notebook.cells.changed.emit({ type: "move", newValues: [{ id: "a" }] });
  expect(notebook.deletedCells).toEqual(["a"]);
});
