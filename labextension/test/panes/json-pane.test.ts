import { expect, test } from "vitest";
import { JsonPane } from "../../src/panes/json-pane";
import { type Tree, treeOf } from "../../src/panes/json-tree";

function plain(tree: Tree | null): unknown {
  if (tree === null || typeof tree === "string") return tree;
  return tree.entries.map(([key, value]) => [key, plain(value)]);
}

test.each([
  [
    '{"a": 1, "b": [2, {"c": "x, y"}]}',
    [
      ['"a"', "1"],
      [
        '"b"',
        [
          ["0", "2"],
          ["1", [['"c"', '"x, y"']]],
        ],
      ],
    ],
  ],
  [
    '["a\\"]", true]',
    [
      ["0", '"a\\"]"'],
      ["1", "true"],
    ],
  ],
  [
    '{"when": 2026-01-02T03:04:05+00:00, "size": undefined}',
    [
      ['"when"', "2026-01-02T03:04:05+00:00"],
      ['"size"', "undefined"],
    ],
  ],
  [
    "[set([1, 2]), Foo(a=1, b={2})]",
    [
      ["0", "set([1, 2])"],
      ["1", "Foo(a=1, b={2})"],
    ],
  ],
  [
    '{1: 2, (3, 4): "x"}',
    [
      ["1", "2"],
      ["(3, 4)", '"x"'],
    ],
  ],
  ["5", null],
  ["{}", null],
  ['"[1]"', null],
  ["[1, 2", null],
  ["[1] … (5 more characters)", null],
  ["[… 5 characters left out …]", [["0", "… 5 characters left out …"]]],
])("the tree of %s", (line, expected) => {
  expect(plain(treeOf(line))).toEqual(expected);
});

test("a line that holds others can be opened, level by level", () => {
  const pane = new JsonPane();
  pane.append('1\n{"a": {"b": [1, 2]}, "c":');
  pane.flush();
  expect(pane.element.textContent).toBe("1\n");
  pane.append(' 3}\n"x"\n');
  pane.flush();
  const outer = pane.element.querySelector("details") as HTMLDetailsElement;
  expect(outer.querySelector("summary")?.textContent).toBe('{"a": {"b": [1, 2]}, "c": 3}');
  expect(pane.element.querySelectorAll("details").length).toBe(1);
  outer.open = true;
  outer.dispatchEvent(new Event("toggle"));
  const inner = outer.querySelector("details") as HTMLDetailsElement;
  expect(inner.querySelector("summary")?.textContent).toBe('"a": {"b": [1, 2]}');
  expect(outer.querySelector(".kkj-tree-leaf")?.textContent).toBe('"c": 3');
  inner.open = true;
  inner.dispatchEvent(new Event("toggle"));
  inner.dispatchEvent(new Event("toggle"));
  expect(inner.querySelectorAll("details").length).toBe(1);
  expect(pane.element.lastChild?.lastChild?.textContent).toBe('"x"\n');
});

test("a new source begins anew", () => {
  const pane = new JsonPane();
  pane.append("[1");
  pane.replace("[2]\n");
  pane.flush();
  expect(pane.element.textContent).toBe("[2]");
});

test("what is nested very deep is a tree down to some depth, and no error", () => {
  for (const [open, close] of [
    ["[", "]"],
    ['{"a": ', "}"],
  ] as const) {
    const deep = open.repeat(100_000) + "1".repeat(3) + close.repeat(100_000);
    let tree = treeOf(deep);
    let levels = 0;
    for (; tree && typeof tree === "object"; levels++) tree = tree.entries[0]?.[1] ?? null;
    expect(levels).toBe(32);
    expect(tree).toBe(deep.slice(32 * open.length, -32));
    const pane = new JsonPane();
    pane.append(`${deep}\n`);
    pane.flush();
    const details = pane.element.querySelector("details");
    expect(details?.textContent?.length).toBe(deep.length);
    if (details) details.open = true;
    details?.dispatchEvent(new Event("toggle"));
    expect(details?.childElementCount).toBe(2);
  }
  expect(treeOf("[".repeat(100_000))).toBeNull();
});
