// What runs in one kernel, made of its heartbeats (kkjupyter/notebook/run/heartbeat.py): so streams
// without a view on this page count, too, and a reloaded page need not ask.

import type { Heartbeat, RunState, Unit } from "../kernel/messages";

/** A rate is taken over so long at least: two heartbeats may come in the same moment. */
const RATE_OVER_S = 1.5;

/** A stream that runs. Times are those of the page's clock. */
export interface Stream {
  readonly runId: number;
  readonly title: string;
  readonly cellId: string | null;
  readonly state: RunState;
  readonly count: number;
  /** As in the status of a run. */
  readonly written?: number;
  readonly unit?: Unit;
  readonly begunAtMs: number;
  readonly quietSinceMs: number;
  /** How much comes per second; null until it is known. */
  readonly rate: number | null;
}

interface Sample {
  amount: number;
  unit: Unit | undefined;
  elapsedS: number;
  rate: number | null;
}

export class RunningStreams {
  /** How many run; there may be more than are named. */
  count = 0;
  streams: readonly Stream[] = [];
  private samples = new Map<number, Sample>();

  hear(beat: Heartbeat, nowMs: number): void {
    const { runs, counts, streams = [] } = beat;
    const samples = new Map<number, Sample>();
    this.count = Number(beat.running) || 0;
    this.streams = streams.map((stream) => {
      const { run_id, title, cell_id, state, written, unit, elapsed_s, quiet_s } = stream;
      const count = counts?.[runs?.indexOf(run_id) ?? -1] ?? 0;
      const sample = this.sample(run_id, written ?? count, unit, elapsed_s);
      samples.set(run_id, sample);
      return {
        runId: run_id,
        title,
        cellId: cell_id,
        state,
        count,
        ...(written === undefined ? {} : { written }),
        ...(unit === undefined ? {} : { unit }),
        begunAtMs: nowMs - 1_000 * elapsed_s,
        quietSinceMs: nowMs - 1_000 * quiet_s,
        rate: sample.rate,
      };
    });
    this.samples = samples;
  }

  /** Nothing runs there any more, or nobody knows. */
  forget(): void {
    this.count = 0;
    this.streams = [];
    this.samples.clear();
  }

  private sample(runId: number, amount: number, unit: Unit | undefined, elapsedS: number): Sample {
    const last = this.samples.get(runId);
    // That an answer is counted in tokens may turn out while it is written.
    if (!last || last.unit !== unit) return { amount, unit, elapsedS, rate: null };
    const overS = elapsedS - last.elapsedS;
    if (overS < RATE_OVER_S) return last;
    return { amount, unit, elapsedS, rate: (amount - last.amount) / overS };
  }
}
