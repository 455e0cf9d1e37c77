// When a run has ended, the notebook draws its static output where the live view was. That has no
// script and so no button; as long as the page lives, the button is put back.

import type { Run } from "../run/run";
import { copyAndSay, copyName, type GetText, keepCalm, makeButton } from "../ui/button";

const STATIC_OUTPUT_WITHIN_MS = 5_000;

/**
 * @param root the live view, still in the page
 * @returns to be called when it is taken away
 */
export function prepareCopyButton(root: HTMLElement, run: Run, getText: GetText): () => void {
  const area = root.closest(".jp-OutputArea");
  const hadFocus = root.contains(document.activeElement);
  return () => {
    if (!area) return;
    const add = () => addButton(area, run, getText, hadFocus);
    if (add()) return;
    const observer = new MutationObserver(() => {
      if (add()) observer.disconnect();
    });
    observer.observe(area, { childList: true, subtree: true });
    setTimeout(() => observer.disconnect(), STATIC_OUTPUT_WITHIN_MS);
  };
}

function addButton(area: Element, run: Run, getText: GetText, hadFocus: boolean): boolean {
  const { run_id, title } = run.status;
  const line = area.querySelector<HTMLElement>(`[data-kkj-run="${run_id}"] > .kkj-line`);
  if (!line) return false;
  // With the lab extension, the saved output has one of its own.
  let button = line.querySelector<HTMLButtonElement>(".kkj-button");
  if (!button) {
    if (!run.text) return true;
    button = makeCopyButton(title, getText);
    line.append(button);
  }
  // Cancel was here a moment ago.
  keepCalm(button);
  // The focus was on Cancel; left to itself, the next key would be the notebook's.
  if (hadFocus && document.activeElement?.contains(button)) button.focus({ preventScroll: true });
  return true;
}

function makeCopyButton(title: string, getText: GetText): HTMLButtonElement {
  const button = makeButton("Copy", copyName(title), "copy");
  button.addEventListener("click", (event) => {
    event.preventDefault(); // the line may be a handle that folds the text away
    void copyAndSay(button, getText);
  });
  return button;
}
