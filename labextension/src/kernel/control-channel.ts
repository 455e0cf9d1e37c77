// The control channel: the road to the kernel that is open while a cell runs.

export interface Reply {
  status?: string;
  source?: unknown;
  runs?: unknown;
}

interface Future {
  onReply: (reply: { content?: Reply }) => void;
  done?: Promise<unknown>;
}

/** As much of a kernel connection as this needs. */
export interface ControlRoad {
  clientId: string;
  username: string;
  sendControlMessage?(message: object, expectReply: boolean, disposeOnDone: boolean): Future;
}

/**
 * Ask the kernel something.
 *
 * @param answered gets the content of the reply, unless that is a refusal
 * @param refused is called if it is one
 * @returns false where there is no such road, or it cannot be taken now
 */
export function askOnControl(
  kernel: ControlRoad | null | undefined,
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
    const future = kernel.sendControlMessage({ ...message, buffers: [] }, true, true);
    future.onReply = ({ content: reply }) => {
      if (reply?.status === "ok") answered(reply);
      else refused();
    };
    // It rejects when the kernel ends first. Whoever asked waits no longer than it has to.
    future.done?.catch(() => {});
    return true;
  } catch (error) {
    console.warn("kkjupyter: the control channel is closed", error);
    return false;
  }
}
