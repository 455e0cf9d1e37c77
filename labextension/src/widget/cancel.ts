// The Cancel button takes every road that is open. The kernel side is idempotent.

import type { Model } from "../kernel/messages";
import type { Run } from "../run/run";
import { ask } from "./kernel-requests";
import type { Host } from "./notebook-context";

const INTERRUPTED_WITHIN_MS = 2_000;

export function cancel(run: Run, model: Model, host: Host): void {
  let isRefused = false;
  run.cancelReached("asked");
  ask("cancel", run, model, host, () => {
    isRefused = true;
  });
  setTimeout(() => {
    if (!isUnanswered(run)) return;
    // Who answers on the control channel is not helped by an interrupt.
    if (isRefused || !host.interruptOwnCell()) {
      run.cancelReached("busy");
      return;
    }
    run.cancelReached("interrupted");
    setTimeout(() => {
      if (isUnanswered(run)) run.cancelReached("busy");
    }, INTERRUPTED_WITHIN_MS);
  }, host.patienceMs());
}

function isUnanswered(run: Run): boolean {
  return !run.over && run.cancelStep !== "acknowledged";
}
