// What a page asks the kernel about a run, on every road that is open: what became of it, and to
// cancel it. The kernel takes the same question twice without harm; Run.receive takes the answers.

import type { FromKernel, Model, Report } from "../kernel/messages";
import type { Run } from "../run/run";
import type { Host } from "./notebook-context";

/**
 * @param refused is called if the control channel answers, but does not do it
 */
export function ask(
  kind: "state" | "cancel",
  run: Run,
  model: Model,
  host: Host,
  refused?: () => void,
): void {
  const answer = kind === "cancel" ? "ack" : "state";
  if (model.get("control_road")) {
    host.askOnControl(
      `kkjupyter_${kind}`,
      { run_id: model.get("run_id"), key: model.get("key") },
      (content) => run.receive({ ...(content as Report), kind: answer }),
      refused,
    );
  }
  tell(model, { kind });
}

/** Send on the widget's own road, if that is open: it is closed with the kernel. */
export function tell(model: Model, content: Parameters<Model["send"]>[0]): void {
  try {
    model.send(content);
  } catch (error) {
    console.warn("kkjupyter: the widget cannot send", error);
  }
}

/** Call back with what the kernel sends to `model`. Returns how to stop. */
export function hear(model: Model, heard: (message: FromKernel) => void): () => void {
  model.on("msg:custom", heard);
  return () => model.off("msg:custom", heard);
}
