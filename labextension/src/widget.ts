// The module that anywidget loads: one Run for each model, one drawing for each view.

import { drawColumns, initializeColumns } from "./columns";
import { lookAfter } from "./ending";
import { readable } from "./panes";
import { forget, session } from "./sessions";
import { checkpointText, staticBundle } from "./static";
import css from "./style.css";
import { addStyle } from "./styles";
import type { FromKernel, Model } from "./types";
import { drawView } from "./view";

async function initialize({ model }: { model: Model }): Promise<() => void> {
  if (model.get("columns")) return await initializeColumns(model);
  const { run, host: finding } = session(model);
  const receive = (message: FromKernel) => run.receive(message);
  model.on("msg:custom", receive);
  const host = await finding;
  const stopWatching = host.onKernelLost((why) => run.lose(why));
  // A column's place in the notebook is that of the view it stands in, which looks after it.
  const stopLooking = host.isColumn
    ? () => {}
    : lookAfter(model, host, [run], {
        bundle: async () => staticBundle(run, await readable(run.text, run.part)),
        checkpoint: () => checkpointText(run),
      });
  return () => {
    model.off("msg:custom", receive);
    stopWatching();
    stopLooking();
    forget(model);
  };
}

async function render({ model, el }: { model: Model; el: HTMLElement }): Promise<() => void> {
  addStyle(el.ownerDocument, "style", css);
  return await (model.get("columns") ? drawColumns(model, el) : drawView(model, el));
}

export default { initialize, render };
