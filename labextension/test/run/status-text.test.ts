import { expect, test } from "vitest";
import { describe as describeStatus, oneLine } from "../../src/run/status-text";
import { status } from "../support/states";

test("a stream that has sent nothing yet is waited for", () => {
  expect(oneLine(status({ state: "streaming", count: 0, elapsed_s: 1.2 }))).toBe("◌ waiting 1.2 s");
});

test("the parts of a running stream, most important first", () => {
  const running = status({ state: "streaming", count: 412, first_item_s: 0.31 });
  expect(describeStatus(running, 38.2)).toEqual({
    glyph: "●",
    parts: ["412 items", "38/s", "first 0.31 s"],
  });
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
