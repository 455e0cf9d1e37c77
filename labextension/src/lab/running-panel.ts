// The section "Streams" of JupyterLab's Running panel: what runs in the kernels of this page's
// notebooks, with a Cancel for each, one for all, and the way to the cell.

import type { Signal } from "@lumino/signaling";
import { nowMs } from "../ui/clock";
import { addStyle } from "../ui/styles";
import { findCell } from "./cells";
import type { NotebookCell, NotebookPanel, RunningItem, RunningManager } from "./jupyterlab";
import type { KernelsStreams, PageStreams, PlacedStream } from "./page-streams";
import css from "./running-panel.css";
import { moreWords, stateWords } from "./stream-words";

const TICK_MS = 1_000;

export interface RunningPanelOptions {
  page: PageStreams;
  icon: object;
  /** The page's own class: JupyterLab clears the signals of what it disposes. */
  LuminoSignal: typeof Signal;
  cancel: (panel: NotebookPanel, runId: number) => void;
  cancelAll: (panel: NotebookPanel) => void;
  show: (panel: NotebookPanel, cell: NotebookCell | undefined) => void;
}

export function runningManager(options: RunningPanelOptions): RunningManager {
  const { page } = options;
  addStyle(document, "running-panel", css);
  const changed = new options.LuminoSignal<object, void>({});
  let shown = "";
  let timer = 0;
  /** Tell JupyterLab, which makes the list anew, only when there is something new to read. */
  const look = () => {
    clearTimeout(timer);
    const rows = rowsOf(options);
    const texts = rows.map((row) => `${row.context}\t${row.label()}\t${row.detail?.()}`).join("\n");
    if (texts !== shown) {
      shown = texts;
      changed.emit();
    }
    // The time that a stream is waited for runs between heartbeats, too.
    if (rows.length) timer = window.setTimeout(look, TICK_MS);
  };
  page.changed.connect(look);
  return {
    name: "Streams",
    supportsMultipleViews: false,
    running: () => rowsOf(options),
    runningChanged: changed,
    refreshRunning: look,
    shutdownAll: () => {
      for (const { panel } of page.byKernel()) options.cancelAll(panel);
    },
    shutdownLabel: "Cancel",
    shutdownAllLabel: "Cancel All",
    shutdownAllConfirmationText:
      "Are you sure you want to cancel all streams of the notebooks that are open here?",
  };
}

function rowsOf(options: RunningPanelOptions): RunningItem[] {
  const kernels = options.page.byKernel();
  return kernels.flatMap((kernel) => {
    const rows = kernel.streams.map((placed) => rowOf(kernel, placed, options));
    return kernel.more > 0 ? [...rows, rowOfMore(kernel, options)] : rows;
  });
}

function rowOf(
  { kernelId }: KernelsStreams,
  { panel, stream }: PlacedStream,
  { icon, cancel, show }: RunningPanelOptions,
): RunningItem {
  return {
    className: "kkj-running-stream",
    context: `${kernelId}/${stream.runId}`,
    icon: () => icon,
    label: () => stream.title,
    labelTitle: () => `${stream.title}\nNotebook: ${panel.title.label}`,
    detail: () => stateWords(stream, nowMs()),
    open: () => show(panel, findCell(panel, stream.cellId)),
    shutdown: () => cancel(panel, stream.runId),
  };
}

/** For those that the kernel counts and does not name. */
function rowOfMore(
  { kernelId, panel, more }: KernelsStreams,
  { icon, show }: RunningPanelOptions,
): RunningItem {
  return {
    className: "kkj-running-stream",
    context: `${kernelId}/more`,
    icon: () => icon,
    label: () => moreWords(more),
    labelTitle: () => `Notebook: ${panel.title.label}`,
    open: () => show(panel, undefined),
  };
}
