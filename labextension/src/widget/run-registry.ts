// The runs of this page, one for each model however many views show it. anywidget evaluates the
// module once per model, so they are kept where all copies find them: a view of several columns
// draws the runs of other models.

import { Run } from "../run/run";
import { pageGlobal } from "../ui/page-globals";
import type { ShownRun } from "../view/shown-run";
import type { Model } from "./model";
import { contextOf } from "./surroundings";
import { WidgetLink } from "./widget-link";

const PAGE_RUNS = "kkjupyterRuns";

export interface PageRun {
  readonly link: WidgetLink;
  /** When what is around the view is found. */
  readonly shown: Promise<ShownRun>;
}

export function pageRun(model: Model): PageRun {
  return pageRuns().get(model.get("key")) ?? register(model);
}

/**
 * The run of a model that is new to this page. One of the same id may be left of a notebook that was
 * closed and opened again; it hears nothing any more.
 */
export function register(model: Model): PageRun {
  const link = new WidgetLink(model);
  const run = new Run((content) => link.send(content), model.get("snapshot"));
  link.hear((message) => run.receive(message));
  const shown = contextOf(model).then((notebook) => {
    link.kernel = notebook.kernel;
    return { run, link, notebook };
  });
  const begun = { link, shown };
  pageRuns().set(model.get("key"), begun);
  return begun;
}

/** It is over with the model; with a newer one of the same id it is not. */
export function unregister(model: Model, begun: PageRun): void {
  begun.link.dispose();
  const key = model.get("key");
  if (pageRuns().get(key) === begun) pageRuns().delete(key);
}

function pageRuns(): Map<string, PageRun> {
  return pageGlobal(PAGE_RUNS, Map<string, PageRun>);
}
