import { expect, test } from "vitest";
import { staticHtml, staticPlain } from "../src/static";
import type { Status } from "../src/types";
import cases from "./static-cases.json";

// The HTML in the file was written by the Python side: tests/unit/notebook/test_bundle.py.
test.each(cases)("the same static output as Python's: $name", (given) => {
  const status = given.status as Status;
  expect(staticHtml(given.text, given.left_out, status)).toBe(given.html);
  expect(staticPlain(given.text, status)).toBe(given.plain);
});
