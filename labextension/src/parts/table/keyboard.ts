// Where the keys lead in a table.

/** A cell, by its place on screen; row -1 is the head. */
export interface Place {
  row: number;
  column: number;
}

export interface Extent {
  rows: number;
  columns: number;
  /** How many rows Page Up and Page Down go. */
  page: number;
}

/** The cell that a key leads to from `from`; null if it is not a key that leads anywhere. */
export function moved(
  from: Place | null,
  { key, ctrlKey, metaKey }: Pick<KeyboardEvent, "key" | "ctrlKey" | "metaKey">,
  extent: Extent,
): Place | null {
  const far = ctrlKey || metaKey;
  const { row, column } = from ?? { row: -1, column: 0 };
  const to = (toRow: number, toColumn: number): Place => ({
    row: Math.max(-1, Math.min(toRow, extent.rows - 1)),
    column: Math.max(0, Math.min(toColumn, extent.columns - 1)),
  });
  const isMove = /^(Arrow(Up|Down|Left|Right)|Home|End|Page(Up|Down))$/.test(key);
  if (!isMove) return null;
  // The first key only shows where one is.
  if (!from) return to(-1, 0);
  switch (key) {
    case "ArrowUp":
      return to(far ? -1 : row - 1, column);
    case "ArrowDown":
      return to(far ? extent.rows - 1 : row + 1, column);
    case "ArrowLeft":
      return to(row, far ? 0 : column - 1);
    case "ArrowRight":
      return to(row, far ? extent.columns - 1 : column + 1);
    case "PageUp":
      return to(row - extent.page, column);
    case "PageDown":
      return to(row + extent.page, column);
    case "Home":
      return to(far ? 0 : row, 0);
    default:
      return to(far ? extent.rows - 1 : row, extent.columns - 1);
  }
}
