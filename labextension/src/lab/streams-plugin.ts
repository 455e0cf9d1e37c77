// The streams of a page at hand: the command "Cancel the streams of this notebook", its button in the
// toolbar, a section of the Running panel, and a notice when one ends out of sight.

import type { Signal } from "@lumino/signaling";
import { cancelAll, cancelOne, type Outcome } from "./cancel";
import { goTo } from "./cells";
import { EndNotices } from "./end-notices";
import type {
  App,
  AppUtils,
  CommandPalette,
  NotebookCell,
  NotebookModule,
  NotebookPanel,
  NotebookTracker,
  Plugin,
  RunningManagers,
  RunningModule,
  SettingRegistry,
  SettingRegistryModule,
  ToolbarRegistry,
  UIComponents,
} from "./jupyterlab";
import { OwnCancels } from "./own-cancels";
import { PageStreams } from "./page-streams";
import { keepRestoredCells } from "./restored-cells";
import { runningManager } from "./running-panel";
import { shared, sharedIfAny } from "./shared-modules";
import { buttonCaption, buttonLabel, makeToolbarButton } from "./toolbar-button";

const ID = "kkjupyter:streams";
const COMMAND = "kkjupyter:cancel-streams";
const LABEL = "Cancel the streams of this notebook";
const CAPTION = "Sent past the running cell: it works while the kernel is busy";
/** The name of the toolbar item in schema/streams.json. */
const TOOLBAR_ITEM = "kkjupyter-cancel-streams";
/** The setting there that says whether ends are told. */
const NOTIFY = "notifyWhenStreamEnds";
const NOTICE_MS = 4_000;
const CANCEL_ICON = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 16 16">
<path class="jp-icon3" fill="#616161" fill-rule="evenodd" d="M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0
 0-13ZM8 3a5 5 0 1 1 0 10A5 5 0 0 1 8 3ZM5.5 6.56 6.56 5.5 8 6.94 9.44 5.5l1.06 1.06L9.06 8l1.44
 1.44-1.06 1.06L8 9.06 6.56 10.5 5.5 9.44 6.94 8Z"/></svg>`;
/** Lines that grow. */
const STREAM_ICON = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 16 16">
<path class="jp-icon3" fill="#616161" d="M2 3h12v1.5H2ZM2 7.25h12v1.5H2ZM2 11.5h5V13H2ZM9.5 12.25a1.5
 1.5 0 1 0 3 0 1.5 1.5 0 1 0-3 0Z"/></svg>`;

export async function streamsPlugin(): Promise<Plugin> {
  const [notebook, apputils, components, settingModule, signaling, running] = await Promise.all([
    shared<NotebookModule>("@jupyterlab/notebook"),
    shared<AppUtils>("@jupyterlab/apputils"),
    shared<UIComponents>("@jupyterlab/ui-components"),
    shared<SettingRegistryModule>("@jupyterlab/settingregistry"),
    shared<{ Signal: typeof Signal }>("@lumino/signaling"),
    sharedIfAny<RunningModule>("@jupyterlab/running"),
  ]);
  const { Notification } = apputils;

  const say = (outcome: Outcome) => {
    const notice = outcomeNotice(outcome);
    if (notice) Notification.emit(notice.text, notice.kind, { autoClose: NOTICE_MS });
  };

  const addCommand = (app: App, notebooks: NotebookTracker, page: PageStreams) => {
    // Without arguments it is that of the palette and the shortcut; a button names its notebook.
    const ofButton = ({ notebook: id }: { notebook?: unknown }) => {
      const panel = id === undefined ? undefined : notebooks.find((one) => one.id === id);
      return panel && page.follow(panel);
    };
    app.commands.addCommand(COMMAND, {
      label: (args) => {
        const streams = ofButton(args);
        return streams ? buttonLabel(streams) : LABEL;
      },
      caption: (args) => {
        const streams = ofButton(args);
        return streams ? buttonCaption(streams) : CAPTION;
      },
      icon: (args) => (ofButton(args) ? cancelIcon : undefined),
      isVisible: (args) => ofButton(args)?.count !== 0,
      isEnabled: (args) => Boolean(ofButton(args) ?? notebooks.currentWidget),
      execute: async (args) => {
        const panel = ofButton(args)?.panel ?? notebooks.currentWidget;
        if (panel) say(await cancelAll(panel));
      },
    });
    notebooks.currentChanged.connect(() => app.commands.notifyCommandChanged(COMMAND));
  };

  const { LabIcon } = components;
  const cancelIcon = new LabIcon({ name: COMMAND, svgstr: CANCEL_ICON });
  const streamIcon = new LabIcon({ name: "kkjupyter:stream", svgstr: STREAM_ICON });

  return {
    id: ID,
    description:
      "Shows the streams that run in notebooks, and cancels them while a kernel is busy.",
    autoStart: true,
    requires: [notebook.INotebookTracker],
    optional: [
      apputils.ICommandPalette,
      apputils.IToolbarWidgetRegistry,
      settingModule.ISettingRegistry,
      ...(running ? [running.IRunningSessionManagers] : []),
    ],
    activate: (
      app: App,
      notebooks: NotebookTracker,
      palette: CommandPalette | null,
      toolbars: ToolbarRegistry | null,
      settingRegistry: SettingRegistry | null,
      managers?: RunningManagers | null,
    ) => {
      const page = new PageStreams(signaling.Signal);
      const own = new OwnCancels();
      const show = (panel: NotebookPanel, cell: NotebookCell | undefined) =>
        void goTo(app, panel, cell);

      addCommand(app, notebooks, page);
      palette?.addItem({ command: COMMAND, category: "Notebook Operations" });
      toolbars?.addFactory("Notebook", TOOLBAR_ITEM, (panel) =>
        makeToolbarButton(components, app.commands, COMMAND, panel, page),
      );
      managers?.add(
        runningManager({
          page,
          icon: streamIcon,
          LuminoSignal: signaling.Signal,
          cancel: async (panel, runId) => say(await cancelOne(panel, runId)),
          cancelAll: async (panel) => say(await cancelAll(panel)),
          show,
        }),
      );

      let isWanted = true;
      const notices = new EndNotices({
        notifications: Notification,
        isWanted: () => isWanted,
        show,
      });
      page.ended.connect((_, ends) => {
        const told = ends.filter(({ panel, stream }) => {
          return !own.explain(panel.sessionContext.session?.kernel?.id, stream);
        });
        notices.add(told);
      });

      const follow = (panel: NotebookPanel) => {
        page.follow(panel);
        keepRestoredCells(panel);
        const watch = () => own.watch(panel.sessionContext.session?.kernel ?? null);
        panel.sessionContext.kernelChanged.connect(watch);
        watch();
      };
      notebooks.widgetAdded.connect((_, panel) => follow(panel));
      notebooks.forEach(follow);

      settingRegistry?.load(ID).then(
        (settings) => {
          const read = () => {
            isWanted = settings.get(NOTIFY).composite !== false;
          };
          settings.changed.connect(read);
          read();
        },
        (error) => console.error("kkjupyter: its settings are not there; notices are on", error),
      );
    },
  };
}

/** What is said about it, where nothing else on the page tells. */
function outcomeNotice(outcome: Outcome): { kind: "info" | "warning"; text: string } | null {
  if (outcome.via === "none") {
    return { kind: "warning", text: "The kernel does not answer; Interrupt stops what it runs." };
  }
  if (outcome.via === "control" && !outcome.cancelled) {
    return { kind: "info", text: "No stream is running in this notebook." };
  }
  return null;
}
