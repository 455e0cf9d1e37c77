// Counts, times and rates, as a reader takes them in.

/** `unit` in its plural: "1 item", "1,204 characters". */
export function counted(count: number, unit: string): string {
  return count === 1 ? `1 ${unit.slice(0, -1)}` : `${whole(count)} ${unit}`;
}

/** Below `fineBelow` seconds in hundredths, then in tenths, then in whole ones. */
export function duration(seconds: number, fineBelow = 0.995): string {
  if (seconds < fineBelow) return `${seconds.toFixed(2)} s`;
  if (seconds < 59.95) return `${seconds.toFixed(1)} s`;
  const total = Math.round(seconds);
  const [hours, minutes] = [Math.floor(total / 3600), Math.floor((total % 3600) / 60)];
  return hours ? `${hours} h ${pad(minutes)} min` : `${minutes} min ${pad(total % 60)} s`;
}

/** The same without tenths, for what is only known to be about so long. */
export function wholeSeconds(seconds: number): string {
  return seconds < 60 ? `${Math.floor(seconds)} s` : duration(seconds);
}

/** Two significant digits are all that holds still long enough to be read. */
export function perSecond(rate: number): string {
  if (rate < 9.95) return `${rate.toFixed(1)}/s`;
  const step = 10 ** Math.max(0, Math.floor(Math.log10(rate)) - 1);
  return `${whole(Math.round(rate / step) * step)}/s`;
}

export function whole(value: number): string {
  return String(value).replace(/\B(?=(\d{3})+$)/g, ",");
}

/**
 * How many decimals a number is worth that has so many digits before its point: those of its first six
 * digits, but cents stay.
 */
export function decimalsFor(digits: number): number {
  return Math.max(6 - digits, 2);
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}
