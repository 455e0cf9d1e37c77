// The outputs of this page that run. They are found in what the kernels of its notebooks and consoles
// tell them, and by the renderers of outputs that a page finds in its notebook.

import type { KernelMessage } from "@jupyterlab/services";
import { askOnControl } from "../kernel/control-channel";
import { extensionOfPage } from "../kernel/extension";
import {
  type Bundle,
  type FromKernel,
  HELLO,
  PAGE_MESSAGE,
  VIEW_MESSAGE,
} from "../kernel/messages";
import { measureRoundTrips } from "../kernel/round-trips";
import { type Output, outputOf } from "../run/output-json";
import type { OutputPanel, PanelTracker, SessionContext } from "./jupyterlab";
import { LiveOutput } from "./live-output";
import { partOf } from "./part-urls";

/** An output that is over is kept so long for a renderer that may come. */
const UNSEEN_FOR_MS = 15_000;

/** A document's connection to its kernel; several panels may show the document. */
interface Listening {
  panels: Set<OutputPanel>;
  stop(): void;
}

export class LiveOutputs {
  private readonly sessions = new Map<SessionContext, Listening>();
  private readonly outputs = new Map<string, LiveOutput>();
  private readonly listeners = new Map<string, Set<(message: FromKernel) => void>>();
  /** The kernels that know of this page. */
  private readonly greeted = new WeakSet<object>();

  /** Listen to the kernels of these panels. */
  watch(tracker: PanelTracker): void {
    extensionOfPage().isThere = true;
    tracker.forEach((panel) => {
      this.add(panel);
    });
    tracker.widgetAdded.connect((_, panel) => this.add(panel));
  }

  /** The output that runs, if the page knows of it. */
  get(key: string): LiveOutput | undefined {
    return this.outputs.get(key);
  }

  /**
   * The output that runs according to the notebook; its kernel is asked.
   *
   * @param node shows it
   * @returns undefined if it is in no panel with a kernel
   */
  find(output: Output, node: HTMLElement): LiveOutput | undefined {
    const known = this.outputs.get(output.key);
    if (known) return known;
    const panel = this.panelOf(node);
    if (!panel) return undefined;
    const found = this.begin(panel, output);
    void panel.sessionContext.ready.then(() => this.greet(panel));
    void found.find();
    return found;
  }

  /** Call back with what the kernels say of an output that is over. Returns how to stop. */
  hearOf(key: string, heard: (message: FromKernel) => void): () => void {
    const all = this.listeners.get(key) ?? new Set();
    this.listeners.set(key, all.add(heard));
    return () => {
      all.delete(heard);
      if (!all.size && this.listeners.get(key) === all) this.listeners.delete(key);
    };
  }

  /** The notebook or console that has this node; undefined if none does. */
  panelOf(node: HTMLElement): OutputPanel | undefined {
    return this.panels.find((one) => one.node.contains(node));
  }

  /** Those with a kernel, or that may get one. */
  get panels(): OutputPanel[] {
    return [...this.sessions.values()].flatMap((session) => [...session.panels]);
  }

  /** Nobody draws it on this page any more. */
  release(output: LiveOutput): void {
    output.users -= 1;
    if (!output.users && output.isOver) this.drop(output);
  }

  private add(panel: OutputPanel): void {
    const { sessionContext } = panel;
    const { panels } = this.sessions.get(sessionContext) ?? this.listen(panel);
    if (panels.has(panel)) return;
    panels.add(panel);
    panel.disposed.connect(() => {
      panels.delete(panel);
      if (!panels.size) this.unlisten(sessionContext);
    });
  }

  private listen(panel: OutputPanel): Listening {
    const { sessionContext } = panel;
    const heard = (_: unknown, message: KernelMessage.IMessage) => this.hear(panel, message);
    sessionContext.iopubMessage.connect(heard);
    measureRoundTrips(sessionContext.session?.kernel);
    const stop = () => void sessionContext.iopubMessage.disconnect(heard);
    const begun = { panels: new Set<OutputPanel>(), stop };
    this.sessions.set(sessionContext, begun);
    return begun;
  }

  private unlisten(sessionContext: SessionContext): void {
    this.sessions.get(sessionContext)?.stop();
    this.sessions.delete(sessionContext);
    for (const output of this.outputs.values()) {
      if (output.sessionContext === sessionContext) this.drop(output);
    }
  }

  private hear(panel: OutputPanel, message: KernelMessage.IMessage): void {
    const { msg_type } = message.header;
    if (msg_type === VIEW_MESSAGE) {
      const { key, ...content } = message.content as unknown as { key: string } & FromKernel;
      this.tell(panel, key, content as FromKernel);
    } else if (msg_type === HELLO) {
      this.greet(panel, true);
    } else if (msg_type === "display_data") {
      const parent = message.parent_header as { session?: string };
      const kernel = panel.sessionContext.session?.kernel;
      // What another page has asked for comes by way of the shared notebook, if at all.
      if (parent.session !== kernel?.clientId) return;
      const output = outputOf((message.content as { data: Bundle }).data, partOf);
      if (output?.isLive && !this.outputs.has(output.key)) {
        this.begin(panel, output).follow();
      }
    }
  }

  private tell(panel: OutputPanel, key: string, message: FromKernel): void {
    const { sessionContext } = panel;
    for (const output of this.outputs.values()) {
      if (output.sessionContext === sessionContext) output.tell(key, message);
    }
    for (const heard of [...(this.listeners.get(key) ?? [])]) heard(message);
  }

  private begin(panel: OutputPanel, output: Output): LiveOutput {
    const begun = new LiveOutput(panel, output);
    this.outputs.set(begun.key, begun);
    // Its output may have been cleared, or be shown by nobody at all.
    begun.onOver(() => {
      setTimeout(() => {
        if (!begun.users) this.drop(begun);
      }, UNSEEN_FOR_MS);
    });
    return begun;
  }

  private drop(output: LiveOutput): void {
    output.dispose();
    if (this.outputs.get(output.key) === output) this.outputs.delete(output.key);
  }

  /** Tell the kernel that this page draws by itself; once, unless it asks. */
  private greet(panel: OutputPanel, isAsked = false): void {
    const kernel = panel.sessionContext.session?.kernel;
    if (!kernel || (this.greeted.has(kernel) && !isAsked)) return;
    this.greeted.add(kernel);
    measureRoundTrips(kernel);
    askOnControl(kernel, PAGE_MESSAGE, {}, () => {});
  }
}

/** Those of this page. */
export const liveOutputs = new LiveOutputs();
