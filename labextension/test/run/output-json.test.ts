import { expect, test } from "vitest";
import { MIME_TYPE } from "../../src/kernel/messages";
import { liveKeyOf, outputOf } from "../../src/run/output-json";
import { Run } from "../../src/run/run";
import { columnsBundle, runBundle } from "../../src/run/saved-form";
import { bundle } from "../support/lab";
import { snapshot, status } from "../support/states";

const PARTS: Record<string, string | null> = { text: null, json: null, loud: "loud-1234" };
const partOf = (pane: string) => PARTS[pane];

function read(data: object) {
  return outputOf(data, partOf);
}

test("a saved run is read as it was", () => {
  const output = read(bundle({ count: 412, key: "k" }));
  expect(output).toMatchObject({ key: "k", isComparison: false, isLive: false });
  expect(output?.runs[0]?.snapshot).toMatchObject({ text: "some <b>text</b>\n", part: null });
});

test("the line that tells text/plain how it ended is no part of the text", () => {
  const plain = "word\n[■ cancelled after 2 items]";
  const output = read(bundle({ state: "cancelled", count: 2 }, plain));
  expect(output?.runs[0]?.snapshot.text).toBe("word\n");
});

test("a source of its own comes before the plain text", () => {
  const output = read(bundle({ source: "the source", pane: "loud" }));
  expect(output?.runs[0]?.snapshot).toMatchObject({ text: "the source", part: "loud-1234" });
});

test.each([
  ["a pane of the user's own", { pane: "mine" }],
  ["a pane that is not named", { pane: undefined }],
  ["no state", { state: undefined }],
  ["a state of another version", { state: "paused" }],
  ["a count that is not a number", { count: "many" }],
])("%s cannot be read", (_, changes) => {
  expect(read(bundle(changes))).toBeNull();
});

test("an output of others cannot be read", () => {
  expect(read({ "text/plain": "x" })).toBeNull();
});

test("the answers before it are read out of the same text, or have their own", () => {
  const saved = { view: "text", pane: "text", ...status({ state: "done" }) };
  const cut = { ...saved, state: "cancelled", at: [12, 43] };
  const plain = "new\n\n── old\nold\n[■ cancelled]\nmore";
  const given = [{ ...saved, at: [12, 15] }, { ...saved, source: "own" }, { pane: "x" }, null, "y"];
  const output = read(
    bundle({ at: [0, 3], earlier: given, earlier_left_out: 2, again: true }, plain),
  );
  expect(output?.runs[0]?.snapshot.text).toBe("new");
  expect(output?.earlier.runs.map(({ snapshot }) => snapshot.text)).toEqual(["old", "own"]);
  expect(output).toMatchObject({ canAsk: true, earlier: { leftOut: 2 } });
  const short = read(bundle({ at: [0, 3], earlier: [{ ...cut, at: [12, 29] }] }, plain));
  expect(short?.earlier.runs[0]?.snapshot.text).toBe("old\n");
  expect(short?.canAsk).toBe(false);
});

test("what a page writes it reads again, whether it is over or not", () => {
  const running = new Run(() => {}, snapshot({ text: "a\nb", status: status({ count: 2 }) }));
  const data = runBundle({ key: "k", run: running, read: (source) => source });
  expect(liveKeyOf(data)).toBe("k");
  expect(read(data)).toMatchObject({ isLive: true, runs: [{ key: "k" }] });
  expect(read(data)?.runs[0]?.snapshot.text).toBe("a\nb\n");
  running.lose("kernel stopped");
  const over = runBundle({ key: "k", run: running, read: (source) => source });
  expect(liveKeyOf(over)).toBe("");
  expect(read(over)).toMatchObject({ isLive: false });
});

test("columns are read out of one text", () => {
  const column = (name: string, text: string, state: "done" | "streaming") => ({
    name,
    key: `key of ${name}`,
    run: new Run(() => {}, snapshot({ text, status: status({ state, count: 1 }) })),
    read: (source: string) => source,
  });
  const columns = [column("A", "x\n😀", "done"), column("B", "y", "streaming")];
  const data = columnsBundle("both", columns);
  expect(data["text/plain"]).toMatch(
    /^── A\nx\n😀\n\n── B\ny\n\[not finished when saved: ● 1 item.*\]$/,
  );
  expect(JSON.stringify(data[MIME_TYPE])).not.toContain("😀");
  expect(liveKeyOf(data)).toBe("both");
  const output = read(data);
  expect(output).toMatchObject({ key: "both", isComparison: true, isLive: true });
  expect(output?.runs.map(({ name, key, snapshot: { text } }) => [name, key, text])).toEqual([
    ["A", "key of A", "x\n😀"],
    ["B", "key of B", "y\n"],
  ]);
});
