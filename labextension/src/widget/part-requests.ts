// Parts that the page does not have: the kernel sends their source.

import { askOnControl } from "../kernel/control-channel";
import type { Model } from "../kernel/messages";
import type { PartModule } from "../panes/pane";
import { importPart, oncePerPage } from "../panes/part-loader";
import { onMessage } from "./kernel-requests";
import type { NotebookContext } from "./notebook-context";

const PART_WITHIN_MS = 5_000;

/** The part with this id, from the page or else from the kernel. */
export function loadPart(id: string, model: Model, notebook: NotebookContext): Promise<PartModule> {
  return oncePerPage(id, () => {
    const asked = () => askForPart(id, model, notebook).then(evaluate);
    return importPart(id)?.catch(asked) ?? asked();
  });
}

/** On the control channel, which is open while a cell runs, and as a message of the widget. */
function askForPart(id: string, model: Model, notebook: NotebookContext): Promise<string> {
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
    const stop = onMessage(model, (message) => {
      if (message.kind === "part" && message.id === id) take(message.source);
    });
    const asked =
      model.get("control_road") &&
      askOnControl(notebook.kernel, "kkjupyter_part", { id }, (content) => take(content.source));
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
