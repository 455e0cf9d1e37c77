// One round of drawing for all views of a page. Each view that drew in a frame of its own would have
// the page lay out and paint as often as there are views; here all that is pending is drawn in one
// frame, and no more of it than a frame can take.

import { nowMs } from "./clock";
import { pageGlobal } from "./page-globals";

/**
 * Draws what is pending. It only writes: to read the layout (a height, a scroll position) in between
 * would have the page lay out once for each view. A ResizeObserver may read it, after all have drawn.
 */
export type Draw = () => void;

/** What all views together may take of a frame; the next one begins with those that had no turn. */
const BUDGET_MS = 12;

export class FrameQueue {
  /** In the order in which they asked. */
  private readonly waiting = new Set<Draw>();
  private frame = 0;

  /** Have `draw` called in the next frame that has time for it; once, however often it is asked for. */
  request(draw: Draw): void {
    this.waiting.add(draw);
    this.frame ||= requestAnimationFrame(() => this.round());
  }

  cancel(draw: Draw): void {
    this.waiting.delete(draw);
    if (this.waiting.size) return;
    cancelAnimationFrame(this.frame);
    this.frame = 0;
  }

  private round(): void {
    this.frame = 0;
    const untilMs = nowMs() + BUDGET_MS;
    try {
      for (const draw of [...this.waiting]) {
        this.waiting.delete(draw);
        draw();
        if (nowMs() >= untilMs) break;
      }
    } finally {
      // Also if one of them failed: the others are not to wait for it.
      if (this.waiting.size) this.frame ||= requestAnimationFrame(() => this.round());
    }
  }
}

/** The frames of this page: one queue for every copy of this module in it. */
export function frames(): FrameQueue {
  return pageGlobal("kkjupyterFrames", FrameQueue);
}
