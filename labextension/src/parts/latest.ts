// The part of the latest view: the newest value in place of the one before.

import type { Pane, PaneContext } from "../panes/pane";
import { LatestPane } from "./rich/latest-pane";

export function makePane(context: PaneContext): Pane {
  return new LatestPane(context);
}
