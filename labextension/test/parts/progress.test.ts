import { expect, test } from "vitest";
import type { RunState } from "../../src/kernel/messages";
import { makePane } from "../../src/parts/progress";
import { describeProgress, readMarks } from "../../src/parts/progress/marks";
import cases from "../cases/progress.json";

// The words in the file were written by the Python side: tests/unit/notebook/views/test_progress.py.
test.each(cases)("the same words as Python's: $words", ({ source, state, words }) => {
  expect(describeProgress(readMarks(source.split("\n")), state as RunState)).toBe(words);
});

test("the bar, and what is said of it", () => {
  const pane = makePane({ label: "copying" });
  pane.append('[0,0,10,""]\n[2,5,1');
  pane.flush();
  const track = pane.element.querySelector("[role=progressbar]") as HTMLElement;
  expect(track.getAttribute("aria-valuenow")).toBe("0");
  pane.append('0,""]\n');
  pane.flush();
  expect(track.getAttribute("aria-valuenow")).toBe("50");
  expect((track.firstElementChild as HTMLElement).style.width).toBe("50%");
  expect(pane.element.textContent).toBe("50 % · 5 of 10 · 2.5/s · 2.0 s left");
  // Nobody has said yet how it ended.
  expect(pane.copied?.('[0,0,10,""]\n[2,5,10,""]\n')).toBe("50 % · 5 of 10 · 2.5/s\n");
  pane.ended?.("cancelled");
  expect(pane.element.textContent).toBe("cancelled at 50 % · 5 of 10 · 2.5/s");
  expect(pane.copied?.('[0,0,10,""]\n[2,5,10,""]\n')).toBe("cancelled at 50 % · 5 of 10 · 2.5/s\n");
  pane.replace('[0,7,null,"x"]\n');
  pane.flush();
  expect(track.hidden).toBe(true);
  expect(track.hasAttribute("aria-valuenow")).toBe(false);
  // What is saved of it is less than what came: it is over all the same.
  expect(pane.element.textContent).toBe("xcancelled at 7 done");
  expect(pane.copied?.('[0,7,null,"x"]\n')).toBe("x · cancelled at 7 done\n");
});

test.each([
  ["done", 10, "complete"],
  ["done", 5, "done"],
  ["cancelled", 5, "cancelled"],
  ["failed", 10, "failed"],
  ["lost", 5, "lost"],
] as const)("%s at %i of 10 is drawn as %s", (state, done, drawn) => {
  const pane = makePane({ label: "copying" });
  pane.append(`[0,${done},10,""]\n`);
  pane.flush();
  expect(pane.element.dataset.progress).toBe("streaming");
  pane.ended?.(state);
  expect(pane.element.dataset.progress).toBe(drawn);
});

test("what is done at present stands above the bar", () => {
  const pane = makePane({ label: "copying" });
  pane.append('[0,5,10,"a.txt"]\n');
  pane.flush();
  const [label, track, figures] = [...pane.element.children] as HTMLElement[];
  expect(label?.textContent).toBe("a.txt");
  expect(track?.getAttribute("aria-valuetext")).toBe("a.txt · 50 % · 5 of 10");
  expect(figures?.textContent).toBe("50 % · 5 of 10");
  pane.append('[1,6,10,""]\n');
  pane.flush();
  expect(label?.hidden).toBe(true);
});
