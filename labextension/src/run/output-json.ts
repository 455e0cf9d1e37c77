// What an output of a notebook says of a run, or of several in columns: the JSON of
// kkjupyter/notebook/output/live_output.py while it runs, and of views/saved_form.py when it is over.

import {
  type Bundle,
  MIME_TYPE,
  type RunState,
  type Snapshot,
  type Status,
} from "../kernel/messages";
import { isOver } from "./run";
import { noteOf, type WrittenBefore } from "./saved-form";

const STATES: readonly RunState[] = [
  "waiting",
  "streaming",
  "cancelling",
  "done",
  "cancelled",
  "failed",
  "lost",
];

/** A run as the notebook has it. */
export interface RunOutput {
  /** The id by which its kernel knows it; "" in files of an earlier version. */
  key: string;
  /** Above its column. */
  name: string;
  snapshot: Snapshot;
}

export interface Output {
  key: string;
  /** The runs of a comparison; one run stands alone. */
  runs: RunOutput[];
  isComparison: boolean;
  /** It was not over when this was written. */
  isLive: boolean;
  /** The answers before this one, oldest first. */
  earlier: EarlierAnswers;
  /** Its kernel could ask for it once more when this was written. */
  canAsk: boolean;
}

export interface EarlierAnswers extends WrittenBefore {
  runs: RunOutput[];
}

type Json = Record<string, unknown>;

/**
 * What this output says; null if this version cannot read it: anybody can write a notebook.
 *
 * @param partOf the id of the part that has a pane; undefined if this page knows no such pane
 */
export function outputOf(
  data: Partial<Bundle>,
  partOf: (pane: string) => string | null | undefined,
): Output | null {
  const json = data[MIME_TYPE] as Json | undefined;
  if (!json) return null;
  const plain = joined(data["text/plain"]);
  const isComparison = Array.isArray(json.columns);
  const given = isComparison ? (json.columns as Json[]) : [json];
  const read = (one: Json) => {
    return runOf(one, isComparison || one.at ? within(plain, one.at) : plain, partOf);
  };
  const runs = given.map(read);
  if (!runs.length || runs.includes(null)) return null;
  const known = runs as RunOutput[];
  const isLive = known.some(({ snapshot }) => !isOver(snapshot.status));
  const before = Array.isArray(json.earlier) ? (json.earlier as unknown[]) : [];
  const earlier = before.map((one) => (one instanceof Object ? read(one as Json) : null));
  return {
    key: String(json.key ?? ""),
    runs: known,
    isComparison,
    isLive,
    earlier: {
      runs: earlier.filter((one) => one !== null),
      leftOut: Number(json.earlier_left_out) || 0,
    },
    canAsk: json.again === true,
  };
}

/** The key of a live output; "" for any other. */
export function liveKeyOf(data: Partial<Bundle> | undefined): string {
  const json = data?.[MIME_TYPE] as Json | undefined;
  const runs = (json?.columns ?? [json]) as { state?: RunState }[];
  const isLive = runs.some((one) => one?.state && !isOver({ state: one.state }));
  return isLive ? String(json?.key ?? "") : "";
}

function runOf(
  json: Json,
  plain: string,
  partOf: (pane: string) => string | null | undefined,
): RunOutput | null {
  const status = statusOf(json);
  const pane = String(json.pane);
  const part = typeof json.part === "string" ? json.part : partOf(pane);
  // A view of the user's own, or of a later version: its HTML is all there is.
  if (!status || part === undefined) return null;
  const { view = "text", left_out = 0, source, end } = json;
  const text = typeof source === "string" ? source : withoutNote(plain, status);
  const snapshot = {
    text,
    end: typeof end === "number" ? end : text.length,
    left_out: Number(left_out),
    view: String(view),
    pane,
    part,
    status,
  };
  return { key: String(json.key ?? ""), name: String(json.name ?? ""), snapshot };
}

function statusOf(json: Json): Status | null {
  const { run_id, title, state, kind, count, elapsed_s, first_item_s, error, notes } = json;
  const known = STATES.find((one) => one === state);
  if (!known || typeof count !== "number" || typeof elapsed_s !== "number") return null;
  return {
    run_id: Number(run_id),
    title: String(title),
    state: known,
    kind: kind === "unary" || kind === "stream" ? kind : null,
    count,
    elapsed_s,
    first_item_s: typeof first_item_s === "number" ? first_item_s : null,
    error: typeof error === "string" ? error : "",
    notes: Array.isArray(notes) ? notes.map(String) : [],
    was_open: json.was_open === true,
    left: json.left === true,
    ...(typeof json.reconnecting_s === "number" ? { reconnecting_s: json.reconnecting_s } : {}),
    ...writtenIn(json),
  };
}

/** What a language model has written, as far as the output says so. */
function writtenIn({ written, unit, model }: Json): Partial<Status> {
  if (typeof written !== "number") return {};
  return {
    written,
    unit: unit === "tokens" ? unit : "characters",
    model: typeof model === "string" ? model : "",
  };
}

/** `text/plain` without the line at its end that says how it ended, or that it had not. */
function withoutNote(text: string, status: Status): string {
  const note = noteOf(status);
  return note && text.endsWith(note) ? text.slice(0, -note.length) : text;
}

function within(text: string, at: unknown): string {
  const [start, end] = Array.isArray(at) ? at.map(Number) : [0, 0];
  return text.slice(start, end);
}

function joined(text: unknown): string {
  return Array.isArray(text) ? text.join("") : String(text ?? "");
}
