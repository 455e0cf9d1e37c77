import { expect, test } from "vitest";
import type { Stream } from "../../src/lab/running-streams";
import { cancelWords, noticeOf, stateWords } from "../../src/lab/stream-words";
import { ended } from "../support/lab";

const NOW_MS = 10_000_000;

function stream(changes: Partial<Stream> = {}): Stream {
  return {
    runId: 3,
    title: "chat()",
    cellId: "cell",
    state: "streaming",
    count: 12,
    begunAtMs: NOW_MS - 9_000,
    quietSinceMs: NOW_MS - 1_000,
    rate: null,
    ...changes,
  };
}

test.each([
  [{}, "12 items"],
  [{ written: 87, unit: "tokens" as const }, "87 tokens"],
  [{ rate: 123 }, "120/s"],
  [{ rate: 0 }, "12 items"],
  [{ rate: 0.4 }, "0.4/s"],
  [{ rate: 123, quietSinceMs: NOW_MS - 8_400 }, "nothing for 8 s"],
  [{ rate: 0, quietSinceMs: NOW_MS - 150_000 }, "nothing for 2 min"],
  [{ rate: 0, quietSinceMs: NOW_MS - 7_500_000 }, "nothing for 2 h 5 min"],
  [{ count: 0, state: "waiting" as const, begunAtMs: NOW_MS - 3_900 }, "waiting 3 s"],
  [{ count: 0, begunAtMs: NOW_MS + 5 }, "waiting 0 s"],
  [{ state: "cancelling" as const, quietSinceMs: 0 }, "cancelling"],
])("in a list %o is %s", (changes, words) => {
  expect(stateWords(stream(changes), NOW_MS)).toBe(words);
});

test("the button says how many", () => {
  expect(cancelWords(1)).toBe("Cancel stream");
  expect(cancelWords(3)).toBe("Cancel 3 streams");
});

test.each([
  [ended(), "success", "chat('tides') finished: 205 items, 10.8 s"],
  [
    ended({ written: 1_870, unit: "tokens" }),
    "success",
    "chat('tides') finished: 1,870 tokens, 10.8 s",
  ],
  [ended({ kind: "unary", count: 0 }), "success", "chat('tides') finished: 10.8 s"],
  [ended({ state: "cancelled", count: 1 }), "info", "chat('tides') was cancelled after 1 item"],
  [
    ended({ state: "failed", count: 2, error: "ValueError: no tides" }),
    "error",
    "chat('tides') failed after 2 items: ValueError: no tides",
  ],
  [
    ended({ state: "failed", count: 0, error: "ConnectionLost" }),
    "error",
    "chat('tides') failed: ConnectionLost",
  ],
])("a notice of one tells how it ended: %#", (end, kind, text) => {
  expect(noticeOf([end])).toEqual({ kind, text });
});

test("a notice is as long as JupyterLab shows it, and its title leaves room for the rest", () => {
  const title = "x".repeat(80);
  const { text } = noticeOf([ended({ title, state: "failed", error: "y".repeat(160) })]);
  expect(text).toHaveLength(140);
  expect(text).toMatch(/^x{59}… failed after 205 items: y+…$/);
});

test("a notice of several counts them", () => {
  const failed = ended({ state: "failed" });
  const cancelled = ended({ state: "cancelled" });
  expect(noticeOf([ended(), ended()])).toEqual({
    kind: "success",
    text: "2 streams ended: 2 finished",
  });
  expect(noticeOf([ended(), cancelled]).kind).toBe("info");
  expect(noticeOf([ended(), failed, cancelled])).toEqual({
    kind: "error",
    text: "3 streams ended: 1 finished, 1 cancelled, 1 failed",
  });
});
