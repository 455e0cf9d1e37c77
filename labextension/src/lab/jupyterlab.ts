// As much of JupyterLab's interfaces as is used here: their packages are not installed to build this.

import type { ControlRoad } from "../kernel/control-channel";
import type { Link } from "../kernel/round-trips";

export interface Signal<Sender, Args> {
  connect(slot: (sender: Sender, args: Args) => void): boolean;
  disconnect(slot: (sender: Sender, args: Args) => void): boolean;
}

export type Token = object;

export interface Message {
  header: { msg_type: string };
  content: Record<string, unknown>;
}

export interface Kernel extends ControlRoad, Link {
  interrupt(): Promise<void>;
}

export interface SessionContext {
  session: { kernel: Kernel | null } | null;
  iopubMessage: Signal<unknown, Message>;
  kernelChanged: Signal<unknown, unknown>;
  statusChanged: Signal<unknown, string>;
}

export interface Widget {
  id: string;
  node: HTMLElement;
  isDisposed: boolean;
  disposed: Signal<unknown, void>;
  addClass(name: string): void;
  setHidden(hidden: boolean): void;
}

export interface LuminoWidgets {
  Widget: new () => {
    readonly node: HTMLElement;
    readonly isAttached: boolean;
    readonly isDisposed: boolean;
    addClass(name: string): void;
    dispose(): void;
    onAfterAttach(): void;
  };
}

export interface RendererOptions {
  sanitizer: { sanitize(html: string): string };
  latexTypesetter?: { typeset(element: HTMLElement): void } | null;
}

export interface MimePlugin {
  id: string;
  description: string;
  dataType: "json";
  rank: number;
  rendererFactory: {
    safe: boolean;
    mimeTypes: string[];
    createRenderer(options: RendererOptions): object;
  };
}

export interface NotebookPanel extends Widget {
  sessionContext: SessionContext;
  content: { widgets: readonly { node: HTMLElement }[] };
}

export interface NotebookTracker {
  currentWidget: NotebookPanel | null;
  currentChanged: Signal<unknown, NotebookPanel | null>;
}

export interface App {
  commands: {
    addCommand(
      id: string,
      options: {
        label: string;
        caption: string;
        isEnabled: () => boolean;
        execute: () => Promise<void>;
      },
    ): void;
    notifyCommandChanged(id: string): void;
  };
}

export interface CommandPalette {
  addItem(item: { command: string; category: string }): void;
}

export interface ToolbarRegistry {
  addFactory(toolbar: "Notebook", item: string, factory: (panel: NotebookPanel) => Widget): unknown;
}

export interface Plugin {
  id: string;
  description: string;
  autoStart: boolean;
  requires: Token[];
  optional: Token[];
  activate(app: App, ...services: never[]): void;
}

export interface AppUtils {
  ICommandPalette: Token;
  IToolbarWidgetRegistry: Token;
  Notification: {
    info(text: string, options: { autoClose: number }): void;
    warning(text: string, options: { autoClose: number }): void;
  };
}

export interface UIComponents {
  LabIcon: new (options: { name: string; svgstr: string }) => object;
  ToolbarButton: new (options: {
    icon: object;
    label: string;
    tooltip: string;
    className: string;
    onClick: () => void;
  }) => Widget;
}
