import { expect, test } from "vitest";
import { MIME_TYPE, type Snapshot, type Status } from "../../src/kernel/messages";
import { Run } from "../../src/run/run";
import {
  columnsBundle,
  fitting,
  plainText,
  runBundle,
  SAVED_BYTES,
} from "../../src/run/saved-form";
import cases from "../cases/saved-form.json";
import { snapshot, status as statusOf } from "../support/states";

// The file was written by the Python side: tests/unit/notebook/views/test_saved_form.py.
test.each(cases)("the same text as Python's: $name", (given) => {
  expect(plainText(given.text, given.status as Status)).toBe(given.plain);
});

function bundleOf(run: Run, read = (source: string) => source) {
  return runBundle({ key: "k", run, read });
}

function lostRun(text: string, changes: Partial<Snapshot> = {}): Run {
  const run = new Run(() => {}, snapshot({ text, ...changes }));
  run.lose("kernel stopped");
  return run;
}

/** What it takes in a notebook file, where each line of a text stands on a line of its own. */
function fileBytes(value: unknown): number {
  if (typeof value === "object" && value) {
    return Object.values(value).reduce((sum: number, one) => sum + fileBytes(one), 500);
  }
  const lines = typeof value === "string" ? value.split(/(?<=\n)/) : [value];
  const written = lines.map((line) => `\n       ${JSON.stringify(line)},`).join("");
  return new TextEncoder().encode(written).length;
}

test.each([
  ["one line", "x".repeat(30_000_000)],
  ["many lines", "a line of some words\n".repeat(1_000_000)],
  ["what HTML writes with six letters", `${'"'.repeat(99)}\n`.repeat(100_000)],
  ["empty lines", "\n".repeat(3_000_000)],
  ["characters of four bytes", "😀".repeat(5_000_000)],
  ["characters of three bytes", "字".repeat(5_000_000)],
  ["at the end other than at the beginning", `${"x".repeat(5_000_000)}${"字".repeat(3_000_000)}`],
])(
  "what the page saves takes no more than the kernel's own: %s",
  (_, text) => {
    const run = lostRun(text);
    const bundle = bundleOf(run);
    expect(fileBytes(bundle)).toBeLessThanOrEqual(SAVED_BYTES);
    expect(fileBytes(bundle)).toBeGreaterThan(SAVED_BYTES / 2);
    const plain = String(bundle["text/plain"]);
    const begun = plain.slice(0, 2_000_000).replace(/[\ud800-\udbff]$/, "");
    expect(() => encodeURIComponent(begun)).not.toThrow();
    const { left_out } = bundle["application/vnd.kkjupyter.v1+json"] as { left_out: number };
    const said = `${String(left_out).replace(/\B(?=(\d{3})+$)/g, ",")} characters left out`;
    expect(plain).toContain(`\n[… ${said} …]\n`);
    expect(plain.includes(`\n[… ${said} …]\n`)).toBe(true);
    const [head = "", tail = ""] = plain.split(`\n[… ${said} …]\n`);
    const newest = tail.slice(0, tail.lastIndexOf("\n["));
    expect(text.startsWith(head)).toBe(true);
    expect(text.endsWith(newest) || text.endsWith(`${newest}\n`)).toBe(true);
    expect(Math.abs(head.length + newest.length + left_out - text.length)).toBeLessThan(2);
    const column = { key: "k", name: "a", run, read: (source: string) => source };
    const both = columnsBundle("both", [column, { ...column, name: "b" }]);
    expect(fileBytes(both)).toBeLessThanOrEqual(SAVED_BYTES);
  },
  60_000,
);

test("what fits is saved whole", () => {
  const text = "a line of some words\n".repeat(50_000);
  const { "text/plain": plain } = bundleOf(lostRun(text));
  expect(String(plain).startsWith(text)).toBe(true);
});

test("the source of a part is of the same limit, with what is made of it", () => {
  const run = lostRun('["a","b"]\n'.repeat(1_000_000), { pane: "table", part: "table-1" });
  const bundle = bundleOf(run, (source) => source.replaceAll('"', "\t"));
  expect(fileBytes(bundle)).toBeLessThanOrEqual(SAVED_BYTES);
  expect(bundle["application/vnd.kkjupyter.v1+json"]).toHaveProperty("source");
}, 60_000);

test("what was left out before counts", () => {
  const gap = "\n[… 1,000 characters left out …]\n";
  const run = lostRun(`${"a".repeat(500_000)}${gap}${"b".repeat(4_000_000)}`, { left_out: 1_000 });
  const made = fitting(run, 100_000, (source, leftOut) => ({ source, leftOut }));
  const kept = made.source.replace(/\n\[.*\]\n/, "").length;
  expect(made.source.includes(gap)).toBe(false);
  expect(made.leftOut).toBe(500_000 + 4_000_000 + 1_000 - kept);
});

test("what does not fit without any text ends, too", () => {
  const run = lostRun("text", { status: statusOf({ notes: ["n".repeat(6_000_000)] }) });
  expect(bundleOf(run)["text/plain"]).toContain("left out");
});

test("the answers before it are saved with it, the oldest left out if there is no room", () => {
  const before = ["a", "b", "c"].map((letter) => {
    const text = letter.repeat(1_500_000);
    return { snapshot: snapshot({ text, status: statusOf({ state: "done", count: 1 }) }) };
  });
  const run = lostRun("x".repeat(1_000_000));
  const written = { key: "k", run, read: (source: string) => source };
  const bundle = runBundle(written, { runs: before, leftOut: 4 });
  expect(fileBytes(bundle)).toBeLessThanOrEqual(SAVED_BYTES);
  const { earlier, earlier_left_out } = bundle[MIME_TYPE] as {
    earlier: { source: string; state: string }[];
    earlier_left_out: number;
  };
  expect(earlier.map(({ source, state }) => [source[0], state])).toEqual([
    ["b", "done"],
    ["c", "done"],
  ]);
  expect(earlier_left_out).toBe(5);
  expect(bundle["text/plain"]).toContain("x".repeat(1_000_000));
});

test("what runs says that it was not finished", () => {
  const status = statusOf({ state: "streaming", count: 2 });
  const run = new Run(() => {}, snapshot({ text: "ab", status }));
  const bundle = bundleOf(run);
  expect(bundle["text/plain"]).toMatch(/^ab\n\[not finished when saved: ● 2 items.*\]$/);
  expect(bundle[MIME_TYPE]).toMatchObject({ key: "k", state: "streaming", count: 2 });
  expect(bundle[MIME_TYPE]).not.toHaveProperty("source");
});
