// The streams of one notebook's kernel, followed from the opening of the notebook to its closing.

import type { Kernel, KernelMessage } from "@jupyterlab/services";
import { type EndedStream, HEARTBEAT, type Heartbeat, SHUT_DOWN } from "../kernel/messages";
import { measureRoundTrips } from "../kernel/round-trips";
import { nowMs } from "../ui/clock";
import type { NotebookPanel } from "./jupyterlab";
import { RunningStreams, type Stream } from "./running-streams";

/** Without news for so long, nothing is known to run: the kernel may be stopped, or busy for good. */
const STALE_AFTER_MS = 10_000;
/** After so many heartbeats that were announced and did not come, too. */
const MISSED_BEATS = 5;
/** The kernel process ends, and its streams with it. */
const ENDS = ["restarting", "autorestarting", "terminating", "dead"];

/** What a notebook's streams tell. */
export interface StreamsListener {
  changed(): void;
  /** @param beat the id of the message that says so: other notebooks on that kernel hear it, too */
  ended(ended: readonly EndedStream[], beat: string): void;
}

export class NotebookStreams {
  private readonly running = new RunningStreams();
  private timer = 0;

  constructor(
    readonly panel: NotebookPanel,
    private readonly listener: StreamsListener,
  ) {
    const { sessionContext } = panel;
    sessionContext.iopubMessage.connect(this.onMessage);
    sessionContext.statusChanged.connect(this.onStatus);
    sessionContext.connectionStatusChanged.connect(this.onConnection);
    sessionContext.kernelChanged.connect(this.onKernel);
    measureRoundTrips(this.kernel);
  }

  get kernel(): Kernel.IKernelConnection | null {
    return this.panel.sessionContext.session?.kernel ?? null;
  }

  /** How many run. */
  get count(): number {
    return this.running.count;
  }

  /** Those that the kernel names, oldest first. */
  get streams(): readonly Stream[] {
    return this.running.streams;
  }

  dispose(): void {
    clearTimeout(this.timer);
    const { sessionContext } = this.panel;
    sessionContext.iopubMessage.disconnect(this.onMessage);
    sessionContext.statusChanged.disconnect(this.onStatus);
    sessionContext.connectionStatusChanged.disconnect(this.onConnection);
    sessionContext.kernelChanged.disconnect(this.onKernel);
    this.forget();
  }

  private readonly onMessage = (_: unknown, { header, content }: KernelMessage.IMessage) => {
    const type: string = header.msg_type;
    if (type === SHUT_DOWN) this.forget();
    if (type !== HEARTBEAT) return;
    const beat = content as unknown as Heartbeat;
    this.running.hear(beat, nowMs());
    this.wait(beat.next_s);
    this.listener.changed();
    if (beat.ended?.length) this.listener.ended(beat.ended, header.msg_id);
  };

  private readonly onStatus = (_: unknown, status: Kernel.Status) => {
    if (ENDS.includes(status)) this.forget();
  };

  private readonly onConnection = (_: unknown, status: Kernel.ConnectionStatus) => {
    if (status === "disconnected") this.forget();
  };

  private readonly onKernel = () => {
    this.forget();
    measureRoundTrips(this.kernel);
  };

  private wait(next_s: number | null | undefined): void {
    clearTimeout(this.timer);
    if (!this.count || next_s === null) return;
    const staleAfterMs = Math.max(STALE_AFTER_MS, MISSED_BEATS * 1_000 * (next_s ?? 0));
    this.timer = window.setTimeout(() => this.forget(), staleAfterMs);
  }

  private forget(): void {
    clearTimeout(this.timer);
    if (!this.count) return;
    this.running.forget();
    this.listener.changed();
  }
}
