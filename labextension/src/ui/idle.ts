// Work that can wait, done piece by piece while the page has nothing more urgent to do.

import { nowMs } from "./clock";
import { pageGlobal } from "./page-globals";

/** One piece, done when the promise is; who has more asks again. */
export type Work = () => void | Promise<void>;

/** A page that is never idle does one piece in so much time. */
const AT_LATEST_MS = 200;
/** Where nobody tells when the page is idle (Safari): a piece, then so much time for all else. */
const PAUSE_MS = 20;

export class IdleQueue {
  /** In the order in which they asked. */
  private readonly waiting = new Set<Work>();
  private isBusy = false;

  /** Have `work` called once, when there is time for it. */
  request(work: Work): void {
    this.waiting.add(work);
    this.next();
  }

  cancel(work: Work): void {
    this.waiting.delete(work);
  }

  private next(): void {
    if (this.isBusy || !this.waiting.size) return;
    this.isBusy = true;
    whenIdle((leftMs) => void this.round(leftMs));
  }

  /** Work as long as the page is idle; a piece is begun only if there is time for one like the last. */
  private async round(leftMs: () => number): Promise<void> {
    try {
      for (const work of [...this.waiting]) {
        this.waiting.delete(work);
        const startedMs = nowMs();
        await work();
        if (leftMs() <= nowMs() - startedMs) break;
      }
    } finally {
      this.isBusy = false;
      this.next();
    }
  }
}

function whenIdle(callback: (leftMs: () => number) => void): void {
  if (typeof requestIdleCallback === "function") {
    requestIdleCallback((deadline) => callback(() => deadline.timeRemaining()), {
      timeout: AT_LATEST_MS,
    });
  } else {
    setTimeout(() => callback(() => 0), PAUSE_MS);
  }
}

/** The idle time of this page: one queue for every copy of this module in it. */
export function idleTime(): IdleQueue {
  return pageGlobal("kkjupyterIdleTime", IdleQueue);
}
