import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { OwnCancels } from "../../src/lab/own-cancels";
import { ended, Notebook } from "../support/lab";

let notebook: Notebook;
let own: OwnCancels;

beforeEach(() => {
  vi.useFakeTimers();
  notebook = new Notebook();
  own = new OwnCancels();
  own.watch(notebook.panel.sessionContext.session?.kernel ?? null);
});
afterEach(() => {
  vi.useRealTimers();
});

const cancelled = ended({ state: "cancelled" });

test("nobody here has cancelled what another page has", () => {
  expect(own.explain("kernel", cancelled)).toBe(false);
  notebook.sends("kkjupyter_state", { run_id: 3 });
  notebook.sends("kkjupyter_cancel", { run_id: 4 });
  expect(own.explain("kernel", cancelled)).toBe(false);
  expect(own.explain(undefined, cancelled)).toBe(false);
});

test("a cancel that this page sends is its own, however long it takes", () => {
  notebook.sends("kkjupyter_view", { kind: "need", run_id: 3 });
  expect(own.explain("kernel", cancelled)).toBe(false);
  notebook.sends("kkjupyter_view", { kind: "cancel", run_id: 3, key: "view" });
  vi.advanceTimersByTime(60_000);
  expect(own.explain("another", cancelled)).toBe(false);
  expect(own.explain("kernel", cancelled)).toBe(true);
});

test("the end of a stream that outran its cancel is news", () => {
  notebook.sends("kkjupyter_cancel", { run_id: 3 });
  expect(own.explain("kernel", ended())).toBe(false);
  // The number may be used again by the next process.
  expect(own.explain("kernel", cancelled)).toBe(false);
});

test.each([
  ["kkjupyter_cancel", { all: true }],
  ["execute_request", { code: "%rpc cancel" }],
])("what may have cancelled any stream explains it for a moment: %s", (type, content) => {
  notebook.sends(type, content);
  vi.advanceTimersByTime(3_000);
  expect(own.explain("kernel", cancelled)).toBe(true);
  expect(own.explain("kernel", ended({ state: "failed" }))).toBe(false);
  vi.advanceTimersByTime(3_000);
  expect(own.explain("kernel", cancelled)).toBe(false);
});
