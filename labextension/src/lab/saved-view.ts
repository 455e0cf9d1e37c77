// A saved output, drawn as the live view was: from what is in the notebook, without a kernel.

import type { ReadonlyPartialJSONObject } from "@lumino/coreutils";
import type { RunState, Status } from "../kernel/messages";
import { OWN_PANES } from "../panes/own-panes";
import type { PaneContext } from "../panes/pane";
import { PaneContainer } from "../panes/pane-container";
import { loadPartWithoutKernel } from "../panes/part-loader";
import { Run } from "../run/run";
import { MIME_TYPE } from "../run/saved-form";
import { StateLine } from "../run/state-line";
import { oneLine } from "../run/status-text";
import { suppressShortcuts } from "../ui/button";
import { partOf } from "./part-urls";

const STATES: readonly RunState[] = ["done", "cancelled", "failed", "lost"];

export interface Saved {
  readonly element: HTMLElement;
  /** It is in the page now: what shows its newest part can only now be scrolled there. */
  attached(): void;
  dispose(): void;
}

/** What is saved, drawn; null if this version cannot draw it. Rejects without the part it needs. */
export async function drawSaved(
  bundle: ReadonlyPartialJSONObject,
  typeset: PaneContext["typeset"],
): Promise<Saved | null> {
  const run = savedRun(bundle);
  if (!run) return null;
  if (run.part) await loadPartWithoutKernel(run.part);
  const { run_id, title } = run.status;
  const container = new PaneContainer(run, { label: title, typeset }, loadPartWithoutKernel);
  const line = new StateLine(run, {
    cancel: () => {},
    getText: async () => container.copied(run.text),
  });
  line.element.dataset.kkjRun = String(run_id);
  const element = document.createElement("div");
  element.className = "kkj kkj-static";
  suppressShortcuts(element);
  element.append(line.element, container.element);
  return {
    element,
    attached: () => requestAnimationFrame(() => container.append("")),
    dispose: () => {
      line.dispose();
      container.dispose();
    },
  };
}

function savedRun(bundle: ReadonlyPartialJSONObject): Run | null {
  const saved = bundle[MIME_TYPE] as Record<string, unknown> | undefined;
  const status = saved && statusOf(saved);
  if (!saved || !status) return null;
  const { view = "text", left_out = 0, source } = saved;
  const pane = String(saved.pane);
  const part = partOf(pane) ?? null;
  // A view of the user's own, or of a later version: its HTML is all there is.
  if (!part && !OWN_PANES.includes(pane)) return null;
  const text = typeof source === "string" ? source : plainText(bundle, status);
  return new Run(() => {}, {
    text,
    end: text.length,
    left_out: Number(left_out),
    view: String(view),
    pane,
    part,
    status,
  });
}

/** The status in it, or null: anybody can write a notebook. */
function statusOf(saved: Record<string, unknown>): Status | null {
  const { run_id, title, state, kind, count, elapsed_s, first_item_s, error, notes, was_open } =
    saved;
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
    was_open: was_open === true,
    ...writtenIn(saved),
  };
}

/** What a language model has written, as far as the output says so. */
function writtenIn({ written, unit, model }: Record<string, unknown>): Partial<Status> {
  if (typeof written !== "number") return {};
  return {
    written,
    unit: unit === "tokens" ? unit : "characters",
    model: typeof model === "string" ? model : "",
  };
}

/** `text/plain` without the line at its end that says how it ended. */
function plainText(bundle: ReadonlyPartialJSONObject, status: Status): string {
  const saved = bundle["text/plain"] ?? "";
  const text = Array.isArray(saved) ? saved.join("") : String(saved);
  const note = `[${oneLine(status)}]`;
  return status.state !== "done" && text.endsWith(note) ? text.slice(0, -note.length) : text;
}
