// The module that anywidget loads: one Run for each model, one drawing for each view.

import type { Model } from "../kernel/messages";
import { readerOf } from "../panes/pane";
import { checkpointText, staticBundle } from "../run/saved-form";
import css from "../ui/style.css";
import { addStyle } from "../ui/styles";
import { drawColumns, initializeColumns } from "./comparison";
import { watch } from "./heartbeat-monitor";
import { hear } from "./kernel-requests";
import { drawView } from "./live-view";
import { lookAfter } from "./persistence";
import { begin, forget } from "./run-registry";

async function initialize({ model }: { model: Model }): Promise<() => void> {
  if (model.get("columns")) return await initializeColumns(model);
  const begun = begin(model);
  const { run, host: finding } = begun;
  const stopHearing = hear(model, (message) => run.receive(message));
  const host = await finding;
  const stops = [host.onKernelLost((why) => run.lose(why)), watch(run, model, host)];
  // A column's place in the notebook is that of the view it stands in, which looks after it.
  if (!host.isColumn) {
    const bundle = async () => staticBundle(run, await readerOf(run.part));
    stops.push(lookAfter(model, host, [run], { bundle, checkpoint: () => checkpointText(run) }));
  }
  return () => {
    stopHearing();
    for (const stop of stops) stop();
    forget(model, begun);
  };
}

async function render({ model, el }: { model: Model; el: HTMLElement }): Promise<() => void> {
  addStyle(el.ownerDocument, "style", css);
  return await (model.get("columns") ? drawColumns(model, el) : drawView(model, el));
}

export default { initialize, render };
