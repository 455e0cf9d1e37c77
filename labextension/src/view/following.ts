// What a page does for a run, or several side by side, beside drawing: it listens to the kernel, and
// looks after the notebook file.

import { readerOf } from "../panes/part-loader";
import { columnsBundle, runBundle, type WrittenBefore } from "../run/saved-form";
import { rewritten } from "../text/carriage-returns";
import { monitorRun } from "./heartbeat-monitor";
import type { Link } from "./link";
import { loadPart } from "./part-requests";
import { persistOutput } from "./persistence";
import type { Column, ShownRun } from "./shown-run";

/** Find out that a run is over, in whichever way that can be known. Returns how to stop. */
export function followRun(shown: ShownRun): () => void {
  const stops = [shown.notebook.onKernelLost((why) => shown.run.lose(why)), monitorRun(shown)];
  return () => {
    for (const stop of stops) stop();
  };
}

/**
 * Look after what the notebook file has of a run. Returns how to stop.
 *
 * @param earlier the answers before it, which the file has, too
 */
export function keepRun(shown: ShownRun, link: Link, earlier?: WrittenBefore): () => void {
  const { run, notebook } = shown;
  const reader = readerFor(shown);
  return persistOutput(link, notebook, [run], () =>
    runBundle({ key: link.key, run, read: reader() }, earlier),
  );
}

/** Look after what the notebook file has of a comparison. Returns how to stop. */
export function keepColumns(columns: readonly Column[], link: Link): () => void {
  const [first] = columns;
  if (!first) return () => {};
  const runs = columns.map(({ run }) => run);
  const readers = columns.map(readerFor);
  return persistOutput(link, first.notebook, runs, () => {
    const written = columns.map(({ name, run, link: own }, index) => {
      return { name, key: own?.key ?? "", run, read: readers[index]?.() ?? rewritten };
    });
    return columnsBundle(link.key, written);
  });
}

/**
 * What makes of the run's source that which a reader can use. It is asked for when a file is written,
 * which does not wait: the source itself until the part is there.
 */
function readerFor({ run, link }: ShownRun): () => (source: string) => string {
  let part: string | null = null;
  let read = rewritten;
  const load = () => {
    if (run.part === part) return;
    part = run.part;
    read = part ? (source) => source : rewritten;
    void readerOf(part, (wanted) => loadPart(wanted, link)).then((made) => {
      read = made;
    });
  };
  load();
  run.listen({ appended: () => {}, replaced: load, changed: () => {} });
  return () => read;
}
