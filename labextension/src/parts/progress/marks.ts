// How far something is, in words. The Python side is kkjupyter/notebook/views/progress.py.

import { duration } from "../../text/numbers";

const RATE_WINDOW_S = 30;

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

/** `62 % · 62 of 100 · 8.1/s · 4.7 s left`; of what is over, no time is left. */
export function describeProgress(marks: readonly Mark[], isOver = false): string {
  const newest = marks.at(-1);
  const since = marks.find(({ atS }) => newest && newest.atS - atS <= RATE_WINDOW_S);
  if (!newest || !since) return "";
  const { done, total, label } = newest;
  const share = shareOf(newest);
  const passedS = newest.atS - since.atS;
  const rate = passedS > 0 ? (done - since.done) / passedS : 0;
  const parts = label ? [label] : [];
  if (share !== null) parts.push(`${Math.floor(share * 100)} %`);
  if (total === null) parts.push(`${number(done, 6)} done`);
  else if (total !== 1) parts.push(`${number(done, 6)} of ${number(total, 6)}`);
  if (rate > 0 && total !== 1) parts.push(`${number(rate, 3)}/s`);
  if (rate > 0 && total !== null && done < total && !isOver) {
    parts.push(`${duration((total - done) / rate, 0)} left`);
  }
  return parts.join(" · ");
}

function number(value: number, digits: number): string {
  const isWhole = Number.isInteger(value);
  return value.toLocaleString("en", isWhole ? {} : { maximumSignificantDigits: digits });
}
