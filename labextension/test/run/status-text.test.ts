import { expect, test } from "vitest";
import { describe as describeStatus, isStalled, oneLine } from "../../src/run/status-text";
import { status } from "../support/states";

test("a stream that has sent nothing yet is waited for", () => {
  expect(oneLine(status({ state: "streaming", count: 0, elapsed_s: 1.2 }))).toBe("◌ waiting 1.2 s");
});

test("the parts of a running stream, most important first", () => {
  const times = { first_item_s: 0.31, elapsed_s: 12.34 };
  const running = status({ state: "streaming", count: 412, ...times });
  expect(describeStatus(running, 38.2)).toEqual({
    glyph: "●",
    parts: ["412 items", "38/s", "first 0.31 s", "12.3 s"],
  });
});

test("a stream that has stalled says for how long", () => {
  const running = status({ state: "streaming", count: 90, elapsed_s: 75 });
  const pace = (silence_s: number) => describeStatus(running, 0.4, silence_s).parts[1];
  expect(pace(3.9)).toBe("0.4/s");
  expect(pace(4.2)).toBe("nothing for 4 s");
  expect(pace(70)).toBe("nothing for 1 min 10 s");
  expect(isStalled(running, 4.2)).toBe(true);
});

test("what has sent nothing yet, or is over, has not stalled", () => {
  expect(isStalled(status({ state: "streaming", count: 0 }), 10)).toBe(false);
  expect(isStalled(status({ state: "done", count: 3 }), 10)).toBe(false);
});

test("a stream whose connection is made again says so, and for how long", () => {
  const away = status({ state: "streaming", count: 90, elapsed_s: 75, reconnecting_s: 4.9 });
  expect(oneLine(away)).toBe("◌ reconnecting … 4 s · 90 items");
  expect(oneLine({ ...away, state: "waiting", count: 0 })).toBe("◌ reconnecting … 4 s");
  expect(isStalled(away, 10)).toBe(false);
  expect(oneLine({ ...away, state: "cancelling" })).toBe("■ cancelling · 90 items");
  expect(oneLine({ ...away, state: "lost", error: "kernel stopped" })).toBe(
    "✕ kernel stopped after 90 items",
  );
});

test("nobody knows when a stream was asked for that was open already", () => {
  const open = status({
    state: "done",
    count: 2,
    elapsed_s: 3,
    first_item_s: 0.31,
    was_open: true,
  });
  expect(oneLine(open)).toBe("✓ 2 items · first after opening 0.31 s · 3.0 s");
});

test.each([
  ["ValueError: no\nway", "✕ ValueError after 2: no\nway"],
  ["ValueError", "✕ ValueError after 2"],
  ["something odd: yes", "✕ failed after 2: something odd: yes"],
  ["", "✕ failed after 2"],
])("the error %j", (error, line) => {
  expect(oneLine(status({ state: "failed", count: 2, error }))).toBe(line);
});

test("a loop that was left is not said to be cancelled, as if somebody had pressed a button", () => {
  const left = status({ state: "cancelled", count: 20, left: true });
  expect(oneLine(left)).toBe("■ stopped after 20 items");
});

test("an answer counts what the model has written", () => {
  const running = status({ state: "streaming", count: 90, written: 1_204 });
  expect(describeStatus(running, 312).parts.slice(0, 2)).toEqual(["1,204 characters", "310/s"]);
  const tokens = { count: 90, written: 412, unit: "tokens", elapsed_s: 3 } as const;
  expect(oneLine(status({ ...tokens, state: "done" }))).toBe("✓ 412 tokens · 3.0 s");
  expect(oneLine(status({ ...tokens, state: "cancelled" }))).toBe("■ cancelled after 412 tokens");
  expect(oneLine(status({ ...tokens, state: "failed", error: "E: no" }))).toBe(
    "✕ E after 412 tokens: no",
  );
});
