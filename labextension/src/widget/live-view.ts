// One drawing of one run: the state line, and the pane below it.

import type { Model } from "../kernel/messages";
import { loadPart } from "../panes/pane";
import { PaneSlot } from "../panes/pane-container";
import type { Run } from "../run/run";
import { StateLine } from "../run/state-line";
import { suppressShortcuts } from "../ui/button";
import { make } from "../ui/element";
import { cancel } from "./cancel";
import { prepareCopyButton } from "./copy-button";
import { hear, tell } from "./kernel-requests";
import { session } from "./run-registry";

const COPY_ANSWER_WITHIN_MS = 3_000;

/** Draw the run of `model` at the end of `el`. Returns how to stop. */
export async function drawView(model: Model, el: HTMLElement): Promise<() => void> {
  const { run, host: finding } = session(model);
  const host = await finding;
  const context = { label: run.status.title, typeset: host.typesetter() };
  const slot = new PaneSlot(run, context, (part) => loadPart(part, model, host));
  const getText = async () => slot.copied(await everything(run, model));
  const line = new StateLine(run, {
    cancel: () => cancel(run, model, host),
    getText,
  });
  const root = make("div", "kkj");
  suppressShortcuts(root);
  root.append(line.element, slot.element);
  el.append(root);
  let restoreButton: (() => void) | undefined;
  const stop = run.listen({
    appended: (text) => slot.append(text),
    replaced: (text) => slot.replace(text),
    changed: () => {
      line.changed();
      if (!run.over) return;
      slot.ended();
      restoreButton ??= prepareCopyButton(root, run, getText);
    },
  });
  run.shown();
  return () => {
    stop();
    line.dispose();
    slot.dispose();
    restoreButton?.();
  };
}

/** All the text; from the kernel if this page does not hold all of it. */
async function everything(run: Run, model: Model): Promise<string> {
  if (!run.leftOut || run.status.state === "lost") return run.text;
  return await new Promise((resolve) => {
    const stop = hear(model, (message) => {
      if (message.kind === "copy") finish(message.text);
    });
    const timer = setTimeout(() => finish(run.text), COPY_ANSWER_WITHIN_MS);
    const finish = (text: string) => {
      clearTimeout(timer);
      stop();
      resolve(text);
    };
    tell(model, { kind: "copy" });
  });
}
