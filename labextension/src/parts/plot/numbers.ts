// The numbers at a plot: at its axes, and in its legend.

import { decimalsFor } from "../../text/numbers";

/** A number at an axis. */
export function tickText(value: number | null): string {
  return value === null ? "" : text(value, decimalsFor(0));
}

/** A value in the legend; a dash where the line has a gap. */
export function valueText(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  const digits = Math.abs(value) < 1 ? 0 : Math.floor(Math.log10(Math.abs(value))) + 1;
  return text(value, decimalsFor(digits));
}

/** Seconds since 1970 as date and time of day; as a number if no date is so far away. */
export function timeText(seconds: number): string {
  const moment = new Date(seconds * 1_000);
  // Sweden writes dates as ISO does, and this in local time.
  return Number.isNaN(moment.getTime()) ? tickText(seconds) : moment.toLocaleString("sv-SE");
}

function text(value: number, decimals: number): string {
  const size = Math.abs(value);
  if (size && (size >= 1e9 || size < 1e-5)) return value.toPrecision(4);
  return value.toLocaleString("en", { maximumFractionDigits: decimals });
}
