// The one kind of button there is, and what it does when it says "Copy".

import { copyText } from "./clipboard";
import { make, setText } from "./element";
import { suppressShortcuts } from "./shortcuts";

const COPIED_MS = 1_500;
const CALM_MS = 1_000;

export type GetText = () => Promise<string>;

/** What may stand before the word; style.css draws it. */
export type Icon = "again" | "check" | "copy" | "down" | "less" | "more" | "stop";

export function makeButton(label: string, name: string, icon?: Icon): HTMLButtonElement {
  const button = make("button", "kkj-button");
  button.type = "button";
  suppressShortcuts(button);
  labelButton(button, label, name, icon);
  // A key that is held down presses once.
  button.addEventListener("keydown", (event) => {
    if (event.repeat && event.key === "Enter") event.preventDefault();
  });
  return button;
}

/** `name` is what a screen reader says. */
export function labelButton(
  button: HTMLButtonElement,
  label: string,
  name: string,
  icon?: Icon,
): void {
  setText(button, label);
  button.setAttribute("aria-label", name);
  if (icon) button.dataset.icon = icon;
}

/** Take no click for a moment: it is meant for the button that was here before. */
export function keepCalm(button: HTMLButtonElement): void {
  const ignore = (event: Event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  button.addEventListener("click", ignore, true);
  // Not `disabled`: that would throw the focus back to the page.
  button.ariaDisabled = "true";
  setTimeout(() => {
    button.removeEventListener("click", ignore, true);
    button.ariaDisabled = "false";
  }, CALM_MS);
}

export function copyName(title: string): string {
  return `Copy the text of ${title}`;
}

/** Copy, and let the button say for a moment how that went. */
export async function copyAndSay(button: HTMLButtonElement, getText: GetText): Promise<void> {
  const isCopied = await copyText(await getText());
  const hasIcon = button.dataset.icon !== undefined;
  button.textContent = isCopied ? "Copied" : "No access";
  if (hasIcon && isCopied) button.dataset.icon = "check";
  setTimeout(() => {
    button.textContent = "Copy";
    if (hasIcon) button.dataset.icon = "copy";
  }, COPIED_MS);
}
