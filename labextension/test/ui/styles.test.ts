// Style sheets, in the page and in the shadow roots in which some front ends draw a widget.

import { describe, expect, test } from "vitest";
import { addStyle, styleShadowRoot } from "../../src/ui/styles";

function sheets(place: ParentNode): (string | null)[] {
  return [...place.querySelectorAll("style[data-kkjupyter]")].map((style) => style.textContent);
}

function inShadow(): { root: ShadowRoot; el: HTMLElement } {
  const host = document.createElement("div");
  document.body.append(host);
  const root = host.attachShadow({ mode: "open" });
  const el = document.createElement("div");
  root.append(el);
  return { root, el };
}

describe("style sheets", () => {
  test("each is in the page once, and both of two versions", () => {
    addStyle(document, "a", "one {}");
    addStyle(document, "a", "one {}");
    addStyle(document, "a", "two {}");
    expect(sheets(document.head)).toEqual(["one {}", "two {}"]);
  });

  test("a shadow root has those that are there, and those that come", () => {
    const { root, el } = inShadow();
    styleShadowRoot(el);
    styleShadowRoot(el);
    const [colours, ...others] = sheets(root);
    expect(colours).toContain("--jp-ui-font-color2: color-mix");
    expect(others).toEqual(sheets(document.head));
    addStyle(document, "b", "three {}");
    expect(sheets(root).slice(1)).toEqual(["one {}", "two {}", "three {}"]);
    expect(sheets(document.head)).toEqual(sheets(root).slice(1));
  });

  test("Jupyter's own colours are left as they are", () => {
    const { root, el } = inShadow();
    (root.host as HTMLElement).style.setProperty("--jp-ui-font-color1", "black");
    styleShadowRoot(el);
    expect(sheets(root)).toEqual(sheets(document.head));
  });

  test("an element of the page itself needs nothing", () => {
    const el = document.createElement("div");
    document.body.append(el);
    styleShadowRoot(el);
    expect(sheets(document.body)).toEqual([]);
  });
});
