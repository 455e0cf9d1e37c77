// The words of the state line. kkjupyter/notebook/views/saved_form.py says the same in
// Python; test/cases/saved-form.json holds both to it.

import type { Status } from "../kernel/messages";
import { counted, duration, perSecond, whole, wholeSeconds } from "../text/numbers";

export interface Words {
  glyph: string;
  /** What a narrow view may leave out begins with the second part and goes from the end. */
  parts: string[];
}

/** A stream that has sent nothing for so long says so. */
export const STALLED_AFTER_S = 4;

const GLYPHS = {
  waiting: "◌",
  streaming: "●",
  cancelling: "■",
  done: "✓",
  cancelled: "■",
  failed: "✕",
  lost: "✕",
} as const;

/** What the state line calls it: a stream that has sent nothing yet is waited for. */
export function shownState({ state, count }: Status): Status["state"] {
  return state === "streaming" && !count ? "waiting" : state;
}

/** Whether a run waits for its connection, which is made again. */
export function isReconnecting({ state, reconnecting_s }: Status): boolean {
  return reconnecting_s !== undefined && (state === "waiting" || state === "streaming");
}

/** Whether a stream that runs has stalled, or is slow enough to look like it. */
export function isStalled(status: Status, silence_s: number): boolean {
  const runs = shownState(status) === "streaming" && !isReconnecting(status);
  return runs && silence_s >= STALLED_AFTER_S;
}

/**
 * The state line of `status`.
 *
 * @param rate how much comes per second, null while it is not known
 * @param silence_s for how long no item has come
 */
export function describe(status: Status, rate: number | null = null, silence_s = 0): Words {
  const state = shownState(status);
  if (isReconnecting(status)) {
    const since = `reconnecting … ${wholeSeconds(status.reconnecting_s ?? 0)}`;
    return { glyph: GLYPHS.waiting, parts: status.count ? [since, amount(status)] : [since] };
  }
  const pace = isStalled(status, silence_s)
    ? `nothing for ${wholeSeconds(silence_s)}`
    : rate === null
      ? ""
      : perSecond(rate);
  return { glyph: GLYPHS[state], parts: sentence(state, status, pace).filter(Boolean) };
}

/** The same in one string. */
export function oneLine(status: Status): string {
  const { glyph, parts } = describe(status);
  return `${glyph} ${parts.join(" · ")}`;
}

/** How much has come: of a language model what it has written, else how many items. */
export function amount({
  count,
  written,
  unit = "characters",
}: Pick<Status, "count" | "written" | "unit">): string {
  return written === undefined ? counted(count, "items") : counted(written, unit);
}

function sentence(state: Status["state"], status: Status, pace: string): string[] {
  const { kind, count, error } = status;
  const after = count ? ` after ${amount(status)}` : "";
  const since = status.was_open ? "after opening " : "";
  const first =
    status.first_item_s === null ? "" : `first ${since}${duration(status.first_item_s)}`;
  const came = kind === "unary" ? "" : amount(status);
  switch (state) {
    case "waiting":
      // Tenths are all that can be read of a number that runs.
      return [`waiting ${duration(status.elapsed_s, 0)}`];
    case "streaming":
      return [came, pace, first, duration(status.elapsed_s, 0)];
    case "cancelling":
      return ["cancelling", count ? amount(status) : ""];
    case "done":
      return [came, came && first, duration(status.elapsed_s)];
    case "cancelled":
      return [`${status.left ? "stopped" : "cancelled"}${after}`];
    case "failed":
      return [failure(status)];
    case "lost":
      return [`${error}${after}`];
  }
}

/** `ValueError after 2: something went wrong` */
function failure(status: Status): string {
  const { error, count, written } = status;
  const came = written === undefined ? whole(count) : amount(status);
  const named = /^([^\s:]+)(:.*)?$/s.exec(error);
  const name = named?.[1] ?? "failed";
  const rest = named ? (named[2] ?? "") : error && `: ${error}`;
  return `${name}${count ? ` after ${came}` : ""}${rest}`;
}
