// What is around the view: a kernel connection, a notebook, perhaps neither. All of it is
// JupyterLab's (and Notebook 7's) own object model, which a widget reaches through the widget manager,
// promised by nobody, so each piece is looked for before it is used; without it the view still works.

import type { IOutput } from "@jupyterlab/nbformat";
import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import type { KernelMessage } from "@jupyterlab/services";
import type { ISignal } from "@lumino/signaling";
import type { KernelConnection } from "../kernel/connection";
import { type Bundle, MIME_TYPE } from "../kernel/messages";
import { measureRoundTrips } from "../kernel/round-trips";
import { liveKeyOf } from "../run/output-json";

const WIDGET_VIEW = "application/vnd.jupyter.widget-view+json";

/** An output in the shared document: a map of its own kind there; a plain object before JupyterLab 4.3. */
interface YOutput {
  get?(name: "data"): Bundle | undefined;
  data?: Bundle;
}

interface Cell {
  outputs?: {
    length: number;
    get(index: number): { data?: Bundle; toJSON(): IOutput };
    set(index: number, output: IOutput): void;
    changed?: ISignal<unknown, unknown>;
  };
  executionState?: string;
  sharedModel?: {
    ymodel?: { get(name: "outputs"): { get(index: number): YOutput } | undefined };
    /** Put `outputs` in place of those from `start` up to `end`. */
    updateOutputs?(start: number, end: number, outputs: IOutput[]): void;
  };
}

/** What a page of JupyterLab or Notebook has around an output. */
export interface Surroundings {
  kernel?: KernelConnection | null | undefined;
  rendermime?: { latexTypesetter?: IRenderMime.ILatexTypesetter | null };
  /**
   * Where the kernel can be interrupted and nothing else: interrupt it if it runs the cell that
   * shows the output with this key, and say whether it does.
   */
  interruptCellOf?(key: string): boolean;
  context?: {
    model?: {
      /** The file is written by the server, from what the pages tell each other. */
      collaborative?: boolean;
      cells?: { length: number; get(index: number): Cell };
      /** Who has the notebook open, by numbers that are the same for all of them. */
      sharedModel?: { awareness?: { clientID: number; getStates(): Map<number, unknown> } };
    };
    saveState?: ISignal<unknown, string>;
    sessionContext?: { isDisposed?: boolean; kernelChanged?: ISignal<unknown, unknown> };
  };
}

interface Place {
  cell: Cell;
  outputs: NonNullable<Cell["outputs"]>;
  index: number;
}

export class NotebookContext {
  /**
   * @param around what the page has around the output
   * @param key the id of the output that the notebook shows: the view's own, or that of the
   *   comparison in which it is a column
   */
  constructor(
    private readonly around: Surroundings,
    private readonly key: string,
  ) {
    measureRoundTrips(around.kernel);
  }

  /** The connection to the kernel, if there is one. */
  get kernel(): KernelConnection | null | undefined {
    return this.around.kernel;
  }

  /** Call back with all that the kernel tells everybody. Returns how to stop. */
  onKernelMessage(heard: (message: KernelMessage.IMessage) => void): () => void {
    return connect(this.around.kernel?.iopubMessage, heard);
  }

  /** Call back when the connection to the kernel is there again. Returns how to stop. */
  onReconnected(connected: () => void): () => void {
    return connect(this.around.kernel?.connectionStatusChanged, (status) => {
      if (status === "connected") connected();
    });
  }

  /** The notebook's own typesetting of formulas, if it has one. */
  typesetter(): ((element: HTMLElement) => void) | undefined {
    const { latexTypesetter } = this.around.rendermime ?? {};
    return latexTypesetter ? (element) => latexTypesetter.typeset(element) : undefined;
  }

  /** Whether nothing but an interrupt reaches the kernel while a cell runs. */
  get canOnlyInterrupt(): boolean {
    return this.around.interruptCellOf !== undefined;
  }

  /** Interrupt the kernel if, and only if, it runs the very cell that shows this view. */
  interruptOwnCell(): boolean {
    const { kernel, interruptCellOf } = this.around;
    if (interruptCellOf) return interruptCellOf(this.key);
    const running = this.places().some(({ cell }) => cell.executionState === "running");
    if (!running || kernel?.status !== "busy") return false;
    kernel.interrupt().catch((error) => console.error("kkjupyter: interrupt failed", error));
    return true;
  }

