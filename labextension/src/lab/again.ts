// Regenerate: the kernel asks for the same once more, and what it shows of that takes the place of the
// output. The Python side is kkjupyter/notebook/output/answers.py and show/again.py.

import type { FromKernel } from "../kernel/messages";
import type { RunDrawing } from "../view/live-view";
import { NotebookContext } from "../view/notebook-context";
import { ControlLink } from "./control-link";
import type { OutputPanel } from "./jupyterlab";
import { surroundingsOf } from "./live-output";
import { liveOutputs } from "./live-outputs";

/**
 * Let an output that is over be asked for once more, as long as its kernel can.
 *
 * @param panel shows it
 * @param drawing gets the button
 * @param isKnown whether the kernel has just said that it can; otherwise it is asked
 * @returns how to stop
 */
export function offerAgain(
  panel: OutputPanel,
  key: string,
  drawing: RunDrawing,
  isKnown: boolean,
): () => void {
  const { sessionContext } = panel;
  const notebook = new NotebookContext(surroundingsOf(panel), key);
  const link = new ControlLink(key, () => sessionContext.session?.kernel);
  const ask = () => link.send({ kind: "again" });
  const hear = (message: FromKernel) => {
    // Where the page has asked for the cell, the kernel's own update has done it already.
    if (message.kind === "again" && message.bundle) notebook.replace(message.bundle);
    else if (message.kind === "askable") drawing.offerAgain(message.again ? ask : null);
    else if (message.kind === "unknown") drawing.offerAgain(null);
  };
  const stops = [link.hear(hear), liveOutputs.hearOf(key, hear)];
  let isStopped = false;
  if (isKnown) drawing.offerAgain(ask);
  void sessionContext.ready.then(() => {
    if (isStopped) return;
    stops.push(notebook.onKernelLost(() => drawing.offerAgain(null)));
    if (!isKnown) link.send({ kind: "askable" });
  });
  return () => {
    isStopped = true;
    for (const stop of stops) stop();
  };
}
