import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { MimeForms, Pane, RenderMime } from "../../src/panes/pane";
import { makePane as makeLatest } from "../../src/parts/latest";
import { makePane as makeRich } from "../../src/parts/rich";
import { ownForm } from "../../src/parts/rich/own-forms";

const PIXEL = "iVBORw0KGgo=";
let pane: Pane;

beforeEach(() => {
  HTMLImageElement.prototype.decode = async () => {};
});
afterEach(() => pane?.dispose());

function forms(data: object, metadata: object = {}): string {
  return `${JSON.stringify({ data, metadata })}\n`;
}

function plain(text: string): string {
  return forms({ "text/plain": text });
}

function put(made: Pane, ...sources: string[]): Pane {
  pane = made;
  document.body.replaceChildren(pane.element);
  for (const source of sources) write(source);
  return pane;
}

function write(source: string): void {
  pane.append(source);
  pane.flush();
}

function values(): HTMLElement[] {
  return [...pane.element.querySelectorAll<HTMLElement>(".kkj-rich-value")];
}

const settled = () => new Promise((resolve) => setTimeout(resolve));

/** A notebook that draws values, and finishes each when it is told to. */
class Renderers {
  readonly asked: { forms: MimeForms; finish(): void }[] = [];
  readonly undone: string[] = [];
  readonly render: RenderMime = (drawn, host) => {
    const text = String(drawn.data["text/html"]);
    return new Promise((resolve) => {
      const finish = () => {
        host.append(text);
        resolve(() => this.undone.push(text));
      };
      this.asked.push({ forms: drawn, finish });
    });
  };
}

test("values stand below each other, in their order, as they come", async () => {
  put(makeRich({ label: "f()" }), plain("one") + plain("two").slice(0, 20));
  expect(values().map((value) => value.textContent)).toEqual(["one"]);
  write(plain("two").slice(20) + forms({ "text/plain": "<p>", "image/png": PIXEL }));
  expect(values().map((value) => value.textContent)).toEqual(["one", "two", ""]);
  const image = pane.element.querySelector("img");
  expect(image?.src).toBe(`data:image/png;base64,${PIXEL}`);
  expect(image?.alt).toBe("<p>");
});

test("when the source begins anew, what is in both stays", () => {
  put(makeRich({ label: "f()" }), plain("one"), plain("two"), plain("three"));
  const [, two, three] = values();
  pane.replace(`{"left_out":1}\n${plain("two")}${plain("three")}${plain("four")}`);
  pane.flush();
  expect(values().map((value) => value.textContent)).toEqual([
    "… 1 earlier item is left out",
    "two",
    "three",
    "four",
  ]);
  expect(values()[1]).toBe(two);
  expect(values()[2]).toBe(three);
});

test("a line that was cut is not shown", () => {
  put(
    makeRich({ label: "f()" }),
    '{"data":{"text/p\n',
    "[… 12 characters left out …]\n",
    plain("x"),
  );
  expect(values()).toHaveLength(1);
});

test("nothing is drawn before the pane is in the page", () => {
  pane = makeRich({ label: "f()" });
  write(plain("one"));
  expect(values()).toHaveLength(0);
  document.body.replaceChildren(pane.element);
  write("");
  expect(values()).toHaveLength(1);
});

test.each([makeRich, makeLatest])("Copy gives the texts", (make) => {
  put(make({ label: "f()" }));
  const source = plain("one") + forms({ "text/plain": "<Figure>", "image/png": PIXEL });
  expect(pane.copied?.(source)).toBe(make === makeRich ? "one\n<Figure>\n" : "<Figure>");
});

test("the notebook draws what has more forms than text, and is told when it is gone", async () => {
  const notebook = new Renderers();
  put(makeRich({ label: "f()", renderMime: notebook.render }), plain("text"));
  write(forms({ "text/plain": "x", "text/html": "<b>bold</b>" }, { "text/html": { a: 1 } }));
  expect(notebook.asked.map(({ forms }) => forms.metadata)).toEqual([{ "text/html": { a: 1 } }]);
  notebook.asked[0]?.finish();
  await settled();
  expect(values()[1]?.textContent).toBe("<b>bold</b>");
  pane.replace("");
  pane.flush();
  expect(notebook.undone).toEqual(["<b>bold</b>"]);
});

