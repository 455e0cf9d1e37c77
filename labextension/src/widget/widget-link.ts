// The way to the kernel of a view that anywidget shows: the widget's own messages, and the control
// channel, which is open while a cell runs.

import type { KernelConnection } from "../kernel/connection";
import type { FromKernel, ToKernel } from "../kernel/messages";
import { askAbout, type Link } from "../view/link";
import type { Model } from "./model";

export class WidgetLink implements Link {
  readonly key: string;
  /** The connection to the kernel, when it is found. */
  kernel: KernelConnection | null | undefined;
  private readonly listeners = new Set<(message: FromKernel) => void>();

  constructor(private readonly model: Model) {
    this.key = model.get("key");
    model.on("msg:custom", this.tell);
  }

  send(content: ToKernel, refused?: () => void): void {
    const { kind } = content;
    // What may not wait for the end of a cell.
    const isUrgent = kind === "cancel" || kind === "state" || kind === "part";
    const wasAsked =
      isUrgent &&
      this.model.get("control_road") &&
      askAbout(this.key, this.kernel, content, this.tell, refused);
    if (wasAsked && kind === "part") return;
    try {
      this.model.send(content);
    } catch (error) {
      // The widget is closed with its kernel.
      console.warn("kkjupyter: the widget cannot send", error);
    }
  }

  hear(heard: (message: FromKernel) => void): () => void {
    this.listeners.add(heard);
    return () => this.listeners.delete(heard);
  }

  dispose(): void {
    this.model.off("msg:custom", this.tell);
    this.listeners.clear();
  }

  private readonly tell = (message: FromKernel): void => {
    for (const heard of [...this.listeners]) heard(message);
  };
}
