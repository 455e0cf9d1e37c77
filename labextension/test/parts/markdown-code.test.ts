// @vitest-environment jsdom

import { beforeEach, expect, test, vi } from "vitest";
import type { Pane } from "../../src/panes/pane";
import { makePane } from "../../src/parts/markdown";

vi.setConfig({ testTimeout: 60_000 });

let pane: Pane;
const writeText = vi.fn(async (_: string) => {});

beforeEach(() => {
  writeText.mockReset();
  vi.stubGlobal("requestAnimationFrame", () => 1);
  vi.stubGlobal("cancelAnimationFrame", () => {});
  vi.stubGlobal("navigator", { clipboard: { writeText } });
  show();
  return () => vi.unstubAllGlobals();
});

function show(insertCell?: (source: string) => void): void {
  pane = makePane({ label: "chat()", insertCell });
  document.body.replaceChildren(pane.element);
}

function write(text: string): void {
  pane.append(text);
  pane.flush();
}

function boxes(): HTMLElement[] {
  return [...pane.element.querySelectorAll<HTMLElement>(".kkj-code")];
}

function button(name: string, box = boxes()[0]): HTMLElement | null | undefined {
  return box?.querySelector<HTMLElement>(`[aria-label="${name}"]`);
}

test("a block of code says its language", () => {
  write("```python\nx\n```\n\n```\ny\n```\n\n    z\n\nend");
  expect(boxes().map((box) => box.querySelector(".kkj-code-language")?.textContent)).toEqual([
    "python",
    "code",
    "code",
  ]);
});

test("the button copies the code, says so, and is the same while the code grows", async () => {
  vi.useFakeTimers();
  write("```\na\n  b");
  const copy = button("Copy this code");
  copy?.click();
  await vi.advanceTimersByTimeAsync(0);
  expect(writeText).toHaveBeenCalledWith("a\n  b");
  write("\nc\n```\n\nend");
  expect(button("Copied")).toBe(copy);
  expect(copy?.dataset.icon).toBe("check");
  await vi.advanceTimersByTimeAsync(2_000);
  expect(button("Copy this code")?.dataset.icon).toBe("copy");
  copy?.click();
  expect(writeText).toHaveBeenLastCalledWith("a\n  b\nc\n");
  vi.useRealTimers();
});

test("a browser that refuses is told of", async () => {
  vi.spyOn(console, "warn").mockImplementation(() => {});
  document.execCommand = () => false;
  writeText.mockRejectedValue(new Error("no"));
  write("```\na\n```\n");
  button("Copy this code")?.click();
  await vi.waitFor(() => expect(button("The browser refused")).not.toBeNull());
  vi.restoreAllMocks();
});

test("code that was drawn in pieces is copied, wrapped and inserted as a whole", () => {
  const insertCell = vi.fn();
  show(insertCell);
  const code = "x = 1  # and so on\n".repeat(800);
  for (let at = 0; at < code.length; at += 1_000) {
    write((at ? "" : "before\n\n```python\n") + code.slice(at, at + 1_000));
    if (at === 9_000) button("Wrap long lines")?.click();
  }
  write("```\n\n```js\ny\n```\n\nend");
  const [other, ...pieces] = boxes().reverse();
  expect(pieces.length).toBeGreaterThan(1);
  expect(pieces.map((piece) => piece.dataset.wraps)).toEqual(pieces.map(() => "true"));
  expect(other?.dataset.wraps).toBeUndefined();
  button("Copy this code")?.click();
  expect(writeText).toHaveBeenCalledWith(code);
  button("Insert as a cell below")?.click();
  expect(insertCell).toHaveBeenCalledWith(code.trimEnd());
  button("Wrap long lines")?.click();
  expect(pieces.map((piece) => piece.dataset.wraps)).toEqual(pieces.map(() => "false"));
});

test("only a page with a notebook offers a cell, and only for what may run in one", () => {
  write("```python\nx\n```\n\nend");
  expect(button("Insert as a cell below")).toBeNull();
  show(() => {});
  write("```python\nx\n```\n\n```json\ny\n```\n\n```\nz\n```\n\nend");
  const offered = boxes().map((box) => button("Insert as a cell below", box) !== null);
  expect(offered).toEqual([true, false, true]);
});
