// As much of @jupyterlab/apputils, notebook and ui-components as is used here. Their packages bring
// so many others along that installing them takes longer than to build all this; what smaller ones
// declare (services, the interfaces of renderers, Lumino) is taken from there.

import type { Kernel, KernelMessage, Session } from "@jupyterlab/services";
import type { Application, IPlugin } from "@lumino/application";
import type { Token } from "@lumino/coreutils";
import type { ISignal } from "@lumino/signaling";
import type { Widget } from "@lumino/widgets";
import type { Surroundings } from "../view/notebook-context";

/** Of `JupyterFrontEnd`: what is any Lumino application's. */
export type App = Application<Widget>;

export type Plugin = IPlugin<App, void>;

export interface SessionContext {
  isReady: boolean;
  ready: Promise<void>;
  session: Pick<Session.ISessionConnection, "kernel"> | null;
  iopubMessage: ISignal<unknown, KernelMessage.IMessage>;
  kernelChanged: ISignal<unknown, Session.ISessionConnection.IKernelChangedArgs>;
  statusChanged: ISignal<unknown, Kernel.Status>;
}

/** What shows outputs and has a kernel: a notebook, a console. */
export interface OutputPanel extends Widget {
  sessionContext: SessionContext;
  /** The notebook's document; a console has none. */
  context?: NonNullable<Surroundings["context"]>;
}

export interface NotebookPanel extends OutputPanel {
  content: { widgets: readonly Widget[] };
}

export interface PanelTracker {
  forEach(visit: (panel: OutputPanel) => void): void;
  widgetAdded: ISignal<unknown, OutputPanel>;
}

export interface NotebookTracker extends PanelTracker {
  currentWidget: NotebookPanel | null;
  currentChanged: ISignal<unknown, NotebookPanel | null>;
}

export interface CommandPalette {
  addItem(item: { command: string; category: string }): void;
}

export interface ToolbarRegistry {
  addFactory(toolbar: "Notebook", item: string, factory: (panel: NotebookPanel) => Widget): unknown;
}

export interface NotebookModule {
  INotebookTracker: Token<NotebookTracker>;
}

export interface ConsoleModule {
  IConsoleTracker: Token<PanelTracker>;
}

export interface AppUtils {
  ICommandPalette: Token<CommandPalette>;
  IToolbarWidgetRegistry: Token<ToolbarRegistry>;
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
