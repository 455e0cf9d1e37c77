// The control channel: the way to the kernel that is open while a cell runs.

import type { KernelMessage } from "@jupyterlab/services";
import type { KernelConnection } from "./connection";
import type { FromKernel } from "./messages";

/** What may be in the content of a reply. */
export interface Reply {
  status?: string;
  runs?: unknown;
  known?: boolean;
  answer?: FromKernel | null;
}

/**
 * Ask the kernel something.
 *
 * @param answered gets the content of the reply, unless that is a refusal
 * @param refused is called if it is one
 * @returns false where there is no control channel, or it is closed
 */
export function askOnControl(
  kernel: KernelConnection | null | undefined,
  type: string,
  content: object,
  answered: (content: Reply) => void,
  refused: () => void = () => {},
): boolean {
  if (!kernel?.sendControlMessage) return false;
  const header = {
    msg_id: crypto.randomUUID?.() ?? `kkjupyter-${Date.now()}-${Math.random()}`,
    msg_type: type,
    username: kernel.username,
    session: kernel.clientId,
    date: new Date().toISOString(),
    version: "5.3",
  };
  try {
    const message = { header, parent_header: {}, metadata: {}, content, channel: "control" };
    // JupyterLab's types name the messages of debuggers only; it sends any other as well.
    const known = { ...message, buffers: [] } as unknown as KernelMessage.IControlMessage;
    const future = kernel.sendControlMessage(known, true, true);
    future.onReply = (answer) => {
      const reply = answer.content as Reply;
      if (reply.status === "ok") answered(reply);
      else refused();
    };
    // It rejects when the kernel ends first. Whoever asked waits no longer than it has to.
    future.done.catch(() => {});
    return true;
  } catch (error) {
    console.warn("kkjupyter: the control channel is closed", error);
    return false;
  }
}
