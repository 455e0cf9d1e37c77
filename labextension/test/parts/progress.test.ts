import { expect, test } from "vitest";
import { makePane } from "../../src/parts/progress";
import { describeProgress, readMarks } from "../../src/parts/progress/marks";
import cases from "../cases/progress.json";

// The words in the file were written by the Python side: tests/unit/notebook/views/test_progress.py.
test.each(cases)("the same words as Python's: $words", ({ source, words }) => {
  expect(describeProgress(readMarks(source.split("\n")))).toBe(words);
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
  pane.ended?.();
  expect(pane.element.textContent).toBe("50 % · 5 of 10 · 2.5/s");
  expect(pane.copied?.('[0,0,10,""]\n[2,5,10,""]\n')).toBe("50 % · 5 of 10 · 2.5/s\n");
  pane.replace('[0,7,null,"x"]\n');
  pane.flush();
  expect(track.hidden).toBe(true);
  expect(track.hasAttribute("aria-valuenow")).toBe(false);
  expect(pane.copied?.('[0,7,null,"x"]\n')).toBe("x · 7 done\n");
});
