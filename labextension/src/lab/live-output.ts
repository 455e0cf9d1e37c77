// An output that runs, as long as this page knows of it: its runs, and the links to their kernel.
// Several renderers may draw it: JupyterLab can show an output in a view of its own.

import type { FromKernel } from "../kernel/messages";
import { patienceMs } from "../kernel/round-trips";
import type { EarlierAnswers, Output } from "../run/output-json";
import { Run } from "../run/run";
import { NOT_FINISHED } from "../run/saved-form";
import { followRun, keepColumns, keepRun } from "../view/following";
import { NotebookContext, type Surroundings } from "../view/notebook-context";
import type { Column } from "../view/shown-run";
import { ControlLink } from "./control-link";
import type { OutputPanel, SessionContext } from "./jupyterlab";

/** What is around an output in a panel. */
export function surroundingsOf({ sessionContext, context }: OutputPanel): Surroundings {
  return {
    get kernel() {
      return sessionContext.session?.kernel;
    },
    ...(context && { context }),
  };
}

export class LiveOutput {
  readonly key: string;
  readonly isComparison: boolean;
  readonly columns: readonly Column[];
  /** Its document's connection to the kernel. */
  readonly sessionContext: SessionContext;
  /** How many renderers draw it. */
  users = 0;
  /** The kernel was asked whether it knows it, and has not answered. */
  private isSearched = false;
  private readonly earlier: EarlierAnswers | undefined;
  private readonly links = new Map<string, ControlLink>();
  private readonly stops: (() => void)[] = [];

  constructor(panel: OutputPanel, output: Output) {
    const { key, isComparison, runs, earlier } = output;
    this.key = key;
    this.isComparison = isComparison;
    this.earlier = earlier.runs.length || earlier.leftOut ? earlier : undefined;
    this.sessionContext = panel.sessionContext;
    const kernel = () => panel.sessionContext.session?.kernel;
    const notebook = new NotebookContext(surroundingsOf(panel), key);
    this.columns = runs.map(({ key: own, name, snapshot }) => {
      const link = new ControlLink(own, kernel);
      const run = new Run((content) => link.send(content), snapshot);
      link.hear((message) => {
        if (message.kind === "unknown" && this.isSearched) run.lose(NOT_FINISHED);
        else run.receive(message);
      });
      this.links.set(own, link);
      return { run, link, notebook, name };
    });
    if (!this.links.has(key)) this.links.set(key, new ControlLink(key, kernel));
  }

  get isOver(): boolean {
    return this.columns.every(({ run }) => run.over);
  }

  /** Call back once when all its runs are over. */
  onOver(call: () => void): void {
    const changed = () => {
      if (!this.isOver) return;
      for (const stop of stops) stop();
      call();
    };
    const listener = { appended: () => {}, replaced: () => {}, changed };
    const stops = this.columns.map(({ run }) => run.listen(listener));
    this.stops.push(...stops);
  }

  /** The kernel has told all pages this. */
  tell(key: string, message: FromKernel): void {
    this.links.get(key)?.tell(message);
  }

  /** Its kernel is there: follow the runs, and look after the notebook file. */
  follow(): void {
    const link = this.links.get(this.key) as ControlLink;
    for (const column of this.columns) this.stops.push(followRun(column));
    const [first] = this.columns;
    if (this.isComparison) this.stops.push(keepColumns(this.columns, link));
    else if (first) this.stops.push(keepRun(first, link, this.earlier));
  }

  /** The notebook says that it runs: ask the kernel, if there is one, how far it is. */
  async find(): Promise<void> {
    const { sessionContext } = this;
    await sessionContext.ready;
    const kernel = sessionContext.session?.kernel;
    if (!kernel) {
      this.lose();
      return;
    }
    this.isSearched = true;
    const hear = ({ kind }: FromKernel) => {
      if (!this.isSearched || kind === "unknown") return;
      this.isSearched = false;
      this.follow();
    };
    for (const { link } of this.columns) {
      if (link) this.stops.push(link.hear(hear));
      link?.send({ kind: "snapshot" });
    }
    // A kernel in which nobody has loaded the extension does not know the question.
    const timer = window.setTimeout(() => this.isSearched && this.lose(), patienceMs(kernel));
    this.stops.push(() => clearTimeout(timer));
  }

  dispose(): void {
    for (const stop of this.stops) stop();
  }

  private lose(): void {
    for (const { run } of this.columns) run.lose(NOT_FINISHED);
  }
}
