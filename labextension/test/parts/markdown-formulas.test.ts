// @vitest-environment jsdom

import { beforeEach, expect, test, vi } from "vitest";
import type { Pane } from "../../src/panes/pane";
import { makePane } from "../../src/parts/markdown";

let pane: Pane;
let clockMs: number;
/** What was to be set with each call. */
let calls: string[][];
let isSlow: boolean;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  vi.stubGlobal("requestAnimationFrame", () => 1);
  vi.stubGlobal("cancelAnimationFrame", () => {});
  clockMs = 0;
  vi.spyOn(performance, "now").mockImplementation(() => clockMs);
  calls = [];
  isSlow = false;
  pane = makePane({ label: "chat()", typeset });
  document.body.replaceChildren(pane.element);
  return () => {
    pane.dispose();
    vi.useRealTimers();
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  };
});

/** Sets what has the class for it, as the notebook's typesetter does. */
async function typeset(element: HTMLElement): Promise<void> {
  expect(element.classList).toContain("mathjax_ignore");
  const formulas = [...element.querySelectorAll(".mathjax_process")];
  calls.push(formulas.map((formula) => formula.textContent ?? ""));
  for (const formula of formulas) {
    const set = document.createElement("mjx-container");
    set.textContent = "set";
    formula.replaceChildren(set);
    clockMs += isSlow ? 50 : 2;
  }
}

function write(text: string, step = text.length): void {
  for (let at = 0; at < text.length; at += step) {
    pane.append(text.slice(at, at + step));
    pane.flush();
  }
}

const idle = () => vi.advanceTimersByTimeAsync(2_000);

test("a formula is set once, when its block is finished and the page idles", async () => {
  write("so $x$ is, and $y$", 3);
  await idle();
  expect(calls).toEqual([]);
  write("\n\nmore", 3);
  expect(calls).toEqual([]);
  await idle();
  write(" and more\n\nand more\n\n", 3);
  await idle();
  expect(calls.flat()).toEqual(["$x$", "$y$"]);
  expect(pane.element.querySelectorAll(".mathjax_process")).toHaveLength(0);
});

test("formulas near each other are set with one call, of slow ones fewer", async () => {
  write("$a$ $b$\n\n$c$\n\n$d$ $e$\n\nend");
  await idle();
  expect(calls).toEqual([["$a$"], ["$b$", "$c$", "$d$"], ["$e$"]]);
  isSlow = true;
  calls = [];
  write("\n\n$a$ $b$ $c$ $d$ $e$\n\nend");
  await idle();
  expect(calls.map((call) => call.length)).toEqual([3, 1, 1]);
  calls = [];
  write("\n\n$a$ $b$\n\nend");
  await idle();
  expect(calls).toEqual([["$a$"], ["$b$"]]);
});

test("in a list or a table that grows, those in finished items are set, and stay", async () => {
  write("1. $a$ and\n2. $b$", 2);
  await idle();
  expect(calls.flat()).toEqual(["$a$"]);
  const set = pane.element.querySelector("mjx-container");
  write(" more\n3. last", 2);
  await idle();
  expect(calls.flat()).toEqual(["$a$", "$b$"]);
  expect(pane.element.querySelector("mjx-container")).toBe(set);
  write("\n\n| a |\n|---|\n| $c$ |\n| $d", 2);
  await idle();
  expect(calls.flat()).toEqual(["$a$", "$b$", "$c$"]);
  write("$ |\n\nend", 2);
  await idle();
  expect(calls.flat()).toEqual(["$a$", "$b$", "$c$", "$d$"]);
  expect(pane.element.querySelectorAll("mjx-container")).toHaveLength(4);
});

test("formulas of an answer that was begun anew, or is gone, are not set", async () => {
  write("$a$\n\nend");
  pane.replace("$b$\n\nend");
  pane.flush();
  await idle();
  expect(calls.flat()).toEqual(["$b$"]);
  write("\n\n$c$\n\nend");
  pane.dispose();
  await idle();
  expect(calls.flat()).toEqual(["$b$"]);
});
