// One drawing of one run: the state line, and the pane below it.

import type { Model } from "../kernel/messages";
import { PaneContainer } from "../panes/pane-container";
import type { Run } from "../run/run";
import { StateLine } from "../run/state-line";
import { suppressShortcuts } from "../ui/button";
import { make } from "../ui/element";
import { cancel } from "./cancel";
import { prepareCopyButton } from "./copy-button";
import { onMessage, sendToKernel } from "./kernel-requests";
import { loadPart } from "./part-requests";
import { pageRun } from "./run-registry";

const COPY_ANSWER_WITHIN_MS = 3_000;

/** Draw the run of `model` at the end of `el`. Returns how to stop. */
export async function drawView(model: Model, el: HTMLElement): Promise<() => void> {
  const { run, notebook: finding } = pageRun(model);
  const notebook = await finding;
  const context = { label: run.status.title, typeset: notebook.typesetter() };
  const container = new PaneContainer(run, context, (part) => loadPart(part, model, notebook));
  const getText = async () => container.copied(await everything(run, model));
  const line = new StateLine(run, {
    cancel: () => cancel(run, model, notebook),
    getText,
  });
  const root = make("div", "kkj");
  suppressShortcuts(root);
  root.append(line.element, container.element);
  el.append(root);
  let restoreButton: (() => void) | undefined;
  const stop = run.listen({
    appended: (text) => container.append(text),
    replaced: (text) => container.replace(text),
    changed: () => {
      line.changed();
      if (!run.over) return;
      container.ended();
      restoreButton ??= prepareCopyButton(root, run, getText);
    },
  });
  run.shown();
  return () => {
    stop();
    line.dispose();
    container.dispose();
    restoreButton?.();
  };
}

/** All the text; from the kernel if this page does not hold all of it. */
async function everything(run: Run, model: Model): Promise<string> {
  if (!run.leftOut || run.status.state === "lost") return run.text;
  return await new Promise((resolve) => {
    const stop = onMessage(model, (message) => {
      if (message.kind === "copy") finish(message.text);
    });
    const timer = setTimeout(() => finish(run.text), COPY_ANSWER_WITHIN_MS);
    const finish = (text: string) => {
      clearTimeout(timer);
      stop();
      resolve(text);
    };
    sendToKernel(model, { kind: "copy" });
  });
}