test("what was taken away before the notebook had drawn it is undone", async () => {
  const notebook = new Renderers();
  put(makeRich({ label: "f()", renderMime: notebook.render }), forms({ "text/html": "late" }));
  pane.dispose();
  notebook.asked[0]?.finish();
  await settled();
  expect(notebook.undone).toEqual(["late"]);
});

test("what the notebook cannot draw is shown without it", async () => {
  const said = vi.spyOn(console, "error").mockImplementation(() => {});
  const fails: RenderMime = async () => {
    throw new Error("no renderer");
  };
  put(
    makeRich({ label: "f()", renderMime: fails }),
    forms({ "text/plain": "x", "image/png": PIXEL }),
  );
  await settled();
  expect(pane.element.querySelector("img")).not.toBeNull();
  expect(said).toHaveBeenCalledOnce();
  said.mockRestore();
  put(makeRich({ label: "f()", renderMime: async () => null }), forms({ "image/png": PIXEL }));
  await settled();
  expect(pane.element.querySelector("img")).not.toBeNull();
});

test("the latest value stands alone, and the one before stays until it is drawn", async () => {
  const notebook = new Renderers();
  const html = (text: string) => forms({ "text/html": text });
  put(makeLatest({ label: "f()", renderMime: notebook.render }), html("1") + html("2"));
  expect(notebook.asked).toHaveLength(1);
  notebook.asked[0]?.finish();
  await settled();
  expect(values().map((value) => value.textContent)).toEqual(["2"]);
  write(html("3"));
  write(html("4"));
  write(html("5"));
  // One at a time: what came meanwhile, but for the newest, is never drawn.
  expect(notebook.asked).toHaveLength(2);
  expect(values().map((value) => value.className)).toEqual([
    "kkj-rich-value",
    "kkj-rich-value kkj-rich-next",
  ]);
  notebook.asked[1]?.finish();
  await settled();
  pane.flush();
  notebook.asked[2]?.finish();
  await settled();
  expect(values().map((value) => value.textContent)).toEqual(["5"]);
  expect(notebook.undone).toEqual(["2", "3"]);
});

test("at its end the same value is not drawn again", async () => {
  put(makeLatest({ label: "f()" }), plain("1"), plain("2"));
  await settled();
  pane.flush();
  await settled();
  const [value] = values();
  pane.replace(plain("2"));
  pane.flush();
  await settled();
  expect(values()).toEqual([value]);
});

test("HTML without a notebook stands in a frame that runs nothing and fetches nothing", () => {
  const frame = ownForm({ data: { "text/html": "<b>x</b>" }, metadata: {} }, "f()");
  expect(frame.getAttribute("sandbox")).toBe("allow-same-origin");
  expect((frame as HTMLIFrameElement).srcdoc).toContain("default-src 'none'");
});

test.each([
  [{ "image/svg+xml": "<svg onload='x'/>" }, "data:image/svg+xml,%3Csvg%20onload%3D'x'%2F%3E"],
  [{ "image/jpeg": "AAAA\n" }, "data:image/jpeg;base64,AAAA"],
])("a picture is shown from data", (data, source) => {
  const image = ownForm({ data, metadata: {} }, "f()") as HTMLImageElement;
  expect(image.src).toBe(source);
});

test.each([
  [{ "image/png": "https://example.com/x.png", "text/plain": "a picture" }, "a picture"],
  [{ "text/markdown": "**x**", "text/plain": "y" }, "**x**"],
  [{ "application/json": { a: 1 }, "text/plain": "y" }, '{\n  "a": 1\n}'],
  [{}, ""],
])("all else is shown as text", (data, text) => {
  expect(ownForm({ data, metadata: {} }, "f()").textContent).toBe(text);
});
