// What JupyterLab hands to the lab extension, as far as that knows it; and what the build puts into it.

import type { Reply } from "../../src/kernel/control-channel";
import { MIME_TYPE } from "../../src/kernel/messages";
import type { NotebookPanel } from "../../src/lab/jupyterlab";
import { Signal } from "./page";
import { status } from "./states";

declare global {
  var KKJUPYTER_PARTS: Record<string, string>;
}

/** A saved output. */
export function bundle(changes: object = {}, plain = "some <b>text</b>\n") {
  const saved = { view: "text", pane: "text", left_out: 0, ...status({ state: "done" }) };
  return { [MIME_TYPE]: { ...saved, ...changes }, "text/plain": plain, "text/html": "<p>html</p>" };
}

export class FakeWidget {
  readonly node = document.createElement("div");
  isAttached = true;
  isDisposed = false;
  addClass(name: string) {
    this.node.classList.add(name);
  }
  dispose() {}
  onAfterAttach() {}
}

/** A notebook whose kernel answers on the control channel, or not. */
export class Notebook {
  asked: object[] = [];
  interrupts = 0;
  iopubMessage = new Signal();
  kernelChanged = new Signal();
  statusChanged = new Signal();
  cell = document.createElement("div");

  constructor(private readonly answer: Reply | null | "throws") {}

  get panel(): NotebookPanel {
    const kernel = {
      clientId: "client",
      username: "user",
      interrupt: async () => {
        this.interrupts += 1;
      },
      sendControlMessage: (message: { content: object }) => {
        if (this.answer === "throws") throw new Error("Kernel is dead");
        this.asked.push(message.content);
        const done = new Promise(() => {});
        const future = { onReply: (_: { content?: Reply }) => {}, done };
        queueMicrotask(() => {
          if (typeof this.answer === "object" && this.answer)
            future.onReply({ content: this.answer });
        });
        return future;
      },
    };
    const { iopubMessage, kernelChanged, statusChanged } = this;
    const sessionContext = { session: { kernel }, iopubMessage, kernelChanged, statusChanged };
    return { sessionContext, content: { widgets: [{ node: this.cell }] } } as never;
  }

  say(running: number, next_s?: number | null) {
    const header = { msg_type: "kkjupyter_running" };
    this.iopubMessage.emit({ header, content: { running, next_s } });
  }
}
