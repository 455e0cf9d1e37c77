// What this page's user did to end streams. Of that nobody needs to be told.

import type { Kernel } from "@jupyterlab/services";
import { type EndedStream, VIEW_MESSAGE } from "../kernel/messages";
import { nowMs } from "../ui/clock";

/** Running a cell may cancel streams: its own earlier ones, those of deleted cells, `%rpc cancel`. */
const EFFECT_WITHIN_MS = 5_000;

/** To cancel by number, or by a view. */
interface CancelRequest {
  all?: boolean;
  run_id?: number;
  kind?: string;
}

interface Acts {
  asked: Set<number>;
  /** When all streams were cancelled, or a cell was run. */
  broadAtMs: number;
}

export class OwnCancels {
  private readonly byKernel = new Map<string, Acts>();
  private readonly watched = new WeakSet<object>();

  /** See what this page sends to that kernel. Idempotent. */
  watch(kernel: Kernel.IKernelConnection | null): void {
    if (!kernel || this.watched.has(kernel)) return;
    this.watched.add(kernel);
    kernel.anyMessage.connect((_, { msg, direction }) => {
      if (direction !== "send") return;
      const type: string = msg.header.msg_type;
      if (type === "execute_request") this.actsOf(kernel.id).broadAtMs = nowMs();
      const isCancel = type === "kkjupyter_cancel" || type === VIEW_MESSAGE;
      const { all, run_id, kind = "cancel" } = msg.content as CancelRequest;
      if (!isCancel || kind !== "cancel") return;
      if (all) this.actsOf(kernel.id).broadAtMs = nowMs();
      else if (run_id !== undefined) this.actsOf(kernel.id).asked.add(run_id);
    });
  }

  /** Whether this page's user has cancelled it, or may have; asked once for each that has ended. */
  explain(kernelId: string | undefined, { state, run_id }: EndedStream): boolean {
    const acts = kernelId === undefined ? undefined : this.byKernel.get(kernelId);
    const wasAsked = acts?.asked.delete(run_id) ?? false;
    if (!acts || state !== "cancelled") return false;
    return wasAsked || nowMs() - acts.broadAtMs < EFFECT_WITHIN_MS;
  }

  private actsOf(kernelId: string): Acts {
    const known = this.byKernel.get(kernelId);
    if (known) return known;
    const acts: Acts = { asked: new Set(), broadAtMs: Number.NEGATIVE_INFINITY };
    this.byKernel.set(kernelId, acts);
    return acts;
  }
}
