// What travels between the kernel and the page, and what anywidget hands to a module.
// The Python side is kkjupyter/notebook/run_status.py and output/widget.py.

import type { IMimeBundle } from "@jupyterlab/nbformat";

/** `lost` is known to the page only: there is no kernel left to say so. */
export type RunState =
  | "waiting"
  | "streaming"
  | "cancelling"
  | "done"
  | "cancelled"
  | "failed"
  | "lost";

export interface Status {
  run_id: number;
  title: string;
  state: RunState;
  kind: "unary" | "stream" | null;
  count: number;
  elapsed_s: number;
  first_item_s: number | null;
  error: string;
  notes: string[];
  /** The stream was open already when it was given, so its times count from then. */
  was_open?: boolean;
}

/** What a model starts from: at its making, after a reload, after a gap too large to mend. */
export interface Snapshot {
  text: string;
  /** The offset, in UTF-16 units, at which the next delta begins. */
  end: number;
  /** How many units are missing in the middle of `text`. */
  left_out: number;
  view: string;
  /** What draws the text. */
  pane: string;
  /** The id of the part that has that pane; null where every page does. */
  part: string | null;
  /** The run is over, and its text is sent to whoever shows it and asks. */
  withheld?: boolean;
  status: Status;
}

/** An output in all its forms, by MIME type. */
export type Bundle = IMimeBundle;

/** What the kernel says of a run when it is asked; the rest is null if it does not know the run. */
export type Report =
  | { known: true; state: Status; end: number }
  | { known: false; state: null; end: null };

/** The type of the message that holds a {@link Heartbeat}; JupyterLab's types list Jupyter's own only. */
export const HEARTBEAT: string = "kkjupyter_running";

/** The kernel's heartbeat: what runs, and when it will be said again (null: not before news). */
export interface Heartbeat {
  running: number;
  /** The ids; null if there are too many to name. */
  runs?: number[] | null;
  /** How many items each of `runs` has had. */
  counts?: number[] | null;
  next_s?: number | null;
  /** The oldest of those that run, for a list of them. */
  streams?: RunningStream[];
  /** What has ended since the message before. */
  ended?: EndedStream[];
}

interface NamedStream {
  run_id: number;
  title: string;
  /** The cell that it belongs to, where the front end told the kernel. */
  cell_id: string | null;
  state: RunState;
}

export interface RunningStream extends NamedStream {
  elapsed_s: number;
  /** For how long its count has not changed. */
  quiet_s: number;
}

export interface EndedStream extends NamedStream {
  kind: "unary" | "stream" | null;
  count: number;
  elapsed_s: number;
  error: string;
  /** Its cell was over before it: it ended in the background. */
  outlived_cell: boolean;
}

export type FromKernel =
  | { kind: "delta"; offset: number; text: string; status: Status }
  | ({ kind: "reset" } & Snapshot)
  | { kind: "end"; end: number; status: Status }
  | ({ kind: "ack" | "state" } & Report)
  | { kind: "copy"; text: string }
  | { kind: "part"; id: string; source: string | null }
  | { kind: "bundle"; bundle: Bundle };

export type ToKernel =
  | { kind: "cancel" | "state" }
  | { kind: "need"; offset: number }
  | { kind: "copy" }
  | { kind: "part"; id: string }
  | { kind: "bundle" }
  | { kind: "saved" };

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
