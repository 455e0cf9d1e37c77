// What is around the view: a kernel connection, a notebook, perhaps neither. All of it is
// JupyterLab's (and Notebook 7's) own object model, reached through the widget manager and promised
// by nobody, so each piece is looked for before it is used; without it the view still works.

import type { IOutput } from "@jupyterlab/nbformat";
import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import type { KernelMessage } from "@jupyterlab/services";
import type { ISignal } from "@lumino/signaling";
import type { KernelConnection } from "../kernel/connection";
import type { Bundle, Model } from "../kernel/messages";
import { measureRoundTrips } from "../kernel/round-trips";

const WIDGET_VIEW = "application/vnd.jupyter.widget-view+json";

/** An output in the shared document: a map of its own kind there, its data a plain object. */
interface YOutput {
  get?(name: "data"): Bundle | undefined;
}

interface Cell {
  outputs?: {
    length: number;
    get(index: number): { data?: Bundle; toJSON(): IOutput };
    set(index: number, output: IOutput): void;
  };
  executionState?: string;
  sharedModel?: { ymodel?: { get(name: "outputs"): { get(index: number): YOutput } | undefined } };
}

interface WidgetManager {
  kernel?: KernelConnection | null;
  rendermime?: { latexTypesetter?: IRenderMime.ILatexTypesetter | null };
  context?: {
    model?: { cells?: { length: number; get(index: number): Cell } };
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
   * @param place the id of the widget that the notebook shows: its own, or that of the view in
   *   which it is a column
   */
  private constructor(
    private readonly manager: WidgetManager,
    private readonly place: string,
    readonly isColumn: boolean,
  ) {
    measureRoundTrips(manager.kernel);
  }

  static async find(model: Model): Promise<NotebookContext> {
    const key = model.get("key");
    const place = model.get("place") || key;
    const isColumn = place !== key;
    const manager = model.widget_manager as
      | (WidgetManager & { get_model?(id: string): Promise<{ widget_manager?: WidgetManager }> })
      | undefined;
    if (!manager?.get_model) return new NotebookContext({}, place, isColumn);
    const raw = await manager.get_model(key);
    return new NotebookContext(raw.widget_manager ?? manager, place, isColumn);
  }

  /** The connection to the kernel, if there is one. */
  get kernel(): KernelConnection | null | undefined {
    return this.manager.kernel;
  }

  /** Call back with all that the kernel tells everybody. Returns how to stop. */
  onKernelMessage(heard: (message: KernelMessage.IMessage) => void): () => void {
    return connect(this.manager.kernel?.iopubMessage, heard);
  }

  /** Call back when the connection to the kernel is there again. Returns how to stop. */
  onReconnected(connected: () => void): () => void {
    return connect(this.manager.kernel?.connectionStatusChanged, (status) => {
      if (status === "connected") connected();
    });
  }

  /** The notebook's own typesetting of formulas, if it has one. */
  typesetter(): ((element: HTMLElement) => void) | undefined {
    const { latexTypesetter } = this.manager.rendermime ?? {};
    return latexTypesetter ? (element) => latexTypesetter.typeset(element) : undefined;
  }

  /** Interrupt the kernel if, and only if, it runs the very cell that shows this view. */
  interruptOwnCell(): boolean {
    const { kernel } = this.manager;
    const running = this.places().some(({ cell }) => cell.executionState === "running");
    if (!running || kernel?.status !== "busy") return false;
    kernel.interrupt().catch((error) => console.error("kkjupyter: interrupt failed", error));
    return true;
  }

  /** Call back once when the kernel is gone, with the words for it. Returns how to stop. */
  onKernelLost(lost: (why: string) => void): () => void {
    const context = this.manager.context?.sessionContext;
    const stops = [
      connect(this.manager.kernel?.statusChanged, (status) => {
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
    return connect(this.manager.context?.saveState, (state) => {
      if (state === "started") saving();
      else if (state.startsWith("completed")) saved();
    });
  }

  /** Whether there is a notebook around it, whose outputs can be seen. */
  hasNotebook(): boolean {
    return this.manager.context?.model?.cells !== undefined;
  }

  /** Whether an output of the notebook is still this widget. */
  isInNotebook(): boolean {
    return this.places().length > 0;
  }

  /** Put the static output where the notebook still has this widget. */
  persist(bundle: Bundle): void {
    for (const { outputs, index } of this.places()) {
      outputs.set(index, { ...outputs.get(index).toJSON(), data: bundle, metadata: {} });
    }
  }

  /**
   * Let the file have `text` next to the widget, without a change that anybody is told of: one that
   * is would make the notebook draw the widget anew, and a selection in it would be gone.
   */
  checkpoint(text: () => string): void {
    for (const { cell, index } of this.places()) {
      const data = cell.sharedModel?.ymodel?.get("outputs")?.get(index)?.get?.("data");
      if (data && Object.getPrototypeOf(data) === Object.prototype) data["text/plain"] = text();
    }
  }

  private places(): Place[] {
    const cells = this.manager.context?.model?.cells;
    const found: Place[] = [];
    for (let i = 0; i < (cells?.length ?? 0); i++) {
      const cell = cells?.get(i);
      const outputs = cell?.outputs;
      for (let j = 0; cell && outputs && j < outputs.length; j++) {
        const view = outputs.get(j).data?.[WIDGET_VIEW] as { model_id?: string } | undefined;
        if (view?.model_id === this.place) found.push({ cell, outputs, index: j });
      }
    }
    return found;
  }
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
