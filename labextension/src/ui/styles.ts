import { pageGlobal } from "./page-globals";

/** The shadow roots in which views are drawn, for every copy of this module in the page. */
const SHADOW_ROOTS = "kkjupyterShadowRoots";

/** Put a style sheet into the page, once, and into each shadow root with a view. */
export function addStyle(page: Document, name: string, css: string): void {
  for (const place of [page.head, ...shadowRoots()]) put(place, name, css);
}

/**
 * Let the page's sheets, and those to come, reach `el`: marimo draws a widget in a shadow root,
 * where the style sheets of the page have no effect.
 */
export function styleShadowRoot(el: Element): void {
  const root = el.getRootNode();
  if (!(root instanceof ShadowRoot)) return;
  if (!shadowRoots().includes(root)) kept().add(new WeakRef(root));
  for (const sheet of el.ownerDocument.head.querySelectorAll<HTMLStyleElement>(
    "style[data-kkjupyter]",
  )) {
    put(root, sheet.dataset.kkjupyter ?? "", sheet.textContent ?? "");
  }
}

function put(place: HTMLElement | ShadowRoot, name: string, css: string): void {
  const known = place.querySelectorAll(`style[data-kkjupyter="${name}"]`);
  // The lab extension and the kernel may be of different versions: each has its own sheet.
  if ([...known].some((style) => style.textContent === css)) return;
  const style = place.ownerDocument.createElement("style");
  style.dataset.kkjupyter = name;
  style.textContent = css;
  place.append(style);
}

function shadowRoots(): ShadowRoot[] {
  const found: ShadowRoot[] = [];
  for (const known of kept()) {
    const root = known.deref();
    if (root) found.push(root);
    else kept().delete(known);
  }
  return found;
}

function kept(): Set<WeakRef<ShadowRoot>> {
  return pageGlobal(SHADOW_ROOTS, Set<WeakRef<ShadowRoot>>);
}
