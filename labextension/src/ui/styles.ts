import { pageGlobal } from "./page-globals";

/** The shadow roots in which views are drawn, for every copy of this module in the page. */
const SHADOW_ROOTS = "kkjupyterShadowRoots";

/**
 * Jupyter's colours, for a shadow root of a page that has none of them: made of the text colour around
 * it, so that they suit light and dark pages alike.
 */
const COLOURS = `:host {
  --jp-ui-font-color2: color-mix(in srgb, currentcolor 70%, transparent);
  --jp-ui-font-color3: color-mix(in srgb, currentcolor 55%, transparent);
  --jp-border-color1: color-mix(in srgb, currentcolor 40%, transparent);
  --jp-border-color2: color-mix(in srgb, currentcolor 25%, transparent);
  --jp-border-color3: color-mix(in srgb, currentcolor 15%, transparent);
  --jp-brand-color1: color-mix(in srgb, #1e88e5 80%, currentcolor);
  --jp-success-color1: color-mix(in srgb, #43a047 80%, currentcolor);
  --jp-error-color1: color-mix(in srgb, #e53935 85%, currentcolor);
  --jp-warn-color1: color-mix(in srgb, #ef6c00 85%, currentcolor);
}`;

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
  if (!getComputedStyle(root.host).getPropertyValue("--jp-ui-font-color1")) {
    put(root, "colours", COLOURS);
  }
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
