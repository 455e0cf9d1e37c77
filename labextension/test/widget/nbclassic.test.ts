// nbclassic's page: a global object with the notebook, whose kernel can be interrupted.

import { afterEach, expect, test, vi } from "vitest";
import { classicSurroundings } from "../../src/widget/nbclassic";

const page = globalThis as { Jupyter?: unknown };

function cell(key: string, isRunning: boolean) {
  const element = document.createElement("div");
  element.classList.toggle("running", isRunning);
  const data = { "application/vnd.jupyter.widget-view+json": { model_id: key } };
  return { element: [element], output_area: { outputs: [{}, { data }] } };
}

function open(cells: unknown[], isBusy = true) {
  const interrupt = vi.fn();
  const notebook = { kernel: { interrupt }, kernel_busy: isBusy, get_cells: () => cells };
  page.Jupyter = { notebook };
  return interrupt;
}

afterEach(() => {
  delete page.Jupyter;
});

test("any other page has nothing of it", () => {
  expect(classicSurroundings()).toBeUndefined();
  page.Jupyter = {};
  expect(classicSurroundings()).toBeUndefined();
  page.Jupyter = { notebook: { kernel: null } };
  expect(classicSurroundings()).toBeUndefined();
});

test("the cell that runs and shows the output is interrupted", () => {
  const interrupt = open([cell("a", false), cell("b", true)]);
  expect(classicSurroundings()?.interruptCellOf?.("b")).toBe(true);
  expect(interrupt).toHaveBeenCalledOnce();
});

test("no other cell is", () => {
  const interrupt = open([cell("a", false), cell("b", true), {}]);
  expect(classicSurroundings()?.interruptCellOf?.("a")).toBe(false);
  expect(classicSurroundings()?.interruptCellOf?.("c")).toBe(false);
  expect(interrupt).not.toHaveBeenCalled();
});

test("an idle kernel is left alone", () => {
  const interrupt = open([cell("b", true)], false);
  expect(classicSurroundings()?.interruptCellOf?.("b")).toBe(false);
  expect(interrupt).not.toHaveBeenCalled();
});
