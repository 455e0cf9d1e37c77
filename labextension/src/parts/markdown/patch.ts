// Makes a drawn node into a newer one by changing no more than differs, so that what is marked in it
// stays marked.

import { askedSource } from "./formulas";

/** The node that stands in the place of `old` afterwards. */
export function patch(old: Node, fresh: Node): Node {
  const source = askedSource(old);
  // A formula that was set is what it was.
  if (source !== undefined && source === fresh.textContent) return old;
  if (source !== undefined || old.nodeName !== fresh.nodeName) {
    old.parentNode?.replaceChild(fresh, old);
    return fresh;
  }
  if (old.nodeType === Node.TEXT_NODE) patchText(old as Text, fresh as Text);
  // A button has no newer form; it may be saying "Copied" just now.
  else if (old.nodeName !== "BUTTON") patchElement(old as Element, fresh as Element);
  return old;
}

function patchText(old: Text, fresh: Text): void {
  if (old.data === fresh.data) return;
  if (fresh.data.startsWith(old.data)) old.appendData(fresh.data.slice(old.data.length));
  else old.data = fresh.data;
}

function patchElement(old: Element, fresh: Element): void {
  for (const { name } of [...old.attributes]) {
    // A data attribute is what the reader has chosen: nothing that is drawn has one.
    if (!fresh.hasAttribute(name) && !name.startsWith("data-")) old.removeAttribute(name);
  }
  for (const { name, value } of [...fresh.attributes]) {
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  let [mine, next] = [old.firstChild, fresh.firstChild];
  while (mine && next) {
    const after: ChildNode | null = mine.nextSibling;
    const following: ChildNode | null = next.nextSibling;
    patch(mine, next);
    [mine, next] = [after, following];
  }
  while (mine) {
    const after: ChildNode | null = mine.nextSibling;
    mine.remove();
    mine = after;
  }
  while (next) {
    const following: ChildNode | null = next.nextSibling;
    old.append(next);
    next = following;
  }
}
