import { expect, test } from "vitest";
import { describe as describeStatus, oneLine } from "../../src/run/status-text";
import { duration, perSecond, whole } from "../../src/text/numbers";
import { status } from "../support/states";

test.each([
  [0, "0.00 s"],
  [0.314, "0.31 s"],
  [0.996, "1.0 s"],
  [10.84, "10.8 s"],
  [59.96, "1 min 00 s"],
  [125.4, "2 min 05 s"],
  [3725, "1 h 02 min"],
])("duration(%d) is %s", (seconds, text) => {
  expect(duration(seconds)).toBe(text);
});

test.each([
  [0, "0.0/s"],
  [3.21, "3.2/s"],
  [38.4, "38/s"],
  [412, "410/s"],
  [9999, "10,000/s"],
  [12_345, "12,000/s"],
])("perSecond(%d) is %s: two digits hold still", (rate, text) => {
  expect(perSecond(rate)).toBe(text);
});

test("thousands are set apart", () => {
  expect([0, 999, 1000, 1234567].map(whole)).toEqual(["0", "999", "1,000", "1,234,567"]);
});

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

test.each([
  ["ValueError: no\nway", "✕ ValueError after 2: no\nway"],
  ["ValueError", "✕ ValueError after 2"],
  ["something odd: yes", "✕ failed after 2: something odd: yes"],
  ["", "✕ failed after 2"],
])("the error %j", (error, line) => {
  expect(oneLine(status({ state: "failed", count: 2, error }))).toBe(line);
});
