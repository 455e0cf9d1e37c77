// Code of an answer as a new cell, below the one that shows the answer.

import type { NotebookPanel, OutputPanel } from "./jupyterlab";

/**
 * Put `source` into a new cell below the one that has `node`, and make it active. Nothing happens in
 * a console, which has no cells to put it between.
 */
export function insertCellBelow(panel: OutputPanel | undefined, node: Node, source: string): void {
  if (!panel?.context) return;
  const { content } = panel as NotebookPanel;
  const index = content.widgets.findIndex((cell) => cell.node.contains(node));
  if (index < 0) return;
  content.model?.sharedModel.insertCell(index + 1, { cell_type: "code", source });
  content.deselectAll();
  content.activeCellIndex = index + 1;
}
