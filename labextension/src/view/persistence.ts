// What a page does for the notebook file: text for it while a run goes on, the static output when
// the kernel could not put it into place.

import type { Bundle } from "../kernel/messages";
import type { Run } from "../run/run";
import type { Link } from "./link";
import type { NotebookContext } from "./notebook-context";

/** How long the kernel has to put the static output into place before the page looks after it. */
const STATIC_OUTPUT_WITHIN_MS = 1_000;
/** One page after the other, where several have the notebook open: what two write is there twice. */
const NEXT_PAGE_AFTER_MS = 3_000;

/**
 * Look after the output that shows `runs`, until they are all over.
 *
 * @param bundle makes the output's forms: while the runs go on, and when no kernel is left to do so
 * @returns how to stop
 */
export function persistOutput(
  link: Link,
  notebook: NotebookContext,
  runs: readonly Run[],
  bundle: () => Bundle,
): () => void {
  const areOver = () => runs.every((run) => run.over);
  const isLost = () => runs.some((run) => run.status.state === "lost");
  let timer = 0;
  let hasAsked = false;
  let isKernelLost = false;
  const look = () => {
    if (timer || !areOver()) return;
    // Where the page was reloaded in mid-stream, the kernel's update of the display found nothing.
    const waitMs = STATIC_OUTPUT_WITHIN_MS + notebook.turn * NEXT_PAGE_AFTER_MS;
    timer = window.setTimeout(write, waitMs);
  };
  const write = () => {
    if (!notebook.isLiveInNotebook()) return;
    hasAsked = !isLost() && !isKernelLost;
    if (hasAsked) link.send({ kind: "bundle" });
    else put(bundle());
  };
  const put = (made: Bundle) => stops.push(notebook.persist(made));
  const listener = { appended: () => {}, replaced: () => {}, changed: look };
  const stops = runs.map((run) => run.listen(listener));
  stops.push(
    // Another page's answer is told to all if it was asked for too early.
    link.hear((message) => {
      if (!hasAsked) return;
      if (message.kind === "bundle") put(message.bundle);
      // A kernel that was restarted had time to tell the end, and none to draw it.
      else if (message.kind === "unknown" && areOver()) put(bundle());
    }),
    notebook.onKernelLost(() => {
      isKernelLost = true;
    }),
  );
  let isStatic = false;
  const stopSaving = notebook.onSave(
    () => {
      if (!areOver()) notebook.checkpoint(bundle);
      isStatic = areOver() && notebook.hasNotebook() && !notebook.isLiveInNotebook();
    },
    () => {
      if (!isStatic) return;
      // The file has the static output: the kernel need not keep it for a page to come.
      stopSaving();
      if (!isLost()) link.send({ kind: "saved" });
    },
  );
  look();
  return () => {
    clearTimeout(timer);
    for (const stop of stops) stop();
    stopSaving();
  };
}
