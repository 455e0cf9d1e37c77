// How many streams run in a notebook's kernel. The kernel says so (kkjupyter/notebook/running.py):
// when the number changes, and every two seconds while it is not 0. So streams without a view on
// this page count, too, and a reloaded page need not ask.

import type { Message, NotebookPanel } from "./jupyter";

const MESSAGE_TYPE = "kkjupyter_running";
/** Without news for so long, nothing is known to run: the kernel may be stopped, or busy for good. */
const STALE_AFTER_MS = 10_000;
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
  const set = (running: number) => {
    clearTimeout(timer);
    if (running) timer = window.setTimeout(() => set(0), STALE_AFTER_MS);
    if (running === known) return;
    known = running;
    changed(running);
  };
  const onMessage = (_: unknown, { header, content }: Message) => {
    if (header.msg_type === MESSAGE_TYPE) set(Number(content.running) || 0);
  };
  const onStatus = (_: unknown, status: string) => {
    if (ENDS.includes(status)) set(0);
  };
  const onKernel = () => set(0);
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
