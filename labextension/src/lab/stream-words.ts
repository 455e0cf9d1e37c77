// What is said of streams where there is room for a few words: in the list of what runs, on the
// toolbar button, in notices.

import type { EndedStream } from "../kernel/messages";
import { amount, STALLED_AFTER_S } from "../run/status-text";
import { duration, perSecond } from "../text/numbers";
import type { Stream } from "./running-streams";

/** JupyterLab cuts a longer notice. */
const NOTICE_LENGTH = 140;
const TITLE_LENGTH = 60;

/** `120/s`, `waiting 3 s`, `nothing for 8 s` */
export function stateWords(stream: Stream, nowMs: number): string {
  const { state, count, rate, begunAtMs, quietSinceMs } = stream;
  if (state === "cancelling") return "cancelling";
  if (!count) return `waiting ${since(begunAtMs, nowMs)}`;
  if (nowMs - quietSinceMs >= 1_000 * STALLED_AFTER_S)
    return `nothing for ${since(quietSinceMs, nowMs)}`;
  return rate ? perSecond(rate) : amount(stream);
}

/** In whole seconds, then minutes: what is read at a glance need not run. */
function since(beganAtMs: number, nowMs: number): string {
  const seconds = Math.max(0, Math.floor((nowMs - beganAtMs) / 1_000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** `Cancel stream`, `Cancel 3 streams` */
export function cancelWords(running: number): string {
  return running === 1 ? "Cancel stream" : `Cancel ${running} streams`;
}

/** `5 streams`, for those that are counted and not named. */
export function moreWords(more: number): string {
  return more === 1 ? "1 more stream" : `${more} more streams`;
}

export interface Notice {
  kind: "success" | "info" | "error";
  text: string;
}

/** One notice of all that ended; at least one did. */
export function noticeOf(ended: readonly EndedStream[]): Notice {
  const [first] = ended;
  if (ended.length === 1 && first) return { kind: kindOf(first), text: cut(sentence(first)) };
  const number = (state: string) => ended.filter((one) => one.state === state).length;
  const [done, cancelled, failed] = [number("done"), number("cancelled"), number("failed")];
  const parts = [
    done && `${done} finished`,
    cancelled && `${cancelled} cancelled`,
    failed && `${failed} failed`,
  ].filter(Boolean);
  const kind = failed ? "error" : cancelled ? "info" : "success";
  return { kind, text: `${ended.length} streams ended: ${parts.join(", ")}` };
}

function kindOf({ state }: EndedStream): Notice["kind"] {
  return state === "failed" ? "error" : state === "cancelled" ? "info" : "success";
}

function sentence(end: EndedStream): string {
  const { title, state, kind, count, elapsed_s, error } = end;
  const name = cut(title, TITLE_LENGTH);
  const after = count ? ` after ${amount(end)}` : "";
  if (state === "failed") return `${name} failed${after}: ${error}`;
  if (state === "cancelled") return `${name} was cancelled${after}`;
  const came = kind === "unary" ? "" : `${amount(end)}, `;
  return `${name} finished: ${came}${duration(elapsed_s)}`;
}

function cut(text: string, length = NOTICE_LENGTH): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}
