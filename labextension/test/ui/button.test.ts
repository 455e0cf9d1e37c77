import { beforeEach, expect, test, vi } from "vitest";
import { copyAndSay, labelButton, makeButton } from "../../src/ui/button";
import { suppressShortcuts } from "../../src/ui/shortcuts";

beforeEach(() => document.body.replaceChildren());

/** A notebook of JupyterLab with one cell, in which `element` is an output. */
function inNotebook(element: HTMLElement): HTMLElement {
  const notebook = document.createElement("div");
  notebook.className = "jp-Notebook";
  notebook.tabIndex = 0;
  const cell = notebook.appendChild(document.createElement("div"));
  cell.className = "jp-Cell";
  cell.append(element);
  document.body.append(notebook);
  return cell;
}

function press(target: HTMLElement, init: KeyboardEventInit): KeyboardEvent {
  const event = new KeyboardEvent("keydown", { bubbles: true, cancelable: true, ...init });
  target.dispatchEvent(event);
  return event;
}

test("Escape gives the focus to the cell", () => {
  const button = makeButton("Copy", "Copy it");
  const cell = inNotebook(button);
  cell.tabIndex = -1;
  button.focus();
  expect(press(button, { key: "Escape" }).defaultPrevented).toBe(true);
  expect(document.activeElement).toBe(cell);
});

test("Escape gives the focus to the notebook where a cell does not take it", () => {
  const button = makeButton("Copy", "Copy it");
  const cell = inNotebook(button);
  cell.focus = () => {};
  button.focus();
  press(button, { key: "Escape" });
  expect(document.activeElement).toBe(cell.parentElement);
});

test("Escape leaves a view that no notebook is around", () => {
  const button = document.body.appendChild(makeButton("Copy", "Copy it"));
  button.focus();
  press(button, { key: "Escape" });
  expect(document.activeElement).not.toBe(button);
});

test("an Escape that something in the view has used stays there", () => {
  const view = document.createElement("div");
  suppressShortcuts(view);
  const cell = inNotebook(view);
  cell.tabIndex = -1;
  const popup = view.appendChild(document.createElement("input"));
  popup.addEventListener("keydown", (event) => event.preventDefault());
  popup.focus();
  press(popup, { key: "Escape" });
  expect(document.activeElement).toBe(popup);
});

test("a key that is held down presses once", () => {
  const button = makeButton("Copy", "Copy it");
  expect(press(button, { key: "Enter" }).defaultPrevented).toBe(false);
  expect(press(button, { key: "Enter", repeat: true }).defaultPrevented).toBe(true);
  expect(press(button, { key: "Tab", repeat: true }).defaultPrevented).toBe(false);
});

test("the icon goes with the word", async () => {
  vi.useFakeTimers();
  const writeText = async () => {};
  vi.stubGlobal("navigator", { ...navigator, clipboard: { writeText } });
  const button = makeButton("Cancel", "Cancel it", "stop");
  labelButton(button, "Copy", "Copy it", "copy");
  await copyAndSay(button, async () => "text");
  expect([button.textContent, button.dataset.icon]).toEqual(["Copied", "check"]);
  vi.advanceTimersByTime(1_500);
  expect([button.textContent, button.dataset.icon]).toEqual(["Copy", "copy"]);
  vi.unstubAllGlobals();
  vi.useRealTimers();
});
