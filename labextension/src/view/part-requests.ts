// Parts that the page does not have: the kernel sends their source.

import type { PartModule } from "../panes/pane";
import { importPart, loadPartWithoutKernel, oncePerPage } from "../panes/part-loader";
import type { Link } from "./link";

const PART_WITHIN_MS = 5_000;

/** The part with this id, from the page or else from the kernel. */
export function loadPart(id: string, link: Link | null): Promise<PartModule> {
  if (!link) return loadPartWithoutKernel(id);
  return oncePerPage(id, () => {
    const asked = () => askForPart(id, link).then(evaluate);
    return importPart(id)?.catch(asked) ?? asked();
  });
}

function askForPart(id: string, link: Link): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      stop();
      reject(new Error(`kkjupyter: the kernel did not send the part ${id}`));
    }, PART_WITHIN_MS);
    const stop = link.hear((message) => {
      if (message.kind !== "part" || message.id !== id || message.source === null) return;
      clearTimeout(timer);
      stop();
      resolve(message.source);
    });
    link.send({ kind: "part", id });
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
