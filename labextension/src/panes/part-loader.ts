// Parts: modules with a pane of their own, which a page loads once. The lab extension brings them
// along; without it the kernel sends them (widget/part-requests.ts).

import { rewritten } from "../text/carriage-returns";
import { pageGlobal } from "../ui/page-globals";
import type { PartModule } from "./pane";

/** The names under which every copy of this module in a page finds the parts. */
const PARTS = "kkjupyterParts";
const PART_URLS = "kkjupyterPartUrls";

/** The parts of this page, by id; whoever loads one puts it here. */
export function partsOfPage(): Map<string, Promise<PartModule>> {
  return pageGlobal(PARTS, Map<string, Promise<PartModule>>);
}

/** Where the page gets parts from without a kernel, by id; the lab extension says so. */
export function partUrlsOfPage(): Map<string, string> {
  return pageGlobal(PART_URLS, Map<string, string>);
}

/** The part with this id, from the page or the lab extension; rejects if neither has it. */
export function loadPartWithoutKernel(id: string): Promise<PartModule> {
  return oncePerPage(id, () => {
    return importPart(id) ?? Promise.reject(new Error(`kkjupyter: there is no part ${id}`));
  });
}

/**
 * What makes of a source that which a reader can use: what Copy gives. The source itself if the part
 * is not there.
 */
export async function readerOf(
  part: string | null,
  load: (part: string) => Promise<PartModule> = loadPartWithoutKernel,
): Promise<(source: string) => string> {
  if (!part) return rewritten;
  const pane = await load(part).then(
    (module) => module.makePane({ label: "" }),
    () => null, // said already
  );
  pane?.dispose();
  return (source) => pane?.copied?.(source) ?? source;
}

/** The part with this id; `load` brings it into the page if it is not there. */
export function oncePerPage(id: string, load: () => Promise<PartModule>): Promise<PartModule> {
  const parts = partsOfPage();
  let found = parts.get(id);
  if (!found) {
    found = load();
    parts.set(id, found);
    // The next view may have more luck: the kernel may be busy, or gone.
    found.catch(() => parts.delete(id));
  }
  return found;
}

/** The part from the lab extension; undefined if that does not offer it. */
export function importPart(id: string): Promise<PartModule> | undefined {
  const url = partUrlsOfPage().get(id);
  return url === undefined ? undefined : import(/* @vite-ignore */ url);
}
