// How far something is, in words. The Python side is kkjupyter/notebook/views/progress.py.

import type { RunState } from "../../kernel/messages";
import { duration } from "../../text/numbers";

const RATE_WINDOW_S = 30;
const HOW_IT_ENDED: Partial<Record<RunState, string>> = {
  done: "ended at",
  cancelled: "cancelled at",
  failed: "failed at",
  lost: "lost at",
};

export interface Mark {
  atS: number;
  done: number;
  /** null if it is not known of how much. */
  total: number | null;
  label: string;
}

/** The marks in some lines of the source; others are passed over. */
export function readMarks(lines: readonly string[]): Mark[] {
  return lines.flatMap((line) => {
    try {
      const [atS, done, total, label] = JSON.parse(line) as [number, number, number | null, string];
      return [{ atS, done, total, label }];
    } catch {
      return [];
    }
  });
}

export function shareOf({ done, total }: Mark): number | null {
  return total ? Math.min(Math.max(done / total, 0), 1) : null;
}

/** Those that the rate is still made of. */
export function recent(marks: Mark[]): Mark[] {
  const newest = marks.at(-1);
  return newest ? marks.filter(({ atS }) => newest.atS - atS <= RATE_WINDOW_S) : [];
}

/** Whether the end of the run is also the end of the work. */
export function isComplete(mark: Mark, state: RunState | null): boolean {
  return state === "done" && (mark.total === null || shareOf(mark) === 1);
}

/**
 * `62 % · 62 of 100 · 8.1/s · 4.7 s left`. Of what is over, no time is left; what did not reach its
 * total says so: `cancelled at 62 % · 62 of 100`.
 *
 * @param state null if it is only known to be over
 */
export function figures(marks: readonly Mark[], state: RunState | null): string {
  const newest = marks.at(-1);
  const since = marks.find(({ atS }) => newest && newest.atS - atS <= RATE_WINDOW_S);
  if (!newest || !since) return "";
  const { done, total } = newest;
  const share = shareOf(newest);
  const passedS = newest.atS - since.atS;
  const rate = passedS > 0 ? (done - since.done) / passedS : 0;
  const ended = state && HOW_IT_ENDED[state];
  const parts: string[] = [];
  if (share !== null) parts.push(`${Math.floor(share * 100)} %`);
  if (total === null) parts.push(`${number(done, 6)} done`);
  else if (total !== 1) parts.push(`${number(done, 6)} of ${number(total, 6)}`);
  if (rate > 0 && total !== 1) parts.push(`${number(rate, 3)}/s`);
  if (rate > 0 && total !== null && done < total && state && !ended) {
    parts.push(`${duration((total - done) / rate, 0)} left`);
  }
  if (ended && !isComplete(newest, state)) parts[0] = `${ended} ${parts[0]}`;
  return parts.join(" · ");
}

/** The same after the label, if there is one. */
export function describeProgress(marks: readonly Mark[], state: RunState | null): string {
  const label = marks.at(-1)?.label;
  return label ? `${label} · ${figures(marks, state)}` : figures(marks, state);
}

function number(value: number, digits: number): string {
  const isWhole = Number.isInteger(value);
  return value.toLocaleString("en", isWhole ? {} : { maximumSignificantDigits: digits });
}
