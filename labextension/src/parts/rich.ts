// The part of the rich view: each value as the notebook shows it at the end of a cell.

import type { Pane, PaneContext } from "../panes/pane";
import { RichPane } from "./rich/pane";

export function makePane(context: PaneContext): Pane {
  return new RichPane(context);
}
