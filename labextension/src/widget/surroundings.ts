// What a widget finds around it, through its widget manager.

import { NotebookContext, type Surroundings } from "../view/notebook-context";
import type { Model } from "./model";
import { classicSurroundings } from "./nbclassic";

type Manager = Surroundings & {
  get_model?(id: string): Promise<{ widget_manager?: Surroundings }>;
};

export async function contextOf(model: Model): Promise<NotebookContext> {
  const key = model.get("key");
  const place = model.get("place") || key;
  const classic = classicSurroundings();
  if (classic) return new NotebookContext(classic, place);
  const manager = model.widget_manager as Manager | undefined;
  if (!manager?.get_model) return new NotebookContext({}, place);
  // What anywidget hands out is not the manager itself; the raw model has that.
  const raw = await manager.get_model(key);
  return new NotebookContext(raw.widget_manager ?? manager, place);
}
