// The module that anywidget loads, in front ends without the lab extension: one run for each model,
// one drawing for each view.

import { extensionOfPage } from "../kernel/extension";
import css from "../ui/style.css";
import { addStyle, styleShadowRoot } from "../ui/styles";
import { drawColumns } from "../view/comparison";
import { followRun, keepColumns, keepRun } from "../view/following";
import { type Drawing, drawRun } from "../view/live-view";
import type { Column } from "../view/shown-run";
import { prepareCopyButton } from "./copy-button";
import type { Model } from "./model";
import { pageRun, register, unregister } from "./run-registry";
import { WidgetLink } from "./widget-link";

async function initialize({ model }: { model: Model }): Promise<() => void> {
  // The extension draws the output that stands beside this widget.
  if (extensionOfPage().isThere) return () => {};
  if (model.get("columns")) return await initializeColumns(model);
  const begun = register(model);
  const shown = await begun.shown;
  const stops = [followRun(shown)];
  // A column's place in the notebook is that of the view it stands in, which looks after it.
  if (!model.get("place")) stops.push(keepRun(shown, begun.link));
  return () => {
    for (const stop of stops) stop();
    unregister(model, begun);
  };
}

async function initializeColumns(model: Model): Promise<() => void> {
  const link = new WidgetLink(model);
  const stop = keepColumns(await columnsOf(model), link);
  return () => {
    stop();
    link.dispose();
  };
}

async function render({ model, el }: { model: Model; el: HTMLElement }): Promise<() => void> {
  addStyle(el.ownerDocument, "style", css);
  styleShadowRoot(el);
  if (model.get("columns")) {
    const drawing = drawColumns(await columnsOf(model));
    return put(drawing, el, () => {});
  }
  const shown = await pageRun(model).shown;
  const drawing = drawRun(shown);
  let restoreButton: (() => void) | undefined;
  const prepare = () => {
    if (shown.run.over) restoreButton ??= prepareCopyButton(el, shown.run, drawing.getText);
  };
  const stop = shown.run.listen({ appended: () => {}, replaced: () => {}, changed: prepare });
  return put(drawing, el, () => {
    stop();
    restoreButton?.();
  });
}

function put(drawing: Drawing, el: HTMLElement, after: () => void): () => void {
  el.append(drawing.element);
  drawing.attached();
  return () => {
    drawing.dispose();
    after();
  };
}

async function columnsOf(model: Model): Promise<Column[]> {
  const manager = model.widget_manager as { get_model(id: string): Promise<Model> };
  const specs = model.get("columns") ?? [];
  return await Promise.all(
    specs.map(async ({ name, key }) => {
      const column = await manager.get_model(key);
      return { name, ...(await pageRun(column).shown) };
    }),
  );
}

export default { initialize, render };
