import type { Snapshot, Status } from "../../src/kernel/messages";

export function status(changes: Partial<Status> = {}): Status {
  return {
    run_id: 3,
    title: "countdown(5)",
    state: "waiting",
    kind: "stream",
    count: 0,
    elapsed_s: 0,
    first_item_s: null,
    error: "",
    notes: [],
    ...changes,
  };
}

export function snapshot(changes: Partial<Snapshot> = {}): Snapshot {
  const text = changes.text ?? "";
  const view = { view: "text", pane: "text", part: null };
  return { text, end: text.length, left_out: 0, ...view, status: status(), ...changes };
}
