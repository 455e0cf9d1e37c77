// The way to the kernel of an output that the lab extension draws: questions on the control channel,
// which is open while a cell runs, and what the kernel tells all pages.

import type { KernelConnection } from "../kernel/connection";
import type { FromKernel, ToKernel } from "../kernel/messages";
import { askAbout, type Link } from "../view/link";

export class ControlLink implements Link {
  private readonly listeners = new Set<(message: FromKernel) => void>();

  constructor(
    readonly key: string,
    private readonly kernel: () => KernelConnection | null | undefined,
  ) {}

  send(content: ToKernel, refused?: () => void): void {
    askAbout(this.key, this.kernel(), content, (answer) => this.tell(answer), refused);
  }

  hear(heard: (message: FromKernel) => void): () => void {
    this.listeners.add(heard);
    return () => this.listeners.delete(heard);
  }

  /** The kernel has told all pages this about the output. */
  tell(message: FromKernel): void {
    for (const heard of [...this.listeners]) heard(message);
  }
}
