// What travels between the kernel and the page. The Python side is kkjupyter/notebook/run_status.py
// and output/live_output.py.

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

export type Unit = "tokens" | "characters";

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
  /** A loop over the stream was left before its end, which has cancelled it. */
  left?: boolean;
  /** How much a language model has written, in which unit, and its name; of other streams nothing. */
  written?: number;
  unit?: Unit;
  model?: string;
  /** For how long its connection has been broken, while the kernel makes it again. */
  reconnecting_s?: number;
}

/** What a run starts from: at its making, after a reload, after a gap too large to mend. */
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

/** What the kernel says of a run when it is asked: how it is, and where its text ends. */
export interface Report {
  state: Status;
  end: number;
}

/** The type of what an output tells all pages, and of what they ask about it on the control channel. */
export const VIEW_MESSAGE: string = "kkjupyter_view";
/** The kernel asks which pages have the lab extension; they answer with {@link PAGE_MESSAGE}. */
export const HELLO: string = "kkjupyter_hello";
export const PAGE_MESSAGE: string = "kkjupyter_page";

/** The type of the message that holds a {@link Heartbeat}; JupyterLab's types list Jupyter's own only. */
export const HEARTBEAT: string = "kkjupyter_running";

/** What a kernel says last, to everybody, when it is shut down; its status tells so seconds later. */
export const SHUT_DOWN: string = "shutdown_reply";

export interface ShutDown {
  /** Whether another process follows. */
  restart?: boolean;
}

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
  /** As in {@link Status}. */
  written?: number;
  unit?: Unit;
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
  | { kind: "bundle"; bundle: Bundle }
  /** The same was asked for once more: this has taken the place of the output. */
  | { kind: "again"; bundle: Bundle | null }
  /** It will be asked for. */
  | { kind: "asked" }
  /** Whether it can be asked for once more. */
  | { kind: "askable"; again: boolean }
  /** The kernel does not know what was asked about. Said on the control channel only. */
  | { kind: "unknown" };

export type ToKernel =
  /** The kernel goes by the key of the output; the number of the run is for who listens. */
  | { kind: "cancel"; run_id: number }
  | { kind: "state" | "snapshot" | "copy" | "bundle" | "saved" | "again" | "askable" }
  | { kind: "need"; offset: number }
  | { kind: "part"; id: string };

/** The live output of one run, or of several in columns, and the saved one: by {@link MIME_TYPE}. */
export const MIME_TYPE = "application/vnd.kkjupyter.v1+json";
