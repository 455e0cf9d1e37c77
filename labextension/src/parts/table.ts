// The pane of the table view.

import type { Pane, PaneContext } from "../panes/pane";
import { TablePane } from "./table/pane";

export function makePane(context: PaneContext): Pane {
  return new TablePane(context.label);
}
