// The Cancel button takes every road that is open. The kernel side is idempotent.

import { ask } from "./asking";
import type { Host } from "./host";
import type { Run } from "./run";
import type { Model } from "./types";

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
