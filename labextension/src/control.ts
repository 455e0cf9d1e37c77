// The control channel: the road to the kernel that is open while a cell runs.

export const CANCEL_MESSAGE = "kkjupyter_cancel";

export interface Reply {
  status?: string;
  source?: unknown;
  runs?: unknown;
}

/** As much of a kernel connection as this needs. */
export interface ControlRoad {
  clientId: string;
  username: string;
  sendControlMessage?(
    message: object,
    expectReply: boolean,
    disposeOnDone: boolean,
  ): { onReply: (reply: { content?: Reply }) => void };
}

/**
 * Ask the kernel something.
 *
 * @param answered gets the content of the reply, unless that is a refusal
 * @returns false where there is no such road
 */
export function askOnControl(
  kernel: ControlRoad | null | undefined,
  type: string,
  content: object,
  answered: (content: Reply) => void,
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
  const future = kernel.sendControlMessage(
    { header, parent_header: {}, metadata: {}, content, channel: "control", buffers: [] },
    true,
    true,
  );
  future.onReply = (reply) => {
    if (reply.content?.status === "ok") answered(reply.content);
  };
  return true;
}
