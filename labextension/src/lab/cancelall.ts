// Cancel all streams of a notebook, also those that no view on this page shows.

import { askOnControl, CANCEL_MESSAGE, type Reply } from "../control";
import type { Kernel, NotebookPanel } from "./jupyter";

const ANSWERED_WITHIN_MS = 500;

export type Outcome =
  /** So many streams were told to end. */
  | { road: "control"; cancelled: number }
  /** Nobody answered; the cell that runs shows a live view, and was interrupted. */
  | { road: "interrupt" }
  /** Nobody answered, and what runs may be anything: it was left alone. */
  | { road: "none" };

export async function cancelAll(panel: NotebookPanel): Promise<Outcome> {
  const kernel = panel.sessionContext.session?.kernel;
  if (!kernel) return { road: "control", cancelled: 0 };
  const answer = await ask(kernel);
  if (answer) {
    return { road: "control", cancelled: Array.isArray(answer.runs) ? answer.runs.length : 0 };
  }
  if (!runsOwnCell(panel)) return { road: "none" };
  await kernel.interrupt();
  return { road: "interrupt" };
}

function ask(kernel: Kernel): Promise<Reply | null> {
  return new Promise((resolve) => {
    setTimeout(() => resolve(null), ANSWERED_WITHIN_MS);
    askOnControl(kernel, CANCEL_MESSAGE, { all: true }, resolve);
  });
}

/** Whether the cell that the kernel is at shows one of our live views. */
function runsOwnCell(panel: NotebookPanel): boolean {
  return panel.content.widgets.some(({ node }) => {
    const prompt = node.querySelector(".jp-InputPrompt")?.textContent ?? "";
    return prompt.includes("*") && node.querySelector(".kkj:not(.kkj-static)") !== null;
  });
}
