// Values as a page shows them that has no renderers of its own: pictures from data, HTML in a frame
// without scripts, all else as text.

import type { MimeForms } from "../../panes/pane";
import { make } from "../../ui/element";

const RASTER = ["image/png", "image/jpeg", "image/gif", "image/webp"];
const BASE64 = /^[A-Za-z0-9+/=\s]+$/;
const MOST_FRAME_PX = 600;
/** Nothing is run in it, and nothing is fetched. */
const POLICY = "default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'";

/** @param label what a screen reader calls it */
export function ownForm({ data, metadata }: MimeForms, label: string): HTMLElement {
  const html = data["text/html"];
  if (typeof html === "string") return frameOf(html, label);
  const svg = data["image/svg+xml"];
  const text = typeof data["text/plain"] === "string" ? data["text/plain"] : "";
  // As a picture, the scripts and addresses in it are dead.
  if (typeof svg === "string") {
    return imageOf(
      `data:image/svg+xml,${encodeURIComponent(svg)}`,
      text,
      metadata["image/svg+xml"],
    );
  }
  for (const mime of RASTER) {
    const form = data[mime];
    if (typeof form === "string" && BASE64.test(form)) {
      return imageOf(`data:${mime};base64,${form.replace(/\s/g, "")}`, text, metadata[mime]);
    }
  }
  for (const mime of ["text/markdown", "text/latex"]) {
    const source = data[mime];
    if (typeof source === "string") return make("div", "kkj-rich-source", source);
  }
  const json = data["application/json"];
  return make("div", "kkj-rich-text", json === undefined ? text : JSON.stringify(json, null, 2));
}

/** Resolves when the pictures below `element` can be painted. */
export async function picturesReady(element: HTMLElement): Promise<void> {
  // A picture that cannot be read is shown as its text: that is all there is to wait for.
  await Promise.allSettled([...element.querySelectorAll("img")].map((image) => image.decode()));
}

function imageOf(source: string, text: string, known: unknown): HTMLElement {
  const image = make("img", "");
  image.alt = text;
  image.src = source;
  const { width, height } = (known ?? {}) as { width?: unknown; height?: unknown };
  if (typeof width === "number") image.width = width;
  if (typeof height === "number") image.height = height;
  return image;
}

function frameOf(html: string, label: string): HTMLElement {
  const frame = make("iframe", "kkj-rich-frame");
  // Without scripts, "same origin" lets this page ask for the height, and nothing in there do anything.
  frame.setAttribute("sandbox", "allow-same-origin");
  frame.title = label;
  frame.srcdoc = `<!doctype html><meta http-equiv="Content-Security-Policy" content="${POLICY}">${html}`;
  frame.addEventListener("load", () => {
    const inner = frame.contentDocument;
    if (!inner?.body) return;
    const { color, font } = getComputedStyle(frame);
    Object.assign(inner.body.style, { margin: "0", color, font, background: "none" });
    const height = Math.min(inner.documentElement.scrollHeight, MOST_FRAME_PX);
    frame.style.height = `${height}px`;
  });
  return frame;
}
