// The json pane: a line for each value, and those that hold others can be opened.

import { make } from "../ui/element";
import { suppressShortcuts } from "../ui/shortcuts";
import { type Tree, treeOf } from "./json-tree";
import { TextPane } from "./text-pane";

/** Beyond, values stay lines: a page is no place for a million handles. */
const TREES = 2_000;

export class JsonPane extends TextPane {
  /** Lines are shown when they are whole. */
  protected override hasCaret = false;
  private line = "";
  private trees = 0;

  override replace(source: string): void {
    this.line = "";
    this.trees = 0;
    super.replace(source);
  }

  /** The last line is not shown yet. */
  protected override erase(): void {
    this.line = "";
  }

  protected override put(block: HTMLElement, text: string): void {
    const lines = (this.line + text).split("\n");
    // The pane writes whole lines, but for the last one, which may still grow.
    this.line = lines.pop() ?? "";
    for (const line of lines) {
      const tree = this.trees < TREES ? treeOf(line) : null;
      if (tree) {
        this.trees += 1;
        block.append(foldable(line, tree));
      } else super.put(block, `${line}\n`);
    }
  }
}

/** What is in `tree` is made when it is first opened. */
function foldable(line: string, tree: Tree): HTMLElement {
  const details = make("details", "kkj-tree");
  const summary = make("summary", "", line);
  suppressShortcuts(summary);
  details.append(summary);
  details.addEventListener("toggle", () => {
    if (details.open && details.childElementCount === 1) details.append(entriesOf(tree));
  });
  return details;
}

function entriesOf(tree: Tree): HTMLElement {
  const list = make("div", "kkj-tree-entries");
  if (typeof tree === "string") return list;
  for (const [key, value] of tree.entries) {
    const isLeaf = typeof value === "string" || !value.entries.length;
    const text = `${key}: ${written(value)}`;
    list.append(isLeaf ? make("div", "kkj-tree-leaf", text) : foldable(text, value));
  }
  return list;
}

function written(tree: Tree): string {
  if (typeof tree === "string") return tree;
  const entries = tree.entries.map(([key, value]) => {
    return tree.open === "{" ? `${key}: ${written(value)}` : written(value);
  });
  return `${tree.open}${entries.join(", ")}${tree.close}`;
}
