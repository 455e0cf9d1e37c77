// One drawing of one run, live or saved: the state line, and the pane below it.

import type { PaneContext } from "../panes/pane";
import { PaneContainer } from "../panes/pane-container";
import { StateLine } from "../run/state-line";
import type { GetText } from "../ui/button";
import { make } from "../ui/element";
import { suppressShortcuts } from "../ui/shortcuts";
import { cancel } from "./cancel";
import { loadPart } from "./part-requests";
import type { ShownRun } from "./shown-run";

const COPY_ANSWER_WITHIN_MS = 3_000;

export interface Drawing {
  readonly element: HTMLElement;
  /** It is in the page now: what follows its end can only now be scrolled there. */
  attached(): void;
  /** The notebook has its final form. */
  settled(): void;
  dispose(): void;
}

export interface RunDrawing extends Drawing {
  /** What its Copy button gives. */
  readonly getText: GetText;
  /** It can be asked for once more with `ask`; with null it no longer can. */
  offerAgain(ask: (() => void) | null): void;
}

/** What the notebook around a drawing lets it do. */
export type NotebookActions = Pick<PaneContext, "typeset" | "insertCell" | "renderMime">;

export function drawRun(shown: ShownRun, actions: NotebookActions = {}): RunDrawing {
  const { run, link, notebook } = shown;
  const context = { label: run.status.title, typeset: notebook.typesetter(), ...actions };
  const container = new PaneContainer(run, context, (part) => loadPart(part, link));
  const getText = async () => container.copied(await everything(shown));
  const line = new StateLine(run, { cancel: () => cancel(shown), getText });
  const element = make("div", "kkj");
  suppressShortcuts(element);
  element.append(line.element, container.element);
  const stop = run.listen({
    appended: (text) => container.append(text),
    replaced: (text) => container.replace(text),
    changed: () => {
      line.changed();
      if (run.over) container.ended();
    },
  });
  run.shown();
  return {
    element,
    getText,
    offerAgain: (ask) => line.offerAgain(ask),
    attached: () => requestAnimationFrame(() => container.append("")),
    settled: () => element.classList.add("kkj-static"),
    dispose: () => {
      stop();
      line.dispose();
      container.dispose();
    },
  };
}

/** All the text; from the kernel if this page does not hold all of it. */
async function everything({ run, link }: ShownRun): Promise<string> {
  if (!run.leftOut || !link || run.status.state === "lost") return run.text;
  return await new Promise((resolve) => {
    const stop = link.hear((message) => {
      if (message.kind === "copy") finish(message.text);
      else if (message.kind === "unknown") finish(run.text);
    });
    const timer = setTimeout(() => finish(run.text), COPY_ANSWER_WITHIN_MS);
    const finish = (text: string) => {
      clearTimeout(timer);
      stop();
      resolve(text);
    };
    link.send({ kind: "copy" });
  });
}
