// Brings the renderer of outputs together with the kernels of notebooks and consoles.

import type { App, ConsoleModule, NotebookModule, PanelTracker, Plugin } from "./jupyterlab";
import { liveOutputs } from "./live-outputs";
import { shared } from "./shared-modules";

export async function outputsPlugin(): Promise<Plugin> {
  const notebook = await shared<NotebookModule>("@jupyterlab/notebook");
  const console = await shared<ConsoleModule>("@jupyterlab/console").catch(() => null);
  return {
    id: "kkjupyter:outputs",
    description: "Draws streams while they run, in every page of their kernel.",
    autoStart: true,
    optional: [notebook.INotebookTracker, ...(console ? [console.IConsoleTracker] : [])],
    activate: (_: App, ...trackers: (PanelTracker | null)[]) => {
      for (const tracker of trackers) if (tracker) liveOutputs.watch(tracker);
    },
  };
}
