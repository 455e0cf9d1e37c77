// All streams that this page knows of: those of the kernels of its notebooks.

import type { ISignal, Signal } from "@lumino/signaling";
import type { EndedStream } from "../kernel/messages";
import { findCell } from "./cells";
import type { NotebookPanel } from "./jupyterlab";
import { NotebookStreams } from "./notebook-streams";
import type { Stream } from "./running-streams";

type LuminoSignal = typeof Signal;

/** A stream, and the notebook that has its cell. */
export interface PlacedStream {
  panel: NotebookPanel;
  stream: Stream;
}

export interface PlacedEnd {
  panel: NotebookPanel;
  stream: EndedStream;
}

/** The streams of one kernel. */
export interface KernelsStreams {
  kernelId: string;
  /** One of the notebooks on it. */
  panel: NotebookPanel;
  streams: readonly PlacedStream[];
  /** How many more run than are named. */
  more: number;
}

export class PageStreams {
  private readonly followed = new Map<NotebookPanel, NotebookStreams>();
  private readonly changes: Signal<this, NotebookPanel>;
  private readonly ends: Signal<this, readonly PlacedEnd[]>;
  /** By the id of a kernel the message about ends that was heard last: one for all its notebooks. */
  private readonly heard = new Map<string, string>();

  /** @param LuminoSignal the page's own class: JupyterLab clears the signals of what it disposes */
  constructor(LuminoSignal: LuminoSignal) {
    this.changes = new LuminoSignal(this);
    this.ends = new LuminoSignal(this);
  }

  /** Emitted with a notebook when what runs in its kernel, or what is known of it, has changed. */
  get changed(): ISignal<this, NotebookPanel> {
    return this.changes;
  }

  /** Emitted with streams that have ended, once, however many notebooks there are on their kernel. */
  get ended(): ISignal<this, readonly PlacedEnd[]> {
    return this.ends;
  }

  /** Know of a notebook's streams until it is closed. Idempotent. */
  follow(panel: NotebookPanel): NotebookStreams {
    const known = this.followed.get(panel);
    if (known) return known;
    const streams = new NotebookStreams(panel, {
      changed: () => this.changes.emit(panel),
      ended: (ended, beat) => this.tellEnds(streams, ended, beat),
    });
    this.followed.set(panel, streams);
    panel.disposed.connect(() => {
      this.followed.delete(panel);
      streams.dispose();
    });
    return streams;
  }

  /** What runs, kernel by kernel. */
  byKernel(): KernelsStreams[] {
    const found = new Map<string, KernelsStreams>();
    for (const { panel, kernel, count, streams } of this.followed.values()) {
      if (!kernel || !count || found.has(kernel.id)) continue;
      const placed = streams.map((stream) => {
        return { stream, panel: this.placeOf(stream.cellId, kernel.id) ?? panel };
      });
      const more = count - streams.length;
      found.set(kernel.id, { kernelId: kernel.id, panel, streams: placed, more });
    }
    return [...found.values()];
  }

  private tellEnds(
    { panel, kernel }: NotebookStreams,
    ended: readonly EndedStream[],
    beat: string,
  ): void {
    if (!kernel || this.heard.get(kernel.id) === beat) return;
    this.heard.set(kernel.id, beat);
    this.ends.emit(
      ended.map((stream) => {
        return { stream, panel: this.placeOf(stream.cell_id, kernel.id) ?? panel };
      }),
    );
  }

  /** The notebook with this cell, of those on this kernel. */
  private placeOf(cellId: string | null, kernelId: string): NotebookPanel | undefined {
    for (const { panel, kernel } of this.followed.values()) {
      if (kernel?.id === kernelId && findCell(panel, cellId)) return panel;
    }
    return undefined;
  }
}
