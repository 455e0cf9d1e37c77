// Keys while the focus is in a view: which are the view's, and which the notebook's.

import { focusNotebook } from "./notebook-focus";

/** The browser's own, or a view's: marking, the clipboard, undoing, and ways through a text or table. */
const OWN_KEYS = /^([acvxz]|home|end|page(up|down)|arrow\w+)$/;
const MARKED = "[data-lm-suppress-shortcuts]";
const OURS = `:is(.kkj, .kkj-columns)${MARKED}, :is(.kkj, .kkj-columns) ${MARKED}`;
const PRESSED = "button, summary, select, input, textarea, a[href]";

/**
 * Keep the notebook's plain keys from acting on the cell while `element` has the focus: "d d" on a
 * button would delete it. JupyterLab matches its shortcuts against the focused element first, so
 * that one must say so itself. What is pressed with Ctrl, Cmd or Alt goes to the notebook all the
 * same, and Escape gives the focus, and so all keys, back to it.
 */
export function suppressShortcuts(element: HTMLElement): void {
  element.dataset.lmSuppressShortcuts = "true";
  listen(window);
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || event.defaultPrevented) return;
    event.preventDefault();
    focusNotebook(element);
  });
}

/** Once for each page: the same function is not added twice. */
function listen(page: Window): void {
  page.addEventListener("keydown", letThrough, true);
}

/** Elements without their mark, for the key that is being handled. */
let unmarked: HTMLElement[] = [];

/** Before JupyterLab sees the key, on the way down to the focused element. */
function letThrough(event: KeyboardEvent): void {
  // In a busy page the next key comes before the time-out.
  mark();
  if (!isForNotebook(event) || !(event.target instanceof Element)) return;
  for (let at = event.target.closest(OURS); at; at = at.parentElement?.closest(OURS) ?? null) {
    if (at instanceof HTMLElement) unmarked.push(at);
  }
  for (const one of unmarked) delete one.dataset.lmSuppressShortcuts;
  setTimeout(mark);
}

function mark(): void {
  for (const one of unmarked) one.dataset.lmSuppressShortcuts = "true";
  unmarked = [];
}

function isForNotebook({
  key,
  target,
  ctrlKey,
  metaKey,
  altKey,
  shiftKey,
}: KeyboardEvent): boolean {
  if (altKey) return true;
  if (ctrlKey || metaKey)
    return (shiftKey && key.length === 1) || !OWN_KEYS.test(key.toLowerCase());
  return shiftKey && key === "Enter" && !(target as Element).closest?.(PRESSED);
}
