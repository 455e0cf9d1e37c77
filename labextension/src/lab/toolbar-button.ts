// The button in a notebook's toolbar that cancels its streams. It is there while any run, says how
// many, and tells in its tooltip which.

import type { Widget } from "@lumino/widgets";
import { addStyle } from "../ui/styles";
import type { App, NotebookPanel, UIComponents } from "./jupyterlab";
import type { NotebookStreams } from "./notebook-streams";
import type { PageStreams } from "./page-streams";
import { cancelWords, moreWords } from "./stream-words";
import css from "./toolbar.css";

/** In a tooltip, of many titles a few. */
const TITLES_SHOWN = 10;

/**
 * @param command what it does, shows and says; it gets the id of the notebook as `notebook`
 */
export function makeToolbarButton(
  { CommandToolbarButton }: UIComponents,
  commands: App["commands"],
  command: string,
  panel: NotebookPanel,
  page: PageStreams,
): Widget {
  addStyle(document, "toolbar", css);
  const button = new CommandToolbarButton({ commands, id: command, args: { notebook: panel.id } });
  button.addClass("kkj-toolbar-button");
  const streams = page.follow(panel);
  let said = "";
  const show = () => {
    button.setHidden(!streams.count);
    const says = `${buttonLabel(streams)}\n${buttonCaption(streams)}`;
    if (says === said) return;
    said = says;
    commands.notifyCommandChanged(command);
  };
  const onChange = (_: unknown, changed: NotebookPanel) => {
    if (changed === panel) show();
  };
  page.changed.connect(onChange);
  button.disposed.connect(() => page.changed.disconnect(onChange));
  show();
  return button;
}

/** `Cancel 3 streams` */
export function buttonLabel({ count }: NotebookStreams): string {
  return cancelWords(count);
}

/** The titles, a line for each; JupyterLab adds the shortcut to the last one. */
export function buttonCaption({ count, streams }: NotebookStreams): string {
  const titles = streams.slice(0, TITLES_SHOWN).map(({ title }) => title);
  const more = count - titles.length;
  return [...titles, ...(more > 0 ? [moreWords(more)] : []), cancelWords(count)].join("\n");
}
