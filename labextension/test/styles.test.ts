// @vitest-environment node
// What moves stands still for those who ask their system for that.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const SRC = join(import.meta.dirname, "../src");
const MOVES = /\b(?:transition|animation):(?! *none)|\.animate\(/;

test("every style sheet in which something moves asks whether it may", () => {
  const paths = readdirSync(SRC, { recursive: true, encoding: "utf8" });
  const moving = paths
    .filter((path) => /\.(?:css|ts)$/.test(path))
    .filter((path) => MOVES.test(readFileSync(join(SRC, path), "utf8")));
  expect(moving).not.toEqual([]);
  const unasked = moving.filter(
    (path) => !readFileSync(join(SRC, path), "utf8").includes("(prefers-reduced-motion: reduce)"),
  );
  expect(unasked).toEqual([]);
});
