// @vitest-environment jsdom
// The sanitiser does not get along with happy-dom.

import createParser from "markdown-it";
import { beforeEach, expect, test, vi } from "vitest";
import type { Pane } from "../../src/panes/pane";
import { makePane } from "../../src/parts/markdown";
import { makeParser } from "../../src/parts/markdown/parser";
import { MarkdownRenderer } from "../../src/parts/markdown/renderer";
import {
  closeOpenMarks,
  withoutHalfLine,
  withTableHead,
} from "../../src/parts/markdown/unfinished";
import emphasis from "../cases/emphasis.json";
import markdown from "../cases/markdown.json";

const cases = [...markdown.cases, ...emphasis.cases];

// jsdom and the sanitiser are slow together.
vi.setConfig({ testTimeout: 60_000 });

let pane: Pane;
beforeEach(() => {
  vi.stubGlobal(
    "ResizeObserver",
    class {
      observe() {}
      disconnect() {}
    },
  );
  vi.stubGlobal("requestAnimationFrame", () => 1);
  vi.stubGlobal("cancelAnimationFrame", () => {});
  pane = makePane({ label: "chat()" });
  document.body.replaceChildren(pane.element);
});

function write(text: string, step = text.length): void {
  for (let at = 0; at < text.length; at += step) {
    pane.append(text.slice(at, at + step));
    pane.flush();
  }
}

function end(): void {
  pane.ended?.();
}

