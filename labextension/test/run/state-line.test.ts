import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Status } from "../../src/kernel/messages";
import { Run } from "../../src/run/run";
import { StateLine } from "../../src/run/state-line";
import { snapshot, status } from "../support/states";

let run: Run;
let line: StateLine;
let actions: { cancel: () => void; getText: () => Promise<string> };
const copied = vi.fn(async () => "text");
const streaming = status({ state: "streaming", count: 2, first_item_s: 0.1, elapsed_s: 1 });

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal("navigator", { ...navigator, clipboard: { writeText: async () => {} } });
  copied.mockClear();
  actions = { cancel: vi.fn(), getText: copied };
});
afterEach(() => {
  line.dispose();
  document.body.replaceChildren();
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

function open(given: Status, text = "ab"): HTMLElement {
  run = new Run(() => {}, snapshot({ text, status: given }));
  line = new StateLine(run, actions);
  run.listen({ appended: () => {}, replaced: () => {}, changed: () => line.changed() });
  document.body.append(line.element);
  return line.element;
}

const end = (changes: Partial<Status> = {}) => {
  run.receive({ kind: "end", end: 2, status: status({ state: "done", count: 2, ...changes }) });
};
const button = (name: string) =>
  [...document.querySelectorAll("button")].find((one) => one.textContent === name);
const words = () => document.querySelector(".kkj-words")?.textContent;

test("the title stands in the line, and the time runs while it streams", () => {
  const element = open(streaming);
  expect(element.querySelector(".kkj-name")?.textContent).toBe("countdown(5)");
  expect(words()).toBe("2 items · first 0.10 s · 1.0 s");
  vi.advanceTimersByTime(1_500);
  expect(words()).toMatch(/ · 2\.[45] s$/);
});

test("a stream that has stalled says so, and no longer looks alive", () => {
  const element = open(streaming);
  vi.advanceTimersByTime(5_100);
  expect(words()).toContain("nothing for 5 s");
  expect(element.classList.contains("kkj-stalled")).toBe(true);
  run.receive({ kind: "delta", offset: 2, text: "c", status: { ...streaming, count: 3 } });
  vi.advanceTimersByTime(300);
  expect(words()).not.toContain("nothing");
  expect(element.classList.contains("kkj-stalled")).toBe(false);
});

test("Copy does not take a click that was meant for Cancel", async () => {
  open(streaming);
  button("Cancel")?.click();
  expect(actions.cancel).toHaveBeenCalledOnce();
  end({ state: "cancelled" });
  const copy = button("Copy");
  expect(copy?.ariaDisabled).toBe("true");
  copy?.click();
  await vi.advanceTimersByTimeAsync(900);
  copy?.click();
  expect(copied).not.toHaveBeenCalled();
  await vi.advanceTimersByTimeAsync(200);
  expect(copy?.ariaDisabled).toBe("false");
  copy?.click();
  expect(copied).toHaveBeenCalledOnce();
});

test("what was over when it was drawn can be copied at once", () => {
  open(status({ state: "done", count: 2 }));
  button("Copy")?.click();
  expect(copied).toHaveBeenCalledOnce();
});

test("it can be asked for again where that is offered, once until there is an answer", () => {
  const ask = vi.fn();
  open(streaming);
  end();
  expect(button("Regenerate")).toBeUndefined();
  line.offerAgain(ask);
  expect(button("Regenerate")?.getAttribute("aria-label")).toBe("Regenerate: countdown(5)");
  button("Regenerate")?.click(); // meant for Cancel
  expect(ask).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1_100);
  button("Regenerate")?.click();
  button("Regenerate")?.click();
  expect(ask).toHaveBeenCalledOnce();
  // The kernel has not begun: it may be asked again.
  vi.advanceTimersByTime(5_100);
  button("Regenerate")?.click();
  expect(ask).toHaveBeenCalledTimes(2);
});

test("of what has failed or was cancelled, the button says so", () => {
  for (const state of ["failed", "cancelled"] as const) {
    open(status({ state, count: 2 }));
    line.offerAgain(() => {});
    expect(button("Try again")).toBeDefined();
    document.body.replaceChildren();
  }
});

test("where it can no longer be asked for, the button goes", () => {
  open(status({ state: "done", count: 2 }));
  line.offerAgain(() => {});
  line.offerAgain(null);
  expect(button("Regenerate")).toBeUndefined();
  expect(button("Copy")).toBeDefined();
});

test("a short note stands in the line, a long one below", () => {
  const long = "an earlier run of this cell is still streaming";
  const element = open(streaming);
  const notes = element.querySelector<HTMLElement>(".kkj-notes");
  expect(notes?.hidden).toBe(true);
  end({ notes: ["ended by --take 2"] });
  expect(words()).toMatch(/ · ended by --take 2$/);
  expect(notes?.hidden).toBe(true);
  end({ notes: ["ended by --take 2", long] });
  expect(notes?.textContent).toBe(long);
});

test("a button that goes away gives the focus to the notebook, not to nobody", () => {
  const cell = document.createElement("div");
  cell.className = "jp-Cell";
  cell.tabIndex = -1;
  open(status(), "");
  document.body.append(cell);
  cell.append(line.element);
  button("Cancel")?.focus();
  run.receive({ kind: "end", end: 0, status: status({ state: "cancelled" }) });
  expect(button("Copy")?.hidden).toBe(true);
  expect(document.activeElement).toBe(cell);
});

test("a screen reader hears the title, and does not hear it twice", () => {
  const element = open(streaming);
  expect(element.querySelector("[role=status]")?.textContent).toMatch(/^countdown\(5\): 2 items/);
  for (const name of [".kkj-glyph", ".kkj-name", ".kkj-words"]) {
    expect(element.querySelector(name)?.ariaHidden).toBe("true");
  }
});
