// The one kind of button there is, and what it does when it says "Copy".

import { copyText } from "./clipboard";
import { make, setText } from "./element";

const COPIED_MS = 1_500;

export type GetText = () => Promise<string>;

export function makeButton(label: string, name: string): HTMLButtonElement {
  const button = make("button", "kkj-button");
  button.type = "button";
  suppressShortcuts(button);
  labelButton(button, label, name);
  return button;
}

/**
 * Keep the notebook's own keys from acting on the cell while `element` has the focus: "d d" on the
 * button would delete it. JupyterLab matches its shortcuts against the focused element first, so
 * that one must say so itself.
 */
export function suppressShortcuts(element: HTMLElement): void {
  element.dataset.lmSuppressShortcuts = "true";
}

/** `name` is what a screen reader says. */
export function labelButton(button: HTMLButtonElement, label: string, name: string): void {
  setText(button, label);
  button.setAttribute("aria-label", name);
}

export function copyName(title: string): string {
  return `Copy the text of ${title}`;
}

/** Copy, and let the button say for a moment how that went. */
export async function copyAndSay(button: HTMLButtonElement, getText: GetText): Promise<void> {
  button.textContent = (await copyText(await getText())) ? "Copied" : "No access";
  setTimeout(() => {
    button.textContent = "Copy";
  }, COPIED_MS);
}
