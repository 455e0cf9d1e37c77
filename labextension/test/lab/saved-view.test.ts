import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { drawSaved } from "../../src/lab/saved-view";
import { partsOfPage } from "../../src/panes/part-loader";
import { bundle } from "../support/lab";

beforeEach(() => {
  vi.useFakeTimers();
  globalThis.KKJUPYTER_PARTS = { loud: "loud-1234" };
});
afterEach(() => {
  vi.useRealTimers();
  document.body.replaceChildren();
});

async function shown(bundle: Parameters<typeof drawSaved>[0]) {
  const saved = await drawSaved(bundle, undefined);
  saved?.attached();
  vi.advanceTimersByTime(50);
  return saved?.element;
}

test("a saved output looks like a live view that has ended", async () => {
  const element = await shown(bundle({ count: 412, elapsed_s: 10.84, first_item_s: 0.31 }));
  expect(element?.querySelector(".kkj-words")?.textContent).toBe(
    "412 items · first 0.31 s · 10.8 s",
  );
  expect(element?.querySelector(".kkj-text")?.textContent).toBe("some <b>text</b>\n");
  expect(element?.querySelector("button")?.textContent).toBe("Copy");
  expect(element?.querySelector("b")).toBeNull();
});

test("the line that tells text/plain how it ended is not shown twice", async () => {
  const plain = "word\n[■ cancelled after 2 items]";
  const element = await shown(bundle({ state: "cancelled", count: 2 }, plain));
  expect(element?.querySelector(".kkj-text")?.textContent).toBe("word\n");
  expect(element?.querySelector(".kkj-words")?.textContent).toBe("cancelled after 2 items");
});

test("a source of its own comes before the plain text", async () => {
  expect(
    (await shown(bundle({ source: "the source" })))?.querySelector(".kkj-text")?.textContent,
  ).toBe("the source");
});

test("a pane of ours comes from its part, without a kernel", async () => {
  const element = document.createElement("p");
  const pane = { element, append: () => {}, replace: () => {}, flush: () => {}, dispose: () => {} };
  partsOfPage().set("loud-1234", Promise.resolve({ makePane: () => pane }));
  const drawn = await shown(bundle({ view: "loud", pane: "loud" }));
  await vi.advanceTimersByTimeAsync(0);
  expect(drawn?.contains(element)).toBe(true);
});

test.each([
  ["a pane of the user's own", { pane: "mine" }],
  ["a pane that is not named", { pane: undefined }],
  ["no state", { state: undefined }],
  ["a state of another version", { state: "paused" }],
  ["a count that is none", { count: "many" }],
])("%s cannot be drawn", async (_, changes) => {
  expect(await drawSaved(bundle(changes), undefined)).toBeNull();
});

test("no bundle of ours cannot be drawn", async () => {
  expect(await drawSaved({ "text/plain": "x" }, undefined)).toBeNull();
});