/** Elements and links of what is shown; `m` for a formula. */
function shown(node: Node = pane.element): string {
  if (node.nodeType === Node.TEXT_NODE) return escaped((node as Text).data.replace(/\s+/g, " "));
  const inner = [...node.childNodes].map(shown).join("");
  const element = node as Element;
  const tag = element.tagName.toLowerCase();
  if (element.classList.contains("kkj-code-bar")) return "";
  if (element.classList.contains("kkj-math")) return `<m>${inner}</m>`;
  if (tag === "div" || tag === "span") return inner;
  const address = ["href", "src"].find((name) => element.hasAttribute(name));
  const attribute = address ? ` ${address}=${element.getAttribute(address)}` : "";
  if (tag === "hr" || tag === "img") return `<${tag}${attribute}>`;
  const isBlock = /^(ul|ol|li|table|thead|tbody|tr|blockquote)$/.test(tag);
  return `<${tag}${attribute}>${isBlock ? inner.replace(/> +</g, "><").trim() : inner}</${tag}>`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function seen(text: string): string {
  pane.replace("");
  write(text);
  return shown();
}

test.each(cases)("%s", (_, source, html) => {
  write(source);
  end();
  expect(shown()).toBe(html);
});

test.each(cases)("%s, letter by letter", (_, source, html) => {
  write(source, 1);
  end();
  expect(shown()).toBe(html);
});

test.each(emphasis.western)("emphasis as CommonMark has it: %s", (source) => {
  expect(makeParser().renderInline(source)).toBe(createParser().renderInline(source));
});

test("links open elsewhere and tell nothing of this page", () => {
  write("[x](https://a.b)\n");
  const link = pane.element.querySelector("a");
  expect([link?.target, link?.rel]).toEqual(["_blank", "noopener noreferrer"]);
});

test("what is open is closed while it grows", () => {
  expect(closeOpenMarks("a **b")).toBe("a **b**");
  expect(closeOpenMarks("a **")).toBe("a");
  expect(closeOpenMarks("a **b*")).toBe("a **b**");
  expect(closeOpenMarks("a **b** c")).toBe("a **b** c");
  expect(closeOpenMarks("***a")).toBe("***a***");
  expect(closeOpenMarks("**a *b")).toBe("**a *b***");
  expect(closeOpenMarks("a `b *c")).toBe("a `b *c`");
  expect(closeOpenMarks("a `b` *c")).toBe("a `b` *c*");
  expect(closeOpenMarks("see [the do")).toBe("see the do");
  expect(closeOpenMarks("see [the docs](https://exa")).toBe("see the docs");
  expect(closeOpenMarks("see [the docs](https://a.b) x")).toBe("see [the docs](https://a.b) x");
  expect(closeOpenMarks("![a cat](data:image/png;base64,AAA")).toBe("a cat");
  expect(closeOpenMarks("<https://a")).toBe("https://a");
  expect(closeOpenMarks("a &am")).toBe("a");
  expect(closeOpenMarks("snake_case_name")).toBe("snake_case_name");
  expect(closeOpenMarks("$a_1 * b$ *c")).toBe("$a_1 * b$ *c*");
  expect(closeOpenMarks("2 * 3 and 4 * 5")).toBe("2 * 3 and 4 * 5");
  expect(closeOpenMarks("Hello!")).toBe("Hello!");
});

test("no text of this length takes long to be closed", () => {
  const pieces = [
    "&",
    "`",
    "``",
    "\\",
    "\\(",
    "\\[",
    "$",
    "$$",
    "*",
    "_a*$",
    "[",
    "![",
    "<a:",
    " ",
  ];
  for (const piece of pieces) {
    const text = piece.repeat(18_000 / piece.length);
    const begunMs = performance.now();
    closeOpenMarks(text);
    withoutHalfLine(text, false);
    // Some took 5 to 15 s, with each frame.
    expect(performance.now() - begunMs, piece).toBeLessThan(2_000);
  }
});

test("of many openings of a formula none is searched to the end of the text", () => {
  const begunMs = performance.now();
  makeParser().render("\\(".repeat(50_000) + "\\[".repeat(50_000));
  expect(performance.now() - begunMs).toBeLessThan(10_000);
  expect(makeParser().render("\\( \\(a\\) \\[ \\[b\\]")).toContain('class="kkj-math"');
});

test("a line of marks waits until it says what it is", () => {
  expect(withoutHalfLine("a\n-", false)).toBe("a\n");
  expect(withoutHalfLine("a\n```", false)).toBe("a\n");
  expect(withoutHalfLine("> a\n> #", false)).toBe("> a\n");
  expect(withoutHalfLine("a\n- b", false)).toBe("a\n- b");
  expect(withoutHalfLine("```\n-", true)).toBe("```\n-");
  expect(withoutHalfLine("```\na\n``", true)).toBe("```\na\n");
});

test("a table is one from its first line", () => {
  expect(withTableHead("| a | b")).toBe("| a | b\n|---|---|");
  expect(withTableHead("x\n\n| a | b |\n")).toBe("x\n\n| a | b |\n|---|---|");
  expect(withTableHead("| a |\n|--")).toBe("| a |\n|---|");
  const whole = "| a |\n|---|\n| 1 |";
  expect(withTableHead(whole)).toBe(whole);
  expect(withTableHead("a | b")).toBe("a | b");
});

test.each([
  ["a word", "p"],
  ["a **word", "p"],
  ["# a", "h1"],
  ["- a\n  - b\n\n    c", "li li p:last-child"],
  ["> a\n>\n> b", "blockquote p:last-child"],
  ["```py\nx = 1\ny", "code"],
  ["| a | b", "th:last-child"],
  ["| a | b |\n|---|---|\n| 1 | 2 |\n| 3", "tr:last-child td:first-child"],
])("the caret stands behind the last letter: %s", (source, where) => {
  write("Before.\n\n");
  write(source, 1);
  const caret = pane.element.querySelector(".kkj-caret");
  expect(caret?.parentElement?.matches(where), pane.element.innerHTML).toBe(true);
  expect(pane.element.querySelectorAll(".kkj-caret")).toHaveLength(1);
  end();
  expect(pane.element.querySelector(".kkj-caret")).toBeNull();
});

test.each(["- [", "- [ ", "- [x", "- [x]", "- [x] "])("half a task: %s", (source) => {
  expect(seen(`- a\n${source}`)).toBe("<ul><li>a</li><li></li></ul>");
});

test("half a footnote", () => {
  expect(seen("a[^")).toBe("<p>a</p>");
  expect(seen("a[^1")).toBe("<p>a</p>");
  expect(seen("a[^1]")).toBe("<p>a<sup>1</sup></p>");
  expect(seen("a[^1]\n\n[^1]:")).toBe("<p>a<sup>1</sup></p><p><sup>1</sup></p>");
});

test("half of it looks like what it will be", () => {
  expect(seen("```py\nx = 1")).toBe("<pre><code>x = 1</code></pre>");
  expect(seen("a\n\n- b\n- **c")).toBe("<p>a</p><ul><li>b</li><li><strong>c</strong></li></ul>");
  expect(seen("| a | b |\n|--")).toContain("<table>");
  expect(seen("a\n-")).toBe("<p>a</p>");
  expect(seen("a\n\n$$\nx_1\n\n*y*")).toBe("<p>a</p><m>$$ x_1 *y*</m>");
  expect(seen("1. a\n\n2")).toBe("<ol><li>a</li></ol>");
});

test("finished blocks are never touched again", () => {
  write("# $x$\n\nsome *text*\n\nmore");
  const [head, text] = [...(pane.element.querySelector(".kkj-section")?.children ?? [])];
  const changes: MutationRecord[] = [];
  const observer = new MutationObserver((records) => changes.push(...records));
  for (const node of [head, text]) {
    if (node) observer.observe(node, { childList: true, subtree: true, characterData: true });
  }
  write(" and more\n\n- list\n\n1. list\n\n```\ncode", 3);
  changes.push(...observer.takeRecords());
  expect(changes).toEqual([]);
  expect(head?.isConnected && text?.isConnected).toBe(true);
});

test("the growing block keeps its nodes", () => {
  write("some **text** and");
  const bold = pane.element.querySelector("strong")?.firstChild;
  const first = pane.element.querySelector("p")?.firstChild;
  write(" more of *it* ", 2);
  expect(pane.element.querySelector("strong")?.firstChild).toBe(bold);
  expect(pane.element.querySelector("p")?.firstChild).toBe(first);
});

const LONG: [string, string, string][] = [
  ["code", `\`\`\`python\n${'x = """a\nb"""  # c\n'.repeat(800)}\`\`\`\n`, "pre"],
  ["a paragraph", `${"Some *words* and `code`. More words ".repeat(450)}\n`, "p"],
  ["a list", "- some words\n".repeat(1_200), "li"],
  ["a table", `| a | b |\n|---|---|\n${"| 1 | two words |\n".repeat(900)}`, "tr"],
];

test.each(LONG)("%s that grows and grows is cut, and nothing is lost", (_, source, tag) => {
  write(source, 1_000);
  end();
  const cut = pane.element.querySelectorAll(".kkj-continued").length;
  expect(cut).toBeGreaterThan(1);
  const text = [...pane.element.querySelectorAll(tag)].map((element) => element.textContent);
  const words = (from: string) => from.match(/words|x =|1 | 2/g)?.length;
  if (tag === "tr") expect(text.filter((row) => row?.includes("1"))).toHaveLength(900);
  else if (tag === "li") expect(text).toHaveLength(1_200);
  else expect(words(text.join(""))).toBe(words(source));
  const strings = [...pane.element.querySelectorAll(".kkj-c-string")];
  if (tag === "pre")
    expect(strings.every((e) => /^("""a\n?b?"*|b""")$/.test(e.textContent ?? ""))).toBe(true);
  expect(pane.element.querySelectorAll(".kkj-closed").length).toBeGreaterThan(0);
});

test.each([
  ["code", `\`\`\`python\n${"x = 1\n".repeat(1_200)}\`\`\`\n\n`],
  ["a paragraph", `${"Some words. ".repeat(600)}\n\n`],
  ["a table", `| a | b |\n|---|---|\n${"| 1 | 2 |\n".repeat(800)}\n`],
])("what follows %s is not cut, though both come at once", (_, source) => {
  vi.spyOn(performance, "now").mockReturnValue(0); // a slow frame would take less
  const text = "some more words, which stand in one line";
  write(source + text);
  expect([...pane.element.querySelectorAll("p")].at(-1)?.textContent).toBe(text);
  vi.restoreAllMocks();
});

test("very much at once is drawn in frames", () => {
  const source = "some words\n\n".repeat(3_000);
  pane.append(source);
  pane.flush();
  const first = pane.element.querySelectorAll("p").length;
  expect(first).toBeLessThan(1_500);
  while (pane.element.querySelectorAll("p").length < 3_000) pane.flush();
  expect(pane.element.textContent).toContain("some words");
});

test("replace starts anew", () => {
  write("# old\n\n```\ncode");
  pane.replace("new");
  pane.flush();
  expect(shown()).toBe("<p>new</p>");
});

test("an address that the parser should have let through is left out all the same", () => {
  const renderer = new MarkdownRenderer();
  const parsed = renderer.read("[a](https://a.example) ![b](https://b.example)\n", false);
  for (const token of parsed.tokens.flatMap(({ children }) => children ?? [])) {
    for (const name of ["href", "src"]) {
      if (token.attrGet(name)) token.attrSet(name, "javascript:alert(1)");
    }
  }
  const html = renderer.draw(parsed).map((element) => element.outerHTML);
  expect(html.join("")).toContain("<a");
  expect(html.join("")).not.toContain("javascript:");
});
