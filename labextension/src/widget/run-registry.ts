// The runs of this page, one for each model however many views show it. anywidget evaluates the
// module once per model, so they are kept where all copies find them: a view of several columns
// draws the runs of other models.

import type { Model } from "../kernel/messages";
import { Run } from "../run/run";
import { ofPage } from "../ui/page-globals";
import { tell } from "./kernel-requests";
import { Host } from "./notebook-context";

const SESSIONS = "kkjupyterSessions";

export interface Session {
  run: Run;
  host: Promise<Host>;
}

export function session(model: Model): Session {
  return sessions().get(model.get("key")) ?? begin(model);
}

/**
 * The run of a model that is new to this page. One of the same id may be left of a notebook that was
 * closed and opened again; it hears nothing any more.
 */
export function begin(model: Model): Session {
  const run = new Run((content) => tell(model, content), model.get("snapshot"));
  const begun = { run, host: Host.find(model) };
  sessions().set(model.get("key"), begun);
  return begun;
}

/** It is over with the model; with a newer one of the same id it is not. */
export function forget(model: Model, { run }: Session): void {
  const key = model.get("key");
  if (sessions().get(key)?.run === run) sessions().delete(key);
}

function sessions(): Map<string, Session> {
  return ofPage(SESSIONS, Map<string, Session>);
}
