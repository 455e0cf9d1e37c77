// A block of code: its language, and buttons that copy it, wrap its lines, put it into the notebook.
// One that is long is drawn in pieces (content.ts); the first has the bar with the buttons, and they
// are for all of it.

import { copyText } from "../../ui/clipboard";
import { make } from "../../ui/element";
import { suppressShortcuts } from "../../ui/shortcuts";

/** The class of a piece that goes on in the next. */
export const GOES_ON = "kkj-goes-on";

const SAID_MS = 1_500;
/** What can be run in a cell; what is of no language often can. */
const RUNNABLE = /^(?:|python3?|py3?|ipython3?)$/i;

const COPY = "Copy this code";
const WRAP = "Wrap long lines";
const INSERT = "Insert as a cell below";

/** A button, made once and cloned for each block: the open one is drawn with each frame. */
const templates = new Map<string, HTMLElement>();

/**
 * Put `pre` into a box with a bar.
 *
 * @param language as the source names it; perhaps empty
 * @param canInsert whether this page can put code into the notebook
 */
export function boxCode(pre: HTMLElement, language: string, canInsert: boolean): void {
  const box = make("div", "kkj-code");
  pre.replaceWith(box);
  const bar = make("div", "kkj-code-bar");
  bar.append(make("span", "kkj-code-language", language || "code"), button(WRAP, "wrap"));
  if (canInsert && RUNNABLE.test(language)) bar.append(button(INSERT, "insert"));
  bar.append(button(COPY, "copy"));
  box.append(bar, pre);
}

/** Have `next`, a drawing of what goes on from the piece `before`, look like the same block. */
export function continueBlock(before: HTMLElement, next: HTMLElement): void {
  next.classList.add("kkj-continued");
  if (before.dataset.wraps) next.dataset.wraps = before.dataset.wraps;
}

/** Do what the button that was clicked is for; `insertCell` puts code below the cell of this view. */
export function clickedInCode(event: Event, insertCell?: (source: string) => void): void {
  const clicked = (event.target as Element).closest<HTMLElement>(".kkj-code-button");
  const box = clicked?.closest<HTMLElement>(".kkj-code");
  if (!clicked || !box) return;
  const pieces = piecesOf(box);
  const code = () => pieces.map((piece) => piece.querySelector("code")?.textContent ?? "").join("");
  if (clicked.dataset.does === "copy") void copy(clicked, code());
  else if (clicked.dataset.does === "insert") insertCell?.(code().replace(/\n+$/, ""));
  else wrap(clicked, pieces);
}

function piecesOf(first: HTMLElement): HTMLElement[] {
  const all = [...(first.closest(".kkj-answer")?.querySelectorAll<HTMLElement>(".kkj-code") ?? [])];
  const from = all.indexOf(first);
  const last = all.findIndex((box, at) => at >= from && !box.classList.contains(GOES_ON));
  return all.slice(from, last < 0 ? all.length : last + 1);
}

/** What a reader has chosen is in data attributes: no drawing has any, and `patch` leaves them. */
function wrap(clicked: HTMLElement, pieces: HTMLElement[]): void {
  const wraps = clicked.getAttribute("aria-pressed") !== "true";
  clicked.setAttribute("aria-pressed", String(wraps));
  for (const piece of pieces) piece.dataset.wraps = String(wraps);
}

async function copy(clicked: HTMLElement, code: string): Promise<void> {
  const copied = await copyText(code);
  say(clicked, copied ? "Copied" : "The browser refused", copied ? "check" : "refused");
  setTimeout(() => say(clicked, COPY, "copy"), SAID_MS);
}

/** @param icon one of style.css and markdown.css */
function say(clicked: HTMLElement, name: string, icon: string): void {
  clicked.setAttribute("aria-label", name);
  clicked.title = name;
  clicked.dataset.icon = icon;
}

function button(name: string, does: "copy" | "insert" | "wrap"): HTMLElement {
  let template = templates.get(does);
  if (!template) {
    template = make("button", "kkj-code-button");
    template.setAttribute("type", "button");
    template.dataset.does = does;
    if (does === "wrap") template.setAttribute("aria-pressed", "false");
    suppressShortcuts(template);
    say(template, name, does);
    templates.set(does, template);
  }
  return template.cloneNode(true) as HTMLElement;
}
