import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { suppressShortcuts } from "../../src/ui/shortcuts";

let box: HTMLElement;
let button: HTMLElement;
let seen: boolean[];

/** As JupyterLab does: on its way down to the focused element. */
function lab(event: KeyboardEvent): void {
  const marked = (event.target as Element).closest("[data-lm-suppress-shortcuts]");
  seen.push(marked === null);
}

beforeEach(() => {
  vi.useFakeTimers();
  const view = document.body.appendChild(document.createElement("div"));
  view.className = "kkj";
  box = view.appendChild(document.createElement("div"));
  button = box.appendChild(document.createElement("button"));
  for (const element of [view, box, button]) suppressShortcuts(element);
  seen = [];
  document.addEventListener("keydown", lab, true);
});
afterEach(() => {
  document.removeEventListener("keydown", lab, true);
  document.body.replaceChildren();
  vi.useRealTimers();
});

function press(target: HTMLElement, key: string, modifiers: KeyboardEventInit = {}): boolean {
  target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, ...modifiers }));
  return seen.at(-1) as boolean;
}

test.each([
  ["Ctrl-S", "s", { ctrlKey: true }, true],
  ["Cmd-S", "s", { metaKey: true }, true],
  ["Ctrl-Shift-C", "c", { ctrlKey: true, shiftKey: true }, true],
  ["Ctrl-Alt-.", ".", { ctrlKey: true, altKey: true }, true],
  ["Shift-Enter", "Enter", { shiftKey: true }, true],
  ["d", "d", {}, false],
  ["Enter", "Enter", {}, false],
  ["ArrowDown", "ArrowDown", {}, false],
  ["Ctrl-A", "a", { ctrlKey: true }, false],
  ["Ctrl-C", "c", { ctrlKey: true }, false],
  ["Ctrl-Home", "Home", { ctrlKey: true }, false],
  ["Ctrl-Shift-End", "End", { ctrlKey: true, shiftKey: true }, false],
])("%s in a view's text reaches the notebook, or not", (_, key, modifiers, reaches) => {
  expect(press(box, key, modifiers)).toBe(reaches);
  vi.runAllTimers();
  expect(press(box, "d")).toBe(false); // the next plain key is the view's again
});

test("the next key is the view's however soon it comes", () => {
  expect(press(box, "Control", { ctrlKey: true })).toBe(true);
  expect(press(box, "b")).toBe(false);
});

test("Shift-Enter on a button presses it", () => {
  expect(press(button, "Enter", { shiftKey: true })).toBe(false);
  expect(press(button, "s", { ctrlKey: true })).toBe(true);
});

test("what others keep to themselves stays theirs", () => {
  const other = document.body.appendChild(document.createElement("div"));
  other.dataset.lmSuppressShortcuts = "true";
  expect(press(other, "s", { ctrlKey: true })).toBe(false);
});
