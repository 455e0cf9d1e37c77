// The parts that this extension brings along: from here no kernel is needed to load them.

import { OWN_PANES } from "../panes/own-panes";
import { partUrlsOfPage } from "../panes/part-loader";

/** By the name of the pane, the id of its part; the build fills it in. */
declare const KKJUPYTER_PARTS: Record<string, string>;

/** @param container the URL of the script that this is a piece of; the parts lie below it */
export function offerParts(container: string): void {
  for (const [pane, id] of Object.entries(KKJUPYTER_PARTS)) {
    // Under its id it may be kept for good: another build of the part has another one.
    partUrlsOfPage().set(id, new URL(`parts/${pane}.js?v=${id}`, container).href);
  }
}

/** The id of the part that has this pane; null if every page has it, undefined if it is not ours. */
export function partOf(pane: string): string | null | undefined {
  if (OWN_PANES.includes(pane)) return null;
  return Object.hasOwn(KKJUPYTER_PARTS, pane) ? KKJUPYTER_PARTS[pane] : undefined;
}
