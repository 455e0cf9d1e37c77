// What a page asks the kernel about a run, on the control channel and by the widget's own message:
// what became of it, and to cancel it. The kernel takes the same question twice without harm; Run.receive takes the answers.

import { askOnControl } from "../kernel/control-channel";
import type { FromKernel, Model, Report } from "../kernel/messages";
import type { Run } from "../run/run";
import type { NotebookContext } from "./notebook-context";

/**
 * @param refused is called if the control channel answers, but does not do it
 */
export function askKernel(
  kind: "state" | "cancel",
  run: Run,
  model: Model,
  notebook: NotebookContext,
  refused?: () => void,
): void {
  const answer = kind === "cancel" ? "ack" : "state";
  if (model.get("control_road")) {
    askOnControl(
      notebook.kernel,
      `kkjupyter_${kind}`,
      { run_id: model.get("run_id"), key: model.get("key") },
      (content) => run.receive({ ...(content as object as Report), kind: answer }),
      refused,
    );
  }
  sendToKernel(model, { kind });
}

/** Send the widget's own message, if the kernel lives: its comm is closed with it. */
export function sendToKernel(model: Model, content: Parameters<Model["send"]>[0]): void {
  try {
    model.send(content);
  } catch (error) {
    console.warn("kkjupyter: the widget cannot send", error);
  }
}

/** Call back with what the kernel sends to `model`. Returns how to stop. */
export function onMessage(model: Model, heard: (message: FromKernel) => void): () => void {
  model.on("msg:custom", heard);
  return () => model.off("msg:custom", heard);
}
