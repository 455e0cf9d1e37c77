/** Put a style sheet into the page, once. */
export function addStyle(page: Document, name: string, css: string): void {
  const id = `kkjupyter-${name}`;
  if (page.getElementById(id)) return;
  const style = page.createElement("style");
  style.id = id;
  style.textContent = css;
  page.head.append(style);
}
