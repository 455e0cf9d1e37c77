import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { cancelAll, cancelOne } from "../../src/lab/cancel";
import { Notebook } from "../support/lab";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("all streams are cancelled on the control channel", async () => {
  const notebook = new Notebook({ status: "ok", runs: [3, 4] });
  expect(await cancelAll(notebook.panel)).toEqual({ via: "control", cancelled: 2 });
  expect(notebook.asked).toEqual([{ all: true }]);
  expect(notebook.interrupts).toBe(0);
});

test("one stream is cancelled by its number", async () => {
  const notebook = new Notebook({ status: "ok", runs: [4] });
  expect(await cancelOne(notebook.panel, 4)).toEqual({ via: "control", cancelled: 1 });
  expect(notebook.asked).toEqual([{ run_id: 4 }]);
});

test("for one of several streams the kernel is not interrupted", async () => {
  const notebook = new Notebook(null);
  notebook.cell.innerHTML = '<div class="jp-InputPrompt">[*]:</div><div class="kkj"></div>';
  const outcome = cancelOne(notebook.panel, 4);
  await vi.advanceTimersByTimeAsync(5_000);
  expect(await outcome).toEqual({ via: "none" });
  expect(notebook.interrupts).toBe(0);
});

test.each([
  ["its own cell", "[*]:", "kkj", true],
  ["another cell", "[3]:", "kkj", false],
  ["a cell with a saved output", "[*]:", "kkj kkj-static", false],
  ["a cell without a view", "[*]:", "other", false],
])(
  "without an answer the kernel is interrupted only in a view's own cell: %s",
  async (...given) => {
    const [, prompt, view, interrupted] = given;
    const notebook = new Notebook(null);
    notebook.cell.innerHTML = `<div class="jp-InputPrompt">${prompt}</div><div class="${view}"></div>`;
    const outcome = cancelAll(notebook.panel);
    await vi.advanceTimersByTimeAsync(4_400);
    expect(notebook.interrupts).toBe(0);
    await vi.advanceTimersByTimeAsync(200);
    expect(await outcome).toEqual({ via: interrupted ? "interrupt" : "none" });
    expect(notebook.interrupts).toBe(interrupted ? 1 : 0);
  },
);

test("a kernel that refuses is not interrupted", async () => {
  const notebook = new Notebook({ status: "error" });
  notebook.cell.innerHTML = '<div class="jp-InputPrompt">[*]:</div><div class="kkj"></div>';
  expect(await cancelAll(notebook.panel)).toEqual({ via: "none" });
  expect(notebook.interrupts).toBe(0);
});

test("where the control channel throws, the next road is taken at once", async () => {
  const said = vi.spyOn(console, "warn").mockImplementation(() => {});
  const notebook = new Notebook("throws");
  notebook.cell.innerHTML = '<div class="jp-InputPrompt">[*]:</div><div class="kkj"></div>';
  expect(await cancelAll(notebook.panel)).toEqual({ via: "interrupt" });
  expect(notebook.interrupts).toBe(1);
  said.mockRestore();
});