  /** Call back once when the kernel is gone, with the words for it. Returns how to stop. */
  onKernelLost(lost: (why: string) => void): () => void {
    const context = this.around.context?.sessionContext;
    const stops = [
      connect(this.around.kernel?.statusChanged, (status) => {
        if (status === "restarting" || status === "autorestarting") lost("kernel restarted");
        else if (status === "dead" || status === "terminating") lost("kernel stopped");
      }),
      connect(context?.kernelChanged, () => {
        // A notebook that is closed lets its kernel go, which then runs on.
        if (!context?.isDisposed) lost("kernel stopped");
      }),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }

  /**
   * Call back when the notebook is about to be written to its file, and when that has been done.
   * Returns how to stop.
   */
  onSave(saving: () => void, saved: () => void): () => void {
    return connect(this.around.context?.saveState, (state) => {
      if (state === "started") saving();
      else if (state.startsWith("completed")) saved();
    });
  }

  /** Whether there is a notebook around it, whose outputs can be seen. */
  hasNotebook(): boolean {
    return this.around.context?.model?.cells !== undefined;
  }

  /** Whether an output of the notebook is still the live form of this one. */
  isLiveInNotebook(): boolean {
    return this.places().length > 0;
  }

  /** Which of the pages that have the notebook open this is, from 0: the one that writes first. */
  get turn(): number {
    const awareness = this.around.context?.model?.sharedModel?.awareness;
    if (!awareness) return 0;
    return [...awareness.getStates().keys()].filter((id) => id < awareness.clientID).length;
  }

  /**
   * Put the static output where the notebook still has the live one, and see to it that it is there
   * once: another page that has the notebook open may do the same before it hears of this.
   *
   * @returns how to stop seeing to it
   */
  persist(bundle: Bundle): () => void {
    const stops = this.places().map(({ cell, outputs, index }) => {
      outputs.set(index, { ...outputs.get(index).toJSON(), data: bundle, metadata: {} });
      // The model is in the middle of a change when it tells of it.
      return connect(outputs.changed, () => setTimeout(() => this.removeCopies(cell)));
    });
    return () => {
      for (const stop of stops) stop();
    };
  }

  /** Put another output where the notebook has this one, live or not. */
  replace(bundle: Bundle): void {
    for (const { outputs, index } of this.places((data) => keyOf(data) === this.key)) {
      outputs.set(index, { ...outputs.get(index).toJSON(), data: bundle, metadata: {} });
    }
  }

  /**
   * Let the file have what came so far, without a change that anybody is told of: one that is
   * would make the notebook draw the output anew. Where the server writes the file, it has to be told.
   */
  checkpoint(bundle: () => Bundle): void {
    for (const { cell, outputs, index } of this.places()) {
      if (this.around.context?.model?.collaborative) {
        outputs.set(index, { ...outputs.get(index).toJSON(), data: bundle() });
        continue;
      }
      const output = cell.sharedModel?.ymodel?.get("outputs")?.get(index);
      const data = output?.get?.("data") ?? output?.data;
      if (data && isPlain(data)) Object.assign(data, bundle());
    }
  }

  /** All pages keep the first, so it does not matter which of them are quicker. */
  private removeCopies({ outputs, sharedModel }: Cell): void {
    const copies: number[] = [];
    for (let j = 0; j < (outputs?.length ?? 0); j++) {
      if (keyOf(outputs?.get(j).data) === this.key) copies.push(j);
    }
    for (const j of copies.slice(1).reverse()) sharedModel?.updateOutputs?.(j, j + 1, []);
  }

  private places(isWanted = (data: Bundle | undefined) => isLive(data, this.key)): Place[] {
    const cells = this.around.context?.model?.cells;
    const found: Place[] = [];
    for (let i = 0; i < (cells?.length ?? 0); i++) {
      const cell = cells?.get(i);
      const outputs = cell?.outputs;
      for (let j = 0; cell && outputs && j < outputs.length; j++) {
        if (isWanted(outputs.get(j).data)) found.push({ cell, outputs, index: j });
      }
    }
    return found;
  }
}

/** Whether these are the forms of the live output with this key. */
function isLive(data: Bundle | undefined, key: string): boolean {
  const widget = data?.[WIDGET_VIEW] as { model_id?: string } | undefined;
  return widget?.model_id === key || liveKeyOf(data) === key;
}

/** Whether it is nobody's own kind of object. */
function isPlain(object: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(object);
  return prototype === Object.prototype || prototype === null;
}

/** The key of an output, live or not. */
function keyOf(data: Bundle | undefined): string | undefined {
  return (data?.[MIME_TYPE] as { key?: string } | undefined)?.key;
}

/** Returns how to disconnect. */
function connect<Args>(
  signal: ISignal<unknown, Args> | undefined,
  slot: (args: Args) => void,
): () => void {
  const heard = (_: unknown, args: Args) => slot(args);
  signal?.connect(heard);
  return () => void signal?.disconnect(heard);
}
