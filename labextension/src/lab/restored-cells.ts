// JupyterLab tells the kernel with each execution which cells were deleted before it, and the kernel
// cancels their streams. A cell whose deletion was undone is there again, with its id, and JupyterLab
// tells of it all the same; so it is taken out of the list when it comes back.

import type { NotebookModel, NotebookPanel } from "./jupyterlab";

/** Keep the streams of cells whose deletion is undone. */
export function keepRestoredCells({ content }: NotebookPanel): void {
  let watched: NotebookModel | null = null;
  const watch = () => {
    const { model } = content;
    if (!model || model === watched) return;
    watched = model;
    model.cells.changed.connect((_, { type, newValues }) => {
      if (type === "add") for (const { id } of newValues) forgetDeletion(model, id);
    });
  };
  content.modelChanged.connect(watch);
  watch();
}

function forgetDeletion({ deletedCells }: NotebookModel, id: string): void {
  const index = deletedCells.indexOf(id);
  if (index >= 0) deletedCells.splice(index, 1);
}
