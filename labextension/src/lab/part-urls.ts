// The parts that this extension brings along: from here no kernel is needed to load them.

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

/** The id of the part that has this pane; undefined for a pane that is not ours. */
export function partOf(pane: string): string | undefined {
  return Object.hasOwn(KKJUPYTER_PARTS, pane) ? KKJUPYTER_PARTS[pane] : undefined;
}
