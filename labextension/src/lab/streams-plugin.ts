// "Cancel the streams of this notebook": a command, and a toolbar button while streams run.

import type { Widget } from "@lumino/widgets";
import { addStyle } from "../ui/styles";
import { cancelAll, type Outcome } from "./cancel-all";
import type {
  App,
  AppUtils,
  CommandPalette,
  NotebookModule,
  NotebookPanel,
  NotebookTracker,
  Plugin,
  ToolbarRegistry,
  UIComponents,
} from "./jupyterlab";
import { watchRunning } from "./running-count";
import { shared } from "./shared-modules";
import css from "./toolbar.css";

const COMMAND = "kkjupyter:cancel-streams";
const LABEL = "Cancel the streams of this notebook";
/** The name of the toolbar item in schema/streams.json. */
const TOOLBAR_ITEM = "kkjupyter-cancel-streams";
const NOTICE_MS = 4_000;
const ICON = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 16 16">
<path class="jp-icon3" fill="#616161" fill-rule="evenodd" d="M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0
 0-13ZM8 3a5 5 0 1 1 0 10A5 5 0 0 1 8 3ZM5.5 6.56 6.56 5.5 8 6.94 9.44 5.5l1.06 1.06L9.06 8l1.44
 1.44-1.06 1.06L8 9.06 6.56 10.5 5.5 9.44 6.94 8Z"/></svg>`;

export async function streamsPlugin(): Promise<Plugin> {
  const [notebook, apputils, components] = await Promise.all([
    shared<NotebookModule>("@jupyterlab/notebook"),
    shared<AppUtils>("@jupyterlab/apputils"),
    shared<UIComponents>("@jupyterlab/ui-components"),
  ]);
  const { Notification } = apputils;
  const icon = new components.LabIcon({ name: "kkjupyter:cancel-streams", svgstr: ICON });

  const cancel = async (panel: NotebookPanel) => {
    const notice = noticeOf(await cancelAll(panel));
    if (notice) Notification[notice.kind](notice.text, { autoClose: NOTICE_MS });
  };

  const makeButton = (panel: NotebookPanel): Widget => {
    const button = new components.ToolbarButton({
      icon,
      label: "Cancel streams",
      tooltip: LABEL,
      className: "kkj-toolbar-button",
      onClick: () => void cancel(panel),
    });
    addStyle(document, "toolbar", css);
    button.setHidden(true);
    const stop = watchRunning(panel, (running) => button.setHidden(!running));
    button.disposed.connect(stop);
    return button;
  };

  return {
    id: "kkjupyter:streams",
    description: "Cancels the streams of a notebook, also while its kernel is busy.",
    autoStart: true,
    requires: [notebook.INotebookTracker],
    optional: [apputils.ICommandPalette, apputils.IToolbarWidgetRegistry],
    activate: (
      app: App,
      notebooks: NotebookTracker,
      palette: CommandPalette | null,
      toolbars: ToolbarRegistry | null,
    ) => {
      app.commands.addCommand(COMMAND, {
        label: LABEL,
        caption: "Sent past the running cell: it works while the kernel is busy",
        isEnabled: () => notebooks.currentWidget !== null,
        execute: async () => {
          if (notebooks.currentWidget) await cancel(notebooks.currentWidget);
        },
      });
      notebooks.currentChanged.connect(() => app.commands.notifyCommandChanged(COMMAND));
      palette?.addItem({ command: COMMAND, category: "Notebook Operations" });
      toolbars?.addFactory("Notebook", TOOLBAR_ITEM, makeButton);
    },
  };
}

/** What is said about it, where nothing else on the page tells. */
function noticeOf(outcome: Outcome): { kind: "info" | "warning"; text: string } | null {
  if (outcome.via === "none") {
    return { kind: "warning", text: "The kernel does not answer; Interrupt stops what it runs." };
  }
  if (outcome.via === "control" && !outcome.cancelled) {
    return { kind: "info", text: "No stream is running in this notebook." };
  }
  return null;
}
