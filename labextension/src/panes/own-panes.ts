// The panes that every page has. The others are parts (part-loader.ts).

import { JsonPane } from "./json-pane";
import type { Pane } from "./pane";
import { TextPane } from "./text-pane";

export const OWN_PANES = ["text", "json"];

/** A pane that every page has; text, if this is none of them. */
export function makeOwnPane(name: string): Pane {
  return name === "json" ? new JsonPane() : new TextPane();
}
