// How many streams run in a notebook's kernel. The kernel says so (kkjupyter/notebook/run/heartbeat.py):
// when the number changes, and now and then while it is not 0. So streams without a view on this
// page count, too, and a reloaded page need not ask.

import type { Kernel, KernelMessage } from "@jupyterlab/services";
import type { Heartbeat } from "../kernel/messages";
import { HEARTBEAT } from "../kernel/messages";
import { measureRoundTrips } from "../kernel/round-trips";
import type { NotebookPanel } from "./jupyterlab";

/** Without news for so long, nothing is known to run: the kernel may be stopped, or busy for good. */
const STALE_AFTER_MS = 10_000;
/** After so many heartbeats that were announced and did not come, too. */
const MISSED_BEATS = 5;
/** The kernel process ends, and its streams with it. */
const ENDS = ["restarting", "autorestarting", "terminating", "dead"];

/**
 * @param changed called with each new number; the first is above 0
 * @returns how to stop
 */
export function watchRunning(panel: NotebookPanel, changed: (running: number) => void): () => void {
  const { sessionContext } = panel;
  let known = 0;
  let timer = 0;
  const set = (running: number, next_s: number | null = 0) => {
    clearTimeout(timer);
    if (running && next_s !== null) {
      const staleAfterMs = Math.max(STALE_AFTER_MS, MISSED_BEATS * 1_000 * next_s);
      timer = window.setTimeout(() => set(0), staleAfterMs);
    }
    if (running === known) return;
    known = running;
    changed(running);
  };
  const onMessage = (_: unknown, { header, content }: KernelMessage.IMessage) => {
    if (header.msg_type !== HEARTBEAT) return;
    const { running, next_s } = content as unknown as Heartbeat;
    set(Number(running) || 0, next_s);
  };
  const onStatus = (_: unknown, status: Kernel.Status) => {
    if (ENDS.includes(status)) set(0);
  };
  const measure = () => measureRoundTrips(sessionContext.session?.kernel);
  const onKernel = () => {
    set(0);
    measure();
  };
  measure();
  sessionContext.iopubMessage.connect(onMessage);
  sessionContext.statusChanged.connect(onStatus);
  sessionContext.kernelChanged.connect(onKernel);
  return () => {
    clearTimeout(timer);
    sessionContext.iopubMessage.disconnect(onMessage);
    sessionContext.statusChanged.disconnect(onStatus);
    sessionContext.kernelChanged.disconnect(onKernel);
  };
}
