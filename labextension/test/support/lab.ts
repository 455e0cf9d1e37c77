// What JupyterLab hands to the lab extension, as far as that knows it; and what the build puts into it.

import type { Reply } from "../../src/kernel/control-channel";
import { type EndedStream, MIME_TYPE } from "../../src/kernel/messages";
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

/** A rectangle of the screen, as an element has it. */
export function placed(element: HTMLElement, top: number, height: number): HTMLElement {
  element.getBoundingClientRect = () => new DOMRect(0, top, 100, height);
  Object.defineProperty(element, "offsetHeight", { value: height, configurable: true });
  return element;
}

/** A notebook with one cell, whose kernel answers on the control channel, or not. */
export class Notebook {
  asked: object[] = [];
  interrupts = 0;
  iopubMessage = new Signal();
  kernelChanged = new Signal();
  statusChanged = new Signal();
  connectionStatusChanged = new Signal();
  anyMessage = new Signal();
  disposed = new Signal();
  cell = document.createElement("div");
  output = document.createElement("div");
  cells = { changed: new Signal() };
  deletedCells: string[] = [];
  scrolledTo: number[] = [];
  readonly panel: NotebookPanel;

  constructor(
    private readonly answer: Reply | null | "throws" = null,
    { id = "notebook", kernelId = "kernel", cellId = "cell" } = {},
  ) {
    const kernel = {
      id: kernelId,
      clientId: "client",
      username: "user",
      anyMessage: this.anyMessage,
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
    const { iopubMessage, kernelChanged, statusChanged, connectionStatusChanged } = this;
    const cell = { node: this.cell, outputArea: { node: this.output }, model: { id: cellId } };
    this.panel = {
      id,
      title: { label: `${id}.ipynb` },
      isVisible: true,
      isDisposed: false,
      disposed: this.disposed,
      sessionContext: {
        session: { kernel },
        iopubMessage,
        kernelChanged,
        statusChanged,
        connectionStatusChanged,
      },
      content: {
        node: placed(document.createElement("div"), 100, 500),
        widgets: [cell],
        model: { cells: this.cells, deletedCells: this.deletedCells },
        modelChanged: new Signal(),
        activeCellIndex: -1,
        deselectAll: () => {},
        scrollToItem: async (index: number) => {
          this.scrolledTo.push(index);
        },
      },
    } as never;
  }

  say(
    running: number,
    next_s?: number | null,
    more: object = {},
    id: string = crypto.randomUUID(),
  ) {
    const header = { msg_type: "kkjupyter_running", msg_id: id };
    this.iopubMessage.emit({ header, content: { running, next_s, ...more } });
  }

  /** Say that these run. */
  sayStreams(...streams: RunningStream[]) {
    const runs = streams.map(({ run_id }) => run_id);
    const counts = streams.map(({ count }) => count);
    this.say(runs.length, 2, { runs, counts, streams });
  }

  /** Say that these have ended, and nothing runs. */
  sayEnded(ended: EndedStream[], id?: string) {
    this.say(0, null, { ended }, id);
  }

  /** What this page sends to the kernel. */
  sends(type: string, content: object = {}) {
    this.anyMessage.emit({ direction: "send", msg: { header: { msg_type: type }, content } });
  }
}

type RunningStream = ReturnType<typeof running>;

/** A stream that runs, as the kernel tells of it. */
export function running(changes: object = {}) {
  const stream = {
    run_id: 3,
    title: "chat('tides')",
    cell_id: "cell",
    state: "streaming" as const,
  };
  return { ...stream, elapsed_s: 4, quiet_s: 0, count: 12, ...changes };
}

/** One that has ended. */
export function ended(changes: Partial<EndedStream> = {}): EndedStream {
  return {
    run_id: 3,
    title: "chat('tides')",
    cell_id: "cell",
    state: "done",
    kind: "stream",
    count: 205,
    elapsed_s: 10.8,
    error: "",
    outlived_cell: true,
    ...changes,
  };
}
