// The Cancel button takes every road that is open. The kernel side is idempotent.

import { CANCEL_MESSAGE } from "./control";
import type { Host } from "./host";
import type { Run } from "./run";
import type { Model } from "./types";

const ACKNOWLEDGED_WITHIN_MS = 500;
const INTERRUPTED_WITHIN_MS = 1_500;

export function cancel(run: Run, model: Model, host: Host): void {
  run.cancelReached("asked");
  if (model.get("control_road")) {
    const content = { run_id: model.get("run_id") };
    host.askOnControl(CANCEL_MESSAGE, content, () => run.cancelReached("acknowledged"));
  }
  model.send({ kind: "cancel" });
  setTimeout(() => {
    if (!unanswered(run)) return;
    if (!host.interruptOwnCell()) {
      run.cancelReached("busy");
      return;
    }
    run.cancelReached("interrupted");
    setTimeout(() => {
      if (unanswered(run)) run.cancelReached("busy");
    }, INTERRUPTED_WITHIN_MS);
  }, ACKNOWLEDGED_WITHIN_MS);
}

function unanswered(run: Run): boolean {
  return !run.over && run.cancelStep !== "acknowledged";
}
