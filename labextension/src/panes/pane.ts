// What draws the source of a view. The text pane is always here; the others are parts: modules that
// the kernel sends once per page (or that the lab extension brings along).

import type { Model } from "../kernel/messages";
import { rewritten } from "../text/carriage-returns";
import { ofPage } from "../ui/page-globals";
import { hear } from "../widget/kernel-requests";
import type { Host } from "../widget/notebook-context";
import { JsonPane } from "./json-pane";
import { TextPane } from "./text-pane";

/** The names under which every copy of this module in a page finds the parts. */
const PARTS = "kkjupyterParts";
const PART_URLS = "kkjupyterPartUrls";
const PART_WITHIN_MS = 5_000;

export interface Pane {
  readonly element: HTMLElement;
  /** More source; drawn with the next frame. */
  append(source: string): void;
  /** Everything so far is void; this is the source. */
  replace(source: string): void;
  /** Draw what is pending now. */
  flush(): void;
  /** Nothing more comes; called once. */
  ended?(): void;
  /** What the Copy button gives for this source, if not the source itself. */
  copied?(source: string): string;
  dispose(): void;
}

export interface PaneContext {
  /** What a screen reader calls it. */
  label: string;
  /** Have the notebook typeset the formulas below this element, where it can. */
  typeset?: ((element: HTMLElement) => void) | undefined;
}

/** What a part exports. */
export interface PartModule {
  makePane(context: PaneContext): Pane;
}

/** The panes that every page has. */
export const OWN_PANES = ["text", "json"];

/** A pane that every page has; text, if this is none of them. */
export function makeOwnPane(name: string, context: PaneContext): Pane {
  return name === "json" ? new JsonPane(context.label) : new TextPane(context.label);
}

/** The parts of this page, by id; whoever loads one puts it here. */
export function partsOfPage(): Map<string, Promise<PartModule>> {
  return ofPage(PARTS, Map<string, Promise<PartModule>>);
}

/** Where the page gets parts from without a kernel, by id; the lab extension says so. */
export function partUrlsOfPage(): Map<string, string> {
  return ofPage(PART_URLS, Map<string, string>);
}

/** The part with this id, from the page or else from the kernel. */
export function loadPart(id: string, model: Model, host: Host): Promise<PartModule> {
  return oncePerPage(id, () => {
    const asked = () => askForPart(id, model, host).then(evaluate);
    return importPart(id)?.catch(asked) ?? asked();
  });
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

function oncePerPage(id: string, load: () => Promise<PartModule>): Promise<PartModule> {
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

function importPart(id: string): Promise<PartModule> | undefined {
  const url = partUrlsOfPage().get(id);
  return url === undefined ? undefined : import(/* @vite-ignore */ url);
}

/** On the control channel, which is open while a cell runs, and as a message of the widget. */
function askForPart(id: string, model: Model, host: Host): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      stop();
      reject(new Error(`kkjupyter: the kernel did not send the part ${id}`));
    }, PART_WITHIN_MS);
    const take = (source: unknown) => {
      if (typeof source !== "string") return;
      clearTimeout(timer);
      stop();
      resolve(source);
    };
    const stop = hear(model, (message) => {
      if (message.kind === "part" && message.id === id) take(message.source);
    });
    const asked =
      model.get("control_road") &&
      host.askOnControl("kkjupyter_part", { id }, (content) => take(content.source));
    if (!asked) model.send({ kind: "part", id });
  });
}

async function evaluate(source: string): Promise<PartModule> {
  const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  try {
    return (await import(/* @vite-ignore */ url)) as PartModule;
  } finally {
    URL.revokeObjectURL(url);
  }
}
