// The module that anywidget loads: one Run for each model, one drawing for each view.

import { prepareCopyButton } from "./aftermath";
import { suppressShortcuts } from "./button";
import { cancel } from "./cancel";
import { Host } from "./host";
import { StateLine } from "./line";
import { loadPart } from "./panes";
import { Run } from "./run";
import { PaneSlot } from "./slot";
import { checkpointText, staticBundle } from "./static";
import css from "./style.css";
import { addStyle } from "./styles";
import type { FromKernel, Model } from "./types";

/** How long the kernel has to put the static output into place before the page looks after it. */
const STATIC_OUTPUT_WITHIN_MS = 1_000;
const COPY_ANSWER_WITHIN_MS = 3_000;

interface Session {
  run: Run;
  host: Promise<Host>;
}

const sessions = new Map<string, Session>();

async function initialize({ model }: { model: Model }): Promise<() => void> {
  const { run, host: finding } = session(model);
  const receive = (message: FromKernel) => run.receive(message);
  model.on("msg:custom", receive);
  const host = await finding;
  const stopWaiting = onEnd(run, () => {
    // Where the page was reloaded in mid-stream, the kernel's update of the display found nothing.
    setTimeout(() => {
      if (!host.isInNotebook()) return;
      if (run.status.state === "lost") host.persist(staticBundle(run));
      else model.send({ kind: "bundle" });
    }, STATIC_OUTPUT_WITHIN_MS);
  });
  const persist = (message: FromKernel) => {
    if (message.kind === "bundle") host.persist(message.bundle);
  };
  model.on("msg:custom", persist);
  const stopWatching = host.onKernelLost((why) => run.lose(why));
  const stopSaving = host.onSave(() => {
    if (!run.over) host.checkpoint(() => checkpointText(run));
  });
  return () => {
    model.off("msg:custom", receive);
    model.off("msg:custom", persist);
    stopWaiting();
    stopWatching();
    stopSaving();
    sessions.delete(model.get("key"));
  };
}

async function render({ model, el }: { model: Model; el: HTMLElement }): Promise<() => void> {
  const { run, host: finding } = session(model);
  addStyle(el.ownerDocument, "style", css);
  const host = await finding;
  const context = { label: run.status.title, typeset: host.typesetter() };
  const slot = new PaneSlot(run, context, (part) => loadPart(part, model, host));
  const getText = async () => slot.copied(await everything(run, model));
  const line = new StateLine(run, {
    cancel: () => cancel(run, model, host),
    getText,
  });
  const root = document.createElement("div");
  root.className = "kkj";
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
  return () => {
    stop();
    line.dispose();
    slot.dispose();
    restoreButton?.();
  };
}

function session(model: Model): Session {
  const key = model.get("key");
  let found = sessions.get(key);
  if (!found) {
    const run = new Run((content) => model.send(content), model.get("snapshot"));
    found = { run, host: Host.find(model) };
    sessions.set(key, found);
  }
  return found;
}

/** All the text; from the kernel if this page does not hold all of it. */
async function everything(run: Run, model: Model): Promise<string> {
  if (!run.leftOut || run.status.state === "lost") return run.text;
  return await new Promise((resolve) => {
    const answered = (message: FromKernel) => {
      if (message.kind === "copy") finish(message.text);
    };
    const timer = setTimeout(() => finish(run.text), COPY_ANSWER_WITHIN_MS);
    const finish = (text: string) => {
      clearTimeout(timer);
      model.off("msg:custom", answered);
      resolve(text);
    };
    model.on("msg:custom", answered);
    model.send({ kind: "copy" });
  });
}

function onEnd(run: Run, ended: () => void): () => void {
  if (run.over) {
    ended();
    return () => {};
  }
  const stop = run.listen({
    appended: () => {},
    replaced: () => {},
    changed: () => {
      if (!run.over) return;
      stop();
      ended();
    },
  });
  return stop;
}

export default { initialize, render };
