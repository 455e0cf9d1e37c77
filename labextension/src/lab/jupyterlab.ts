// As much of @jupyterlab/apputils, notebook, running, settingregistry and ui-components as is used
// here. Their packages bring so many others along that installing them takes longer than to build all
// this; what smaller ones declare (services, the interfaces of renderers, Lumino) is taken from there.

import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import type { Kernel, KernelMessage, Session } from "@jupyterlab/services";
import type { Application, IPlugin } from "@lumino/application";
import type { ReadonlyPartialJSONObject, Token } from "@lumino/coreutils";
import type { ISignal } from "@lumino/signaling";
import type { Widget } from "@lumino/widgets";
import type { Surroundings } from "../view/notebook-context";

/** Of `JupyterFrontEnd`: what is any Lumino application's, and the way to a tab. */
export type App = Application<Widget> & { shell: { activateById(id: string): void } };

export type Plugin = IPlugin<App, void>;

export interface SessionContext {
  isReady: boolean;
  ready: Promise<void>;
  session: Pick<Session.ISessionConnection, "kernel"> | null;
  iopubMessage: ISignal<unknown, KernelMessage.IMessage>;
  kernelChanged: ISignal<unknown, Session.ISessionConnection.IKernelChangedArgs>;
  statusChanged: ISignal<unknown, Kernel.Status>;
  connectionStatusChanged: ISignal<unknown, Kernel.ConnectionStatus>;
}

export interface NotebookCell extends Widget {
  model: { id: string };
  /** Only a code cell has one. */
  outputArea?: Widget;
}

/** The cells that were deleted since the last execution; the kernel is told with the next one. */
export interface NotebookModel {
  readonly deletedCells: string[];
  readonly sharedModel: {
    insertCell(index: number, cell: { cell_type: "code"; source: string }): unknown;
  };
  readonly cells: {
    readonly changed: ISignal<unknown, { type: string; newValues: readonly { id: string }[] }>;
  };
}

/** Of `IRenderMimeRegistry`: the renderers of a notebook or console. */
export interface MimeRegistry {
  preferredMimeType(
    data: Readonly<Record<string, unknown>>,
    safe: "ensure" | "any",
  ): string | undefined;
  createRenderer(mimeType: string): IRenderMime.IRenderer & Widget;
  createModel(options: {
    data: object;
    metadata: object;
    trusted: boolean;
  }): IRenderMime.IMimeModel;
}

export interface Notebook extends Widget {
  rendermime?: MimeRegistry;
  widgets: readonly NotebookCell[];
  model: NotebookModel | null;
  modelChanged: ISignal<unknown, unknown>;
  activeCellIndex: number;
  deselectAll(): void;
  scrollToItem(index: number): Promise<void>;
}

/** What shows outputs and has a kernel: a notebook, a console. */
export interface OutputPanel extends Widget {
  sessionContext: SessionContext;
  /** The notebook's document; a console has none. */
  context?: NonNullable<Surroundings["context"]>;
  /** What a notebook shows. */
  content?: { rendermime?: MimeRegistry };
  /** What a console shows. */
  console?: { rendermime?: MimeRegistry };
}

export interface NotebookPanel extends OutputPanel {
  content: Notebook;
}

export interface PanelTracker {
  forEach(visit: (panel: OutputPanel) => void): void;
  widgetAdded: ISignal<unknown, OutputPanel>;
}

export interface NotebookTracker extends PanelTracker {
  currentWidget: NotebookPanel | null;
  currentChanged: ISignal<unknown, NotebookPanel | null>;
  widgetAdded: ISignal<unknown, NotebookPanel>;
  forEach(call: (panel: NotebookPanel) => void): void;
  find(test: (panel: NotebookPanel) => boolean): NotebookPanel | undefined;
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

export interface NotificationOptions {
  /** In milliseconds. */
  autoClose: number;
  actions?: { label: string; caption: string; callback: () => void }[];
}

export interface Notifications {
  emit(
    text: string,
    kind: "success" | "info" | "warning" | "error",
    options: NotificationOptions,
  ): string;
  update(
    changes: {
      id: string;
      message: string;
      type: "success" | "info" | "error";
    } & NotificationOptions,
  ): boolean;
}

export interface AppUtils {
  ICommandPalette: Token<CommandPalette>;
  IToolbarWidgetRegistry: Token<ToolbarRegistry>;
  Notification: Notifications;
}

/** What a command takes for its icon. */
export type Icon = Exclude<
  Parameters<App["commands"]["addCommand"]>[1]["icon"],
  undefined | ((args: never) => unknown)
>;

export interface UIComponents {
  LabIcon: new (options: { name: string; svgstr: string }) => Icon;
  CommandToolbarButton: new (options: {
    commands: App["commands"];
    id: string;
    args: ReadonlyPartialJSONObject;
  }) => Widget;
}

/** One row of the Running panel. */
export interface RunningItem {
  className: string;
  /** Goes into the row's `data-context`. */
  context: string;
  icon: () => object;
  label: () => string;
  labelTitle: () => string;
  detail?: () => string;
  open?: () => void;
  shutdown?: () => void;
}

/** One section of the Running panel. */
export interface RunningManager {
  name: string;
  supportsMultipleViews: false;
  running(): RunningItem[];
  runningChanged: ISignal<unknown, unknown>;
  refreshRunning(): void;
  shutdownAll(): void;
  shutdownLabel: string;
  shutdownAllLabel: string;
  shutdownAllConfirmationText: string;
}

export interface RunningManagers {
  add(manager: RunningManager): unknown;
}

export interface RunningModule {
  IRunningSessionManagers: Token<RunningManagers>;
}

export interface Settings {
  get(key: string): { composite?: unknown };
  changed: ISignal<unknown, unknown>;
}

export interface SettingRegistry {
  load(plugin: string): Promise<Settings>;
}

export interface SettingRegistryModule {
  ISettingRegistry: Token<SettingRegistry>;
}
