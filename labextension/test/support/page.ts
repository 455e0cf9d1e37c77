// A page of JupyterLab, as far as the module knows it.

import type { FromKernel, Snapshot, ToKernel } from "../../src/kernel/messages";
import type { Model } from "../../src/widget/model";
import widget from "../../src/widget/widget";

type Slot = (sender: unknown, args: unknown) => void;

export class Signal {
  slots = new Set<Slot>();
  connect = (slot: Slot) => Boolean(this.slots.add(slot));
  disconnect = (slot: Slot) => this.slots.delete(slot);
  emit = (args: unknown) => {
    for (const slot of this.slots) slot(null, args);
  };
}

interface ControlMessage {
  header: { msg_type: string };
  content: ToKernel & { key: string };
}

/** A kernel connection, a notebook with one cell, and a model, as far as the module knows them. */
export class Page {
  sent: ToKernel[] = [];
  control: {
    type: string;
    content: ToKernel & { key: string };
    reply: (content: object) => void;
  }[] = [];
  /** What is thrown where the connection is broken. */
  broken: { control?: Error; widget?: Error } = {};
  interrupts = 0;
  listeners = new Set<(message: FromKernel) => void>();
  outputs: { output_type: string; data: Record<string, unknown>; metadata: object }[];
  stored: Record<string, unknown> = { "text/plain": "first" };
  kernel = {
    clientId: "client",
    username: "user",
    status: "busy",
    statusChanged: new Signal(),
    connectionStatusChanged: new Signal(),
    iopubMessage: new Signal(),
    anyMessage: new Signal(),
    interrupt: async () => {
      this.interrupts += 1;
    },
    sendControlMessage: ({ header, content }: ControlMessage) => {
      if (this.broken.control) throw this.broken.control;
      const future = { onReply: (_: object) => {}, done: new Promise(() => {}) };
      const reply = (answer: object) => future.onReply({ content: answer });
      this.control.push({ type: header.msg_type, content, reply });
      return future;
    },
  };
  cell = { executionState: "running" };
  saveState = new Signal();
  kernelChanged = new Signal();
  sessionContext = { kernelChanged: this.kernelChanged, isDisposed: false };
  model: Model;

  constructor(key: string, state: Snapshot, { hasManager = true, controlRoad = true } = {}) {
    const view = { "application/vnd.jupyter.widget-view+json": { model_id: key } };
    this.outputs = [{ output_type: "display_data", data: view, metadata: {} }];
    const cell = {
      ...this.cell,
      outputs: {
        length: 1,
        get: (i: number) => ({ ...this.outputs[i], toJSON: () => this.outputs[i] }),
        set: (i: number, output: never) => {
          this.outputs[i] = output;
        },
      },
      sharedModel: { ymodel: { get: () => ({ get: () => ({ get: () => this.stored }) }) } },
    };
    const manager = {
      kernel: this.kernel,
      context: {
        model: { cells: { length: 1, get: () => cell } },
        saveState: this.saveState,
        sessionContext: this.sessionContext,
      },
    };
    this.runs = (state) => {
      cell.executionState = state;
    };
    const traits = {
      ...{ key, place: "", columns: undefined, run_id: 3 },
      ...{ control_road: controlRoad, snapshot: state },
    };
    this.model = {
      get: (name: keyof typeof traits) => traits[name] as never,
      send: (content) => {
        if (this.broken.widget) throw this.broken.widget;
        this.sent.push(content);
      },
      on: (_, callback) => this.listeners.add(callback),
      off: (_, callback) => this.listeners.delete(callback),
      ...(hasManager && {
        widget_manager: { get_model: async () => ({ widget_manager: manager }) },
      }),
    };
  }

  runs: (state: string) => void;

  hear(message: FromKernel): void {
    for (const listener of this.listeners) listener(message);
  }

  /** What the kernel tells everybody; the answer to a request, if that has a `parent`. */
  iopub(msg_type: string, content: object = {}, { session = "kernel", parent = "" } = {}): void {
    const parent_header = parent ? { msg_id: parent } : {};
    this.kernel.iopubMessage.emit({ header: { msg_type, session }, parent_header, content });
  }

  beat(runs: number[] | null, next_s: number | null = 2, counts?: number[]): void {
    this.iopub("kkjupyter_running", { running: runs?.length, runs, counts, next_s });
  }

  /** What was asked on the control channel. */
  get asked(): string[] {
    return this.control.map(({ content }) => content.kind);
  }

  async show(): Promise<HTMLElement> {
    this.end = await widget.initialize({ model: this.model });
    const area = document.createElement("div");
    area.className = "jp-OutputArea";
    const el = area.appendChild(document.createElement("div"));
    document.body.append(area);
    this.remove = await widget.render({ model: this.model, el });
    return el;
  }

  remove = () => {};
  end = () => {};
}
