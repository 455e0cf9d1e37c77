// The module that anywidget loads: one Run for each model, one drawing for each view.

import type { Model } from "../kernel/messages";
import { readerOf } from "../panes/part-loader";
import { checkpointText, staticBundle } from "../run/saved-form";
import css from "../ui/style.css";
import { addStyle } from "../ui/styles";
import { drawColumns, initializeColumns } from "./comparison";
import { monitorRun } from "./heartbeat-monitor";
import { onMessage } from "./kernel-requests";
import { drawView } from "./live-view";
import { persistOutput } from "./persistence";
import { register, unregister } from "./run-registry";

async function initialize({ model }: { model: Model }): Promise<() => void> {
  if (model.get("columns")) return await initializeColumns(model);
  const begun = register(model);
  const { run, notebook: finding } = begun;
  const stopHearing = onMessage(model, (message) => run.receive(message));
  const notebook = await finding;
  const stops = [notebook.onKernelLost((why) => run.lose(why)), monitorRun(run, model, notebook)];
  // A column's place in the notebook is that of the view it stands in, which looks after it.
  if (!notebook.isColumn) {
    const bundle = async () => staticBundle(run, await readerOf(run.part));
    stops.push(
      persistOutput(model, notebook, [run], { bundle, checkpoint: () => checkpointText(run) }),
    );
  }
  return () => {
    stopHearing();
    for (const stop of stops) stop();
    unregister(model, begun);
  };
}

async function render({ model, el }: { model: Model; el: HTMLElement }): Promise<() => void> {
  addStyle(el.ownerDocument, "style", css);
  return await (model.get("columns") ? drawColumns(model, el) : drawView(model, el));
}

export default { initialize, render };
