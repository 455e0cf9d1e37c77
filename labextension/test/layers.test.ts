// @vitest-environment node
// The folders and their arrows: an import drawn upwards, or in a circle, fails here. Imports of types
// count as all others do.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { expect, test } from "vitest";

const SRC = join(import.meta.dirname, "../src");
/** Bottom to top. */
const FOLDERS = ["ui", "text", "kernel", "run", "panes", "parts", "view", "widget", "lab"];
/** Of these, none knows of another. */
const APART = [
  ["parts", "view"],
  ["parts", "widget", "lab"],
];

type Graph = Map<string, string[]>;

/** For each module, by its path below `src`, those of ours that it imports. */
function importsOf(modules: Map<string, string>): Graph {
  const graph: Graph = new Map();
  for (const [path, source] of modules) {
    const specifiers = source.matchAll(/(?:\bfrom|\bimport) *\(? *"(\.[^"]+)"/g);
    graph.set(
      path,
      [...specifiers].map(([, specifier = ""]) => {
        const target = normalize(join(dirname(path), specifier));
        return modules.has(`${target}.ts`) ? `${target}.ts` : target;
      }),
    );
  }
  return graph;
}

const folderOf = (path: string) => path.split("/")[0] ?? "";

function upward(graph: Graph): string[] {
  const found: string[] = [];
  for (const [path, targets] of graph) {
    for (const target of targets) {
      const [from, to] = [folderOf(path), folderOf(target)];
      const isBetween = from !== to && APART.some((all) => all.includes(from) && all.includes(to));
      if (isBetween || FOLDERS.indexOf(to) > FOLDERS.indexOf(from)) {
        found.push(`${path} imports ${target}`);
      }
    }
  }
  return found;
}

/** The modules that reach themselves. */
function inCircles(graph: Graph): string[] {
  return [...graph.keys()].filter((start) => {
    const seen = new Set<string>();
    const ahead = [...(graph.get(start) ?? [])];
    for (let path = ahead.pop(); path !== undefined; path = ahead.pop()) {
      if (path === start) return true;
      if (seen.has(path)) continue;
      seen.add(path);
      ahead.push(...(graph.get(path) ?? []));
    }
    return false;
  });
}

/** Imports of JupyterLab's modules that are more than types: they would be bundled. */
function bundled(source: string): string[] {
  const imports = source.matchAll(
    /^(?:import|export)(?! type\b)(?:[^;"]*\bfrom)? *"(@(?:jupyterlab|lumino|jupyter)\/[^"]+)"/gm,
  );
  return [...imports].map(([, name = ""]) => name);
}

const paths = readdirSync(SRC, { recursive: true, encoding: "utf8" })
  .map((path) => path.replaceAll("\\", "/"))
  .filter((path) => path.endsWith(".ts") && !path.endsWith(".d.ts"));
const sources = new Map(paths.map((path) => [path, readFileSync(join(SRC, path), "utf8")]));
const graph = importsOf(sources);

test("every module is in a folder that the README tells of, in this order", () => {
  const readme = readFileSync(join(SRC, "README.md"), "utf8");
  expect([...readme.matchAll(/^\| `(\w+)\/` \| \w/gm)].map(([, folder]) => folder)).toEqual(
    FOLDERS,
  );
  expect(new Set(paths.map(folderOf))).toEqual(new Set(FOLDERS));
});

test("every relative import is found", () => {
  const imported = [...graph.values()].flat().filter((path) => !path.endsWith(".css"));
  expect(imported.length).toBeGreaterThan(paths.length);
  expect(imported.filter((path) => !sources.has(path))).toEqual([]);
});

test("imports follow the arrows", () => {
  expect(upward(graph)).toEqual([]);
});

test("no module imports itself by way of others", () => {
  expect(inCircles(graph)).toEqual([]);
});

test("of JupyterLab only types are taken: its modules are the page's", () => {
  for (const [path, source] of sources) expect(bundled(source), path).toEqual([]);
  expect(bundled('import type { Widget } from "@lumino/widgets";')).toEqual([]);
  expect(bundled('import { Widget } from "@lumino/widgets";')).toEqual(["@lumino/widgets"]);
  expect(bundled('import {\n  A,\n  B,\n} from "@jupyterlab/services";')).toHaveLength(1);
  expect(bundled('import "@jupyterlab/services";')).toHaveLength(1);
});

test.each([
  ["upwards", { "ui/a.ts": 'import type { B } from "../run/b";', "run/b.ts": "" }],
  ["over several lines", { "ui/a.ts": 'import {\n  b,\n} from "../run/b";', "run/b.ts": "" }],
  ["within a type", { "ui/a.ts": 'type B = import("../run/b").B;', "run/b.ts": "" }],
  ["for its effects", { "ui/a.ts": 'import "../run/b";', "run/b.ts": "" }],
  ["passed on", { "ui/a.ts": 'export { b } from "../run/b";', "run/b.ts": "" }],
  ["between those apart", { "lab/a.ts": 'import { b } from "../widget/b";', "widget/b.ts": "" }],
])("an import %s is found", (_, modules) => {
  expect(upward(importsOf(new Map(Object.entries(modules))))).toHaveLength(1);
});

test("a circle is found", () => {
  const modules = {
    "ui/a.ts": 'import { b } from "./b";',
    "ui/b.ts": 'import type { C } from "./c";',
    "ui/c.ts": 'import { a } from "./a";',
    "ui/d.ts": 'import { a } from "./a";',
  };
  const found = inCircles(importsOf(new Map(Object.entries(modules))));
  expect(found).toEqual(["ui/a.ts", "ui/b.ts", "ui/c.ts"]);
});
