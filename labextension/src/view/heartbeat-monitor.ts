// A page may miss the end of a run: a connection broke, a laptop slept, a message was dropped. The
// kernel's heartbeat (kkjupyter/notebook/run/heartbeat.py) tells what runs; when it does not name the run,
// or is not heard, or tells of more than has come, and when Cancel has no effect, the kernel is asked.

import { HEARTBEAT, type Heartbeat, SHUT_DOWN, type ShutDown } from "../kernel/messages";
import { nowMs } from "../ui/clock";
import type { ShownRun } from "./shown-run";

/** So long nothing needs to be heard of a run; from one question to the next it doubles. */
const SILENCE_MS = 8_000;
/** The first heartbeat comes soon, the effect of a cancel, too. */
const SHORT_SILENCE_MS = 3_000;
/** Questions are activity, too: they end, as the heartbeat does, and begin anew with any news. */
const LONGEST_SILENCE_MS = 300_000;
/** A view is drawn a moment before its run begins. */
const BEGINS_WITHIN_MS = 2_000;

/** Find out when a run has ended and this page was not told. Returns how to stop. */
export function monitorRun({ run, link, notebook }: ShownRun): () => void {
  const begunAt = nowMs();
  let silenceMs = SHORT_SILENCE_MS;
  let heardAt = begunAt;
  let questions = 0;
  let timer = 0;
  let session: string | undefined;
  let isCancelling = false;
  let countAtLastBeat = 0;

  const allowedMs = () => (isCancelling ? SHORT_SILENCE_MS : silenceMs) * 2 ** questions;
  const wait = (forMs: number) => {
    clearTimeout(timer);
    timer = forMs > LONGEST_SILENCE_MS ? 0 : window.setTimeout(look, forMs);
  };
  const waitAnew = () => {
    heardAt = nowMs();
    questions = 0;
    wait(allowedMs());
  };
  const look = () => {
    const leftMs = heardAt + allowedMs() - nowMs();
    if (leftMs > 0) wait(leftMs);
    else question();
  };
  const question = () => {
    link?.send({ kind: "state" });
    questions += 1;
    heardAt = nowMs();
    wait(allowedMs());
  };
  const hear = () => {
    // While a cancel has no effect, it is no news that the stream goes on.
    if (isCancelling) return;
    if (timer && !questions) heardAt = nowMs();
    else waitAnew();
  };
  const beat = ({ runs, counts, next_s = 0 }: Heartbeat) => {
    const place = runs?.indexOf(run.status.run_id);
    if (place === -1) {
      if (nowMs() - begunAt > BEGINS_WITHIN_MS) question();
      return;
    }
    const count = counts?.[place ?? 0] ?? 0;
    // Had it only just come, it might still be on its way.
    const isLost = count > run.status.count && count === countAtLastBeat;
    countAtLastBeat = count;
    if (isLost) question();
    else run.ask(true);
    silenceMs = next_s === null ? Infinity : Math.max(SILENCE_MS, 3_000 * next_s + 2_000);
    hear();
    // The kernel lives, and has not heard the cancel.
    if (run.cancelStep === "busy") link?.send({ kind: "cancel", run_id: run.status.run_id });
  };

  const stops = [
    run.listen({
      appended: hear,
      replaced: hear,
      changed: () => {
        if (run.over) stop();
        else if (isCancelling !== (run.cancelStep !== "none")) {
          isCancelling = !isCancelling;
          waitAnew();
        }
      },
    }),
    notebook.onKernelMessage(({ header, parent_header, content }) => {
      const type: string = header.msg_type;
      const isBeat = type === HEARTBEAT;
      if (type === SHUT_DOWN) {
        run.lose((content as ShutDown).restart ? "kernel restarted" : "kernel stopped");
      }
      // What belongs to no request may be the server's.
      if (!isBeat && !parent_header?.msg_id) return;
      session ??= header.session;
      // Another process, of which this one was not told.
      if (session !== header.session) run.lose("kernel restarted");
      else if (isBeat) beat(content as Heartbeat);
    }),
    notebook.onReconnected(question),
  ];
  const stop = () => {
    clearTimeout(timer);
    for (const one of stops) one();
  };
  wait(allowedMs());
  if (run.over) stop();
  return stop;
}
