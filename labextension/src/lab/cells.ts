// The cell that a stream belongs to: whether the user can see it, and the way to it.

import type { App, NotebookCell, NotebookPanel } from "./jupyterlab";

/** Of an output, so much must be on screen to be seen. */
const SEEN_PX = 16;

/** The cell with this id; undefined if the notebook has it no more. */
export function findCell(panel: NotebookPanel, cellId: string | null): NotebookCell | undefined {
  return cellId === null ? undefined : panel.content.widgets.find((c) => c.model.id === cellId);
}

/** Whether the cell's output, or the place where it will be, is on the screen. */
export function isInSight(panel: NotebookPanel, cell: NotebookCell): boolean {
  if (document.hidden || !panel.isVisible) return false;
  const frame = panel.content.node.getBoundingClientRect();
  const box = shownOf(cell).getBoundingClientRect();
  const top = Math.max(box.top, frame.top, 0);
  const bottom = Math.min(box.bottom, frame.bottom, window.innerHeight);
  return box.height > 0 && bottom - top >= Math.min(SEEN_PX, box.height);
}

/** Bring the notebook to the front, and the cell, if it is known, on screen and make it active. */
export async function goTo(app: App, panel: NotebookPanel, cell?: NotebookCell): Promise<void> {
  app.shell.activateById(panel.id);
  const { content } = panel;
  const index = cell ? content.widgets.indexOf(cell) : -1;
  if (!cell || index < 0) return;
  content.deselectAll();
  content.activeCellIndex = index;
  await content.scrollToItem(index);
  // Of a long cell, that may have been the code.
  if (!isInSight(panel, cell)) shownOf(cell).scrollIntoView({ block: "nearest" });
}

/** The output; of a cell without one, the cell. */
function shownOf({ node, outputArea }: NotebookCell): HTMLElement {
  return outputArea?.node.offsetHeight ? outputArea.node : node;
}
