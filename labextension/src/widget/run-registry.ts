// The runs of this page, one for each model however many views show it. anywidget evaluates the
// module once per model, so they are kept where all copies find them: a view of several columns
// draws the runs of other models.

import type { Model } from "../kernel/messages";
import { Run } from "../run/run";
import { pageGlobal } from "../ui/page-globals";
import { sendToKernel } from "./kernel-requests";
import { NotebookContext } from "./notebook-context";

const PAGE_RUNS = "kkjupyterSessions";

export interface PageRun {
  run: Run;
  notebook: Promise<NotebookContext>;
}

export function pageRun(model: Model): PageRun {
  return pageRuns().get(model.get("key")) ?? register(model);
}

/**
 * The run of a model that is new to this page. One of the same id may be left of a notebook that was
 * closed and opened again; it hears nothing any more.
 */
export function register(model: Model): PageRun {
  const run = new Run((content) => sendToKernel(model, content), model.get("snapshot"));
  const begun = { run, notebook: NotebookContext.find(model) };
  pageRuns().set(model.get("key"), begun);
  return begun;
}

/** It is over with the model; with a newer one of the same id it is not. */
export function unregister(model: Model, { run }: PageRun): void {
  const key = model.get("key");
  if (pageRuns().get(key)?.run === run) pageRuns().delete(key);
}

function pageRuns(): Map<string, PageRun> {
  return pageGlobal(PAGE_RUNS, Map<string, PageRun>);
}
