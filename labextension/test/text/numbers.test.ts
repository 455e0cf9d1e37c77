import { expect, test } from "vitest";
import { duration, perSecond, whole } from "../../src/text/numbers";

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
