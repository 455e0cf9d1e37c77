import { beforeEach, expect, test, vi } from "vitest";
import { TextPane } from "../../src/panes/text-pane";
import { blockEnd, blocks, heightPx } from "../../src/text/blocks";

let pane: TextPane;

beforeEach(() => {
  pane = new TextPane();
  document.body.replaceChildren(pane.element);
});

function write(text: string): void {
  pane.append(text);
  pane.flush();
}

test("what is appended between two frames is one append", async () => {
  const frame = vi.spyOn(window, "requestAnimationFrame");
  for (const text of ["a", "b", "c"]) pane.append(text);
  expect(frame).toHaveBeenCalledOnce();
  pane.flush();
  expect(pane.element.textContent).toBe("abc");
});

test("earlier text nodes stay the same objects", () => {
  write("first\n");
  const node = pane.element.firstChild?.firstChild;
  for (let i = 0; i < 5_000; i++) write(`line ${i}\n`);
  expect(pane.element.firstChild?.firstChild).toBe(node);
});

test("the number of nodes stays small, with and without line ends", () => {
  for (const word of ["word\n", "word "]) {
    pane.replace("");
    for (let i = 0; i < 20_000; i++) write(word);
    expect(pane.element.textContent).toBe(word.repeat(20_000));
    const texts = [...pane.element.children].map((block) => block.childNodes.length);
    expect(texts.length).toBeLessThan(12);
    expect(Math.max(...texts)).toBeLessThan(30);
  }
});

test("markup stays text", () => {
  write("<img src=x onerror=alert(1)></div>");
  expect(pane.element.querySelector("img")).toBeNull();
  expect(pane.element.textContent).toBe("<img src=x onerror=alert(1)></div>");
});

test("replace starts anew", () => {
  write("old");
  pane.replace("new");
  pane.flush();
  expect(pane.element.textContent).toBe("new");
});

test("blocks are cut at line ends, at spaces if there are none, and lose nothing", () => {
  const lines = `${"x".repeat(99)}\n`.repeat(1_000);
  const words = "word ".repeat(20_000);
  const solid = "x".repeat(100_000);
  for (const text of [lines, words, solid, ""]) expect(blocks(text).join("")).toBe(text);
  expect(blocks(lines).every((block) => block.endsWith("\n"))).toBe(true);
  expect(blocks(lines)).toHaveLength(9);
  expect(blocks(words)).toHaveLength(5);
  expect(blocks(solid)).toHaveLength(1);
});

test("the same cuts, however the text arrives", () => {
  const text = `${"some words here\n".repeat(2_000)}${"w ".repeat(40_000)}`;
  write(text);
  const atOnce = [...pane.element.children].map((block) => block.textContent);
  pane.replace("");
  for (let at = 0; at < text.length; at += 777) write(text.slice(at, at + 777));
  expect([...pane.element.children].map((block) => block.textContent)).toEqual(atOnce);
  expect(blocks(text)).toEqual(atOnce);
  expect(blockEnd("no end in sight")).toBe(-1);
});

test("a block's height is about its lines", () => {
  expect(heightPx("a\nb\n")).toBe(34);
  expect(heightPx("x".repeat(330))).toBe(68);
});

test("a caret stands where a line is being written, until the end", () => {
  const caret = () => pane.element.querySelectorAll(".kkj-caret").length;
  write("a word");
  expect(caret()).toBe(1);
  write("\n");
  expect(caret()).toBe(0);
  write("more");
  expect(caret()).toBe(1);
  write(`${"x".repeat(30_000)} and on`);
  expect(caret()).toBe(1);
  pane.ended();
  expect(caret()).toBe(0);
});
