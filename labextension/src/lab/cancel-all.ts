// Cancel all streams of a notebook, also those that no view on this page shows.

import { askOnControl, type Reply } from "../kernel/control-channel";
import { patienceMs } from "../kernel/round-trips";
import type { Kernel, NotebookPanel } from "./jupyterlab";

export type Outcome =
  /** So many streams were told to end. */
  | { road: "control"; cancelled: number }
  /** Nobody answered; the cell that runs shows a live view, and was interrupted. */
  | { road: "interrupt" }
  /** Nobody answered and what runs may be anything, or the kernel refused: it was left alone. */
  | { road: "none" };

export async function cancelAll(panel: NotebookPanel): Promise<Outcome> {
  const kernel = panel.sessionContext.session?.kernel;
  if (!kernel) return { road: "control", cancelled: 0 };
  const answer = await ask(kernel);
  if (typeof answer === "object") {
    return { road: "control", cancelled: Array.isArray(answer.runs) ? answer.runs.length : 0 };
  }
  if (answer === "refused" || !runsOwnCell(panel)) return { road: "none" };
  await kernel.interrupt();
  return { road: "interrupt" };
}

function ask(kernel: Kernel): Promise<Reply | "none" | "refused"> {
  return new Promise((resolve) => {
    const content = { all: true };
    const refused = () => resolve("refused");
    if (!askOnControl(kernel, "kkjupyter_cancel", content, resolve, refused)) resolve("none");
    else setTimeout(() => resolve("none"), patienceMs(kernel));
  });
}

/** Whether the cell that the kernel is at shows one of our live views. */
function runsOwnCell(panel: NotebookPanel): boolean {
  return panel.content.widgets.some(({ node }) => {
    const prompt = node.querySelector(".jp-InputPrompt")?.textContent ?? "";
    return prompt.includes("*") && node.querySelector(".kkj:not(.kkj-static)") !== null;
  });
}
