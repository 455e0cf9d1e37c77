// Cancel the streams of a notebook, also those that no view on this page shows.

import type { KernelConnection } from "../kernel/connection";
import { askOnControl, type Reply } from "../kernel/control-channel";
import { patienceMs } from "../kernel/round-trips";
import type { NotebookPanel } from "./jupyterlab";

export type Outcome =
  /** So many streams were told to end. */
  | { via: "control"; cancelled: number }
  /** Nobody answered; the cell that runs shows a live view, and was interrupted. */
  | { via: "interrupt" }
  /** Nobody answered and what runs may be anything, or the kernel refused: it was left alone. */
  | { via: "none" };

/** Cancel all of them. */
export async function cancelAll(panel: NotebookPanel): Promise<Outcome> {
  const kernel = panel.sessionContext.session?.kernel;
  if (!kernel) return { via: "control", cancelled: 0 };
  const answer = await ask(kernel, { all: true });
  if (typeof answer === "object") {
    return { via: "control", cancelled: Array.isArray(answer.runs) ? answer.runs.length : 0 };
  }
  if (answer === "refused" || !runsOwnCell(panel)) return { via: "none" };
  await kernel.interrupt();
  return { via: "interrupt" };
}

/** Cancel one; the outcome as above, but the kernel is not interrupted for one of several. */
export async function cancelOne(panel: NotebookPanel, runId: number): Promise<Outcome> {
  const kernel = panel.sessionContext.session?.kernel;
  if (!kernel) return { via: "control", cancelled: 0 };
  const answer = await ask(kernel, { run_id: runId });
  if (typeof answer !== "object") return { via: "none" };
  return { via: "control", cancelled: Array.isArray(answer.runs) ? answer.runs.length : 0 };
}

function ask(kernel: KernelConnection, content: object): Promise<Reply | "none" | "refused"> {
  return new Promise((resolve) => {
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
