// The answer part: what a language model says, thinks and asks for, drawn while it comes.

import type { Pane, PaneContext } from "../panes/pane";
import { AnswerPane } from "./answer/pane";

export function makePane(context: PaneContext): Pane {
  return new AnswerPane(context);
}
