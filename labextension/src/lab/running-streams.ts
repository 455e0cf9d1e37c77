// What runs in one kernel, made of its heartbeats (kkjupyter/notebook/run/heartbeat.py): so streams
// without a view on this page count, too, and a reloaded page need not ask.

import type { Heartbeat, RunState } from "../kernel/messages";

/** A rate is taken over so long at least: two heartbeats may come in the same moment. */
const RATE_OVER_S = 1.5;

/** A stream that runs. Times are those of the page's clock. */
export interface Stream {
  readonly runId: number;
  readonly title: string;
  readonly cellId: string | null;
  readonly state: RunState;
  readonly count: number;
  readonly begunAtMs: number;
  readonly quietSinceMs: number;
  /** Items per second; null until it is known. */
  readonly rate: number | null;
}

interface Sample {
  count: number;
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
    this.streams = streams.map(({ run_id, title, cell_id, state, elapsed_s, quiet_s }) => {
      const count = counts?.[runs?.indexOf(run_id) ?? -1] ?? 0;
      const sample = this.sample(run_id, count, elapsed_s);
      samples.set(run_id, sample);
      return {
        runId: run_id,
        title,
        cellId: cell_id,
        state,
        count,
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

  private sample(runId: number, count: number, elapsedS: number): Sample {
    const last = this.samples.get(runId);
    if (!last) return { count, elapsedS, rate: null };
    const overS = elapsedS - last.elapsedS;
    if (overS < RATE_OVER_S) return last;
    return { count, elapsedS, rate: (count - last.count) / overS };
  }
}
