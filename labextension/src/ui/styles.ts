/** Put a style sheet into the page, once. */
export function addStyle(page: Document, name: string, css: string): void {
  const known = page.querySelectorAll(`style[data-kkjupyter="${name}"]`);
  // The lab extension and the kernel may be of different versions: each has its own sheet.
  if ([...known].some((style) => style.textContent === css)) return;
  const style = page.createElement("style");
  style.dataset.kkjupyter = name;
  style.textContent = css;
  page.head.append(style);
}
