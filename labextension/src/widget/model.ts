// What anywidget hands to a module. The Python side is kkjupyter/notebook/output/widget.py.

import type { FromKernel, Snapshot, ToKernel } from "../kernel/messages";

export interface Model {
  get(name: "key"): string;
  get(name: "place"): string;
  /** The runs of a comparison; undefined for a view of one. */
  get(name: "columns"): { name: string; key: string }[] | undefined;
  get(name: "run_id"): number;
  get(name: "control_road"): boolean;
  get(name: "snapshot"): Snapshot;
  send(content: ToKernel): void;
  on(name: "msg:custom", callback: (message: FromKernel) => void): void;
  off(name: "msg:custom", callback: (message: FromKernel) => void): void;
  widget_manager?: unknown;
}
