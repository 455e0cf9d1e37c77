import { beforeEach, expect, test } from "vitest";
import { insertCellBelow } from "../../src/lab/insert-cell";
import type { OutputPanel } from "../../src/lab/jupyterlab";

let inserted: unknown[];
let cells: { node: HTMLElement }[];

function notebook(context: object | undefined): OutputPanel {
  const insertCell = (index: number, cell: object) => inserted.push([index, cell]);
  const content = {
    widgets: cells,
    model: { sharedModel: { insertCell } },
    activeCellIndex: 0,
    deselectAll: () => {},
  };
  return { content, context } as unknown as OutputPanel;
}

beforeEach(() => {
  inserted = [];
  cells = [0, 1, 2].map(() => ({ node: document.createElement("div") }));
});

test("code goes into a new cell below the answer, which becomes the active one", () => {
  const panel = notebook({});
  const output = cells[1]?.node.appendChild(document.createElement("p")) as HTMLElement;
  insertCellBelow(panel, output, "1 + 1");
  expect(inserted).toEqual([[2, { cell_type: "code", source: "1 + 1" }]]);
  expect(panel).toMatchObject({ content: { activeCellIndex: 2 } });
});

test.each([
  ["a console", () => notebook(undefined)],
  ["no panel", () => undefined],
])("%s gets no cell", (_, panel) => {
  insertCellBelow(panel(), cells[0]?.node as HTMLElement, "1 + 1");
  expect(inserted).toEqual([]);
});

test("what is in no cell gets none", () => {
  insertCellBelow(notebook({}), document.createElement("p"), "1 + 1");
  expect(inserted).toEqual([]);
});
