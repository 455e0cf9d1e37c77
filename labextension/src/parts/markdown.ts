// The Markdown part: an answer rendered while it is written.

import type { Pane, PaneContext } from "../panes/pane";
import { MarkdownPane } from "./markdown/pane";

export function makePane(context: PaneContext): Pane {
  return new MarkdownPane(context);
}
