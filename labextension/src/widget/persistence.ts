// What a page does for the notebook file: text for it while a run goes on, the static output when
// the kernel could not put it into place.

import type { Bundle, Model } from "../kernel/messages";
import type { Run } from "../run/run";
import { onMessage, sendToKernel } from "./kernel-requests";
import type { NotebookContext } from "./notebook-context";

/** How long the kernel has to put the static output into place before the page looks after it. */
const STATIC_OUTPUT_WITHIN_MS = 1_000;

export interface OutputForms {
  /** The static output, for when there is no kernel left to make it. */
  bundle(): Promise<Bundle>;
  /** What the file gets if it is saved before the end. */
  checkpoint(): string;
}

/** Look after the output that shows `runs`, until they are all over. Returns how to stop. */
export function persistOutput(
  model: Model,
  notebook: NotebookContext,
  runs: readonly Run[],
  forms: OutputForms,
): () => void {
  const areOver = () => runs.every((run) => run.over);
  const isLost = () => runs.some((run) => run.status.state === "lost");
  let seen = false;
  const look = () => {
    if (seen || !areOver()) return;
    seen = true;
    // Where the page was reloaded in mid-stream, the kernel's update of the display found nothing.
    setTimeout(() => {
      if (!notebook.isInNotebook()) return;
      if (isLost()) {
        void forms.bundle().then((bundle) => notebook.persist(bundle));
      } else sendToKernel(model, { kind: "bundle" });
    }, STATIC_OUTPUT_WITHIN_MS);
  };
  const listener = { appended: () => {}, replaced: () => {}, changed: look };
  const stops = runs.map((run) => run.listen(listener));
  stops.push(
    onMessage(model, (message) => {
      if (message.kind === "bundle") notebook.persist(message.bundle);
    }),
  );
  let isStatic = false;
  const stopSaving = notebook.onSave(
    () => {
      if (!areOver()) notebook.checkpoint(forms.checkpoint);
      isStatic = areOver() && notebook.hasNotebook() && !notebook.isInNotebook();
    },
    () => {
      if (!isStatic) return;
      // The file has the static output: the kernel need not keep it for a page to come.
      stopSaving();
      if (!isLost()) model.send({ kind: "saved" });
    },
  );
  look();
  return () => {
    for (const stop of stops) stop();
    stopSaving();
  };
}
