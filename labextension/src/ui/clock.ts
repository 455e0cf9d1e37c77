/** Milliseconds, of a clock that is never set. */
export function nowMs(): number {
  return performance.now();
}
