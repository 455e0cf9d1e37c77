// The runs of this page, one for each model however many views show it. anywidget evaluates the
// module once per model, so they are kept where all copies find them: a view of several columns
// draws the runs of other models.

import { Host } from "./host";
import { Run } from "./run";
import type { Model } from "./types";

const SESSIONS = "kkjupyterSessions";

export interface Session {
  run: Run;
  host: Promise<Host>;
}

export function session(model: Model): Session {
  const key = model.get("key");
  let found = sessions().get(key);
  if (!found) {
    const run = new Run((content) => model.send(content), model.get("snapshot"));
    found = { run, host: Host.find(model) };
    sessions().set(key, found);
  }
  return found;
}

export function forget(model: Model): void {
  sessions().delete(model.get("key"));
}

function sessions(): Map<string, Session> {
  const page = globalThis as { [SESSIONS]?: Map<string, Session> };
  page[SESSIONS] ??= new Map();
  return page[SESSIONS];
}
