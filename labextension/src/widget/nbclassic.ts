// The Notebook before version 7 ("nbclassic"). There a widget reaches neither the control channel nor,
// while a cell runs, the kernel; but the page has a global object, which can interrupt.

import type { Surroundings } from "../view/notebook-context";

const WIDGET_VIEW = "application/vnd.jupyter.widget-view+json";

interface ClassicNotebook {
  kernel?: { interrupt?(): void } | null;
  kernel_busy?: boolean;
  get_cells?(): ClassicCell[];
}

interface ClassicCell {
  element?: ArrayLike<Element>;
  output_area?: { outputs?: { data?: Record<string, unknown> }[] };
}

/** What nbclassic has around an output; undefined in any other page. */
export function classicSurroundings(): Surroundings | undefined {
  const { Jupyter } = globalThis as { Jupyter?: { notebook?: ClassicNotebook } };
  const notebook = Jupyter?.notebook;
  if (!notebook?.kernel?.interrupt || !notebook.get_cells) return undefined;
  return { interruptCellOf: (key) => interruptCellOf(notebook, key) };
}

/** Interrupt the kernel if, and only if, it runs the very cell that shows this output. */
function interruptCellOf(notebook: ClassicNotebook, key: string): boolean {
  const runs = (cell: ClassicCell) =>
    cell.element?.[0]?.classList.contains("running") === true &&
    cell.output_area?.outputs?.some(({ data }) => {
      const view = data?.[WIDGET_VIEW] as { model_id?: string } | undefined;
      return view?.model_id === key;
    });
  if (!notebook.kernel_busy || !notebook.get_cells?.().some(runs)) return false;
  notebook.kernel?.interrupt?.();
  return true;
}
