// How a view talks to the kernel that makes it.

import type { KernelConnection } from "../kernel/connection";
import { askOnControl } from "../kernel/control-channel";
import { type FromKernel, type ToKernel, VIEW_MESSAGE } from "../kernel/messages";

export interface Link {
  /** The id by which the kernel and its pages know the output. */
  readonly key: string;
  /**
   * Ask or tell the kernel, on every road that is open. The kernel takes the same twice without harm.
   *
   * @param refused is called if the control channel answers, but does not do it
   */
  send(content: ToKernel, refused?: () => void): void;
  /** Call back with what the kernel says about the output. Returns how to stop. */
  hear(heard: (message: FromKernel) => void): () => void;
}

/**
 * Ask about an output on the control channel.
 *
 * @param heard gets the answer, if there is one
 * @returns false where there is no control channel, or it is closed
 */
export function askAbout(
  key: string,
  kernel: KernelConnection | null | undefined,
  content: ToKernel,
  heard: (message: FromKernel) => void,
  refused?: () => void,
): boolean {
  const take = ({ known, answer }: { known?: boolean; answer?: FromKernel | null }) => {
    if (!known) heard({ kind: "unknown" });
    else if (answer) heard(answer);
  };
  return askOnControl(kernel, VIEW_MESSAGE, { key, ...content }, take, refused);
}
