// How long the kernel takes to answer, as seen in the messages that go to it and come from it anyway.
// Nothing is sent to measure it.

import { nowMs } from "../ui/clock";
import { pageGlobal } from "../ui/page-globals";
import type { KernelConnection } from "./connection";

/** The newest round trips of each kernel connection, for every copy of this module in the page. */
const ROUND_TRIPS = "kkjupyterRoundTrips";
const KEPT = 3;
const PENDING_LIMIT = 20;
const LONGEST_MS = 10_000;

/** An answer is missed after so many round trips, and never before the least or after the most. */
const PATIENCE_ROUND_TRIPS = 3;
const PATIENCE_LEAST_MS = 2_000;
/** While no round trip was seen: so long one may take. */
const UNKNOWN_MS = 1_500;

/** Take the round trips of `kernel` from now on. Idempotent. */
export function measureRoundTrips(kernel: KernelConnection | null | undefined): void {
  if (!kernel?.anyMessage || roundTrips().has(kernel)) return;
  const taken: number[] = [];
  roundTrips().set(kernel, taken);
  const sentAt = new Map<string, number>();
  kernel.anyMessage.connect((_, { msg, direction }) => {
    if (direction === "send") {
      // To a busy kernel's shell, the answer is as late as that is busy.
      const isAnsweredAtOnce = msg.channel === "control" || kernel.status === "idle";
      if (isAnsweredAtOnce && sentAt.size < PENDING_LIMIT) {
        sentAt.set(msg.header.msg_id, nowMs());
      } else if (sentAt.size >= PENDING_LIMIT) sentAt.clear(); // these were never answered
      return;
    }
    const id = msg.parent_header?.msg_id ?? "";
    const at = sentAt.get(id);
    if (at === undefined) return;
    sentAt.delete(id);
    taken.push(Math.min(nowMs() - at, LONGEST_MS));
    if (taken.length > KEPT) taken.shift();
  });
}

/** How long to wait before an answer of `kernel` is missed. */
export function patienceMs(kernel: KernelConnection | null | undefined): number {
  const taken = (kernel && roundTrips().get(kernel)) ?? [];
  const longest = taken.length ? Math.max(...taken) : UNKNOWN_MS;
  return Math.max(PATIENCE_LEAST_MS, PATIENCE_ROUND_TRIPS * longest);
}

function roundTrips(): WeakMap<object, number[]> {
  return pageGlobal(ROUND_TRIPS, WeakMap<object, number[]>);
}
