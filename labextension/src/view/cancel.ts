// What the Cancel button does: it asks the kernel in every way that is open, and interrupts its own
// cell if nobody answers. The kernel's side is idempotent.

import { patienceMs } from "../kernel/round-trips";
import type { Run } from "../run/run";
import type { ShownRun } from "./shown-run";

const INTERRUPTED_WITHIN_MS = 2_000;
/** So long a kernel whose cell is over, and so is free to answer, may take to do so. */
const FREE_WITHIN_MS = 1_000;

export function cancel({ run, link, notebook }: ShownRun): void {
  let isRefused = false;
  run.cancelReached("asked");
  link?.send({ kind: "cancel", run_id: run.status.run_id }, () => {
    isRefused = true;
  });
  setTimeout(
    () => {
      if (!isUnanswered(run)) return;
      // Who answers on the control channel is not helped by an interrupt.
      if (isRefused || !notebook.interruptOwnCell()) {
        run.cancelReached("busy");
        return;
      }
      run.cancelReached("interrupted");
      setTimeout(() => {
        if (isUnanswered(run)) run.cancelReached("busy");
      }, INTERRUPTED_WITHIN_MS);
    },
    notebook.canOnlyInterrupt ? FREE_WITHIN_MS : patienceMs(notebook.kernel),
  );
}

function isUnanswered(run: Run): boolean {
  return !run.over && run.cancelStep !== "acknowledged";
}
