import { beforeEach, expect, test } from "vitest";
import { TextPane } from "../../src/panes/text-pane";
import { Run } from "../../src/run/run";
import { rewritten, settled } from "../../src/text/carriage-returns";
import given from "../cases/carriage-returns.json";
import { snapshot, status } from "../support/states";

const cases = given as [name: string, deltas: string[], shown: string][];
let pane: TextPane;

beforeEach(() => {
  pane = new TextPane();
  document.body.replaceChildren(pane.element);
});

function write(text: string): void {
  pane.append(text);
  pane.flush();
}

const shown = () => pane.element.textContent ?? "";

function runOf(deltas: Iterable<string>, part: string | null = null): Run {
  const run = new Run(() => {}, snapshot({ text: "", part }));
  let offset = 0;
  for (const text of deltas) {
    run.receive({ kind: "delta", offset, text, status: status({ state: "streaming", count: 1 }) });
    offset += text.length;
  }
  return run;
}

test.each(cases)("the same lines as in the saved output: %s", (_, deltas, expected) => {
  expect(rewritten(deltas.join(""))).toBe(expected);
  for (const text of deltas) write(text);
  expect(shown()).toBe(expected);
  pane.replace("");
  for (const text of deltas) pane.append(text);
  pane.flush();
  expect(shown()).toBe(expected);
  pane.replace("");
  for (const character of deltas.join("")) write(character);
  expect(shown()).toBe(expected);
  expect(rewritten(runOf(deltas).text)).toBe(expected);
});

test.each(cases)("what is settled goes on as what it was made of: %s", (_, deltas) => {
  for (let cut = 0; cut <= deltas.length; cut++) {
    const before = settled(deltas.slice(0, cut).join(""));
    const after = deltas.slice(cut).join("");
    expect(settled(before)).toBe(before);
    expect(rewritten(before + after)).toBe(rewritten(deltas.join("")));
  }
});

test("whatever comes, in whatever pieces", () => {
  let seed = 7;
  const random = (below: number) => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed % below;
  };
  const pieces = [
    "a",
    "bc",
    "\r",
    "\r\n",
    "\n",
    "😀",
    " ",
    `${"w".repeat(3_000)} `,
    "x".repeat(40),
  ];
  for (let round = 0; round < 20; round++) {
    pane.replace("");
    let all = "";
    for (let step = 0; step < 60; step++) {
      const text = Array.from({ length: random(4) }, () => pieces[random(pieces.length)]).join("");
      all += text;
      write(text);
      expect(shown() === rewritten(all)).toBe(true);
    }
    for (const block of pane.element.children) expect(block.textContent).not.toBe("");
  }
});

test("10,000 rewrites leave a page with one line", () => {
  const line = (i: number) => `\r${i / 100}%|${"#".repeat(i % 50)}${" ".repeat(50 - (i % 50))}|`;
  write("before\n");
  const node = pane.element.firstChild?.firstChild;
  for (let i = 0; i <= 10_000; i++) {
    pane.append(line(i));
    if (i % 3 === 0) pane.flush();
  }
  pane.flush();
  expect(shown()).toMatch(/^before\n100%\|.*\|.{0,3}$/);
  expect(pane.element.children).toHaveLength(1);
  expect(pane.element.firstChild?.childNodes.length).toBeLessThan(3);
  expect(pane.element.firstChild?.firstChild).toBe(node);
  function* lines(): Generator<string> {
    for (let i = 0; i <= 10_000; i++) yield line(i);
  }
  const run = runOf(lines());
  expect((run as unknown as { parts: string[] }).parts.length).toBeLessThanOrEqual(1_000);
  expect(run.text.length).toBeLessThan(200);
});

test("a hidden page does not hoard what is written over", () => {
  for (let i = 0; i < 10_000; i++) pane.append(`\r${"#".repeat(100)}`);
  expect((pane as unknown as { pending: string }).pending.length).toBeLessThan(600_000);
  pane.flush();
  expect(shown()).toBe("#".repeat(100));
});

test("a part reads the returns of its source itself", () => {
  expect(runOf(["a\r", "b"], "markdown-1").text).toBe("a\rb");
});

test("a line of several blocks is written over", () => {
  const line = "word ".repeat(12_000);
  write(`first\n${line}`);
  expect(pane.element.children.length).toBeGreaterThan(2);
  write(`\r${"-".repeat(line.length)}\nlast`);
  expect(shown()).toBe(`first\n${"-".repeat(line.length)}\nlast`);
});
