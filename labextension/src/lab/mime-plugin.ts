// The renderer of outputs, live and saved. JupyterLab keeps a renderer as long as the preferred MIME
// type of its output stays the same: so nothing is replaced when a stream ends.

import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import type { ReadonlyPartialJSONObject } from "@lumino/coreutils";
import { type Bundle, MIME_TYPE } from "../kernel/messages";
import { loadPartWithoutKernel } from "../panes/part-loader";
import { type Output, outputOf, type RunOutput } from "../run/output-json";
import { Run } from "../run/run";
import { NOT_FINISHED } from "../run/saved-form";
import css from "../ui/style.css";
import { addStyle } from "../ui/styles";
import { drawColumns } from "../view/comparison";
import { type Drawing, drawRun, type NotebookActions, type RunDrawing } from "../view/live-view";
import { NotebookContext } from "../view/notebook-context";
import type { Column } from "../view/shown-run";
import { offerAgain } from "./again";
import { withEarlier } from "./earlier";
import { insertCellBelow } from "./insert-cell";
import type { LiveOutput } from "./live-output";
import { liveOutputs } from "./live-outputs";
import { mimeRenderer, renderersOf } from "./mime-forms";
import { partOf } from "./part-urls";
import { shared } from "./shared-modules";
import { isVoila } from "./voila";

type LuminoWidgets = typeof import("@lumino/widgets");

const CANCEL = ".kkj-line > .kkj-button:not([hidden])";
const QUIETLY = { preventScroll: true };

export async function mimePlugin(): Promise<IRenderMime.IExtension> {
  const { Widget } = await shared<LuminoWidgets>("@lumino/widgets");

  class OutputView extends Widget implements IRenderMime.IRenderer {
    private drawing: Drawing | null = null;
    /** The newest answer, if this is no comparison. */
    private answer: RunDrawing | null = null;
    private shownSaved: Output | null = null;
    private stopOffering = () => {};
    private live: LiveOutput | null = null;
    /** What is shown as soon as it is known in which notebook. */
    private awaited: Output | null = null;
    private renderings = 0;
    private isTrusted = false;
    private readonly actions: NotebookActions;

    constructor(private readonly options: IRenderMime.IRendererOptions) {
      super();
      addStyle(this.node.ownerDocument, "style", css);
      const { latexTypesetter } = options;
      this.actions = {
        typeset: latexTypesetter ? (element) => latexTypesetter.typeset(element) : undefined,
        insertCell: (source) => insertCellBelow(liveOutputs.panelOf(this.node), this.node, source),
        renderMime: mimeRenderer(
          // In a tab of its own an output is in no notebook: any notebook can draw its values.
          () => renderersOf(liveOutputs.panelOf(this.node) ?? liveOutputs.panels[0]),
          () => this.isTrusted,
        ),
      };
    }

    async renderModel({ data, trusted }: IRenderMime.IMimeModel): Promise<void> {
      this.isTrusted = trusted;
      this.renderings += 1;
      const rendering = this.renderings;
      this.awaited = null;
      const output = outputOf(data as Partial<Bundle>, partOf);
      if (!output) {
        this.showHtml(data);
      } else if (output.key && output.key === this.live?.key) {
        if (!output.isLive) {
          this.settle(output);
          this.offer(output, true);
        }
      } else if (output.isLive) {
        this.awaited = output;
        this.showLive();
      } else {
        await this.showSaved(output, data, () => rendering === this.renderings && !this.isDisposed);
      }
    }

    override dispose(): void {
      if (this.isDisposed) return;
      this.clear();
      super.dispose();
    }

    protected override onAfterAttach(): void {
      this.showLive();
      if (this.shownSaved) this.offer(this.shownSaved, false);
      this.drawing?.attached();
    }

    /** Where it is to be found out in which notebook this is, that comes when it is attached. */
    private showLive(): void {
      const output = this.awaited;
      if (!output) return;
      const live = liveOutputs.get(output.key) ?? liveOutputs.find(output, this.node);
      if (live) {
        this.awaited = null;
        live.users += 1;
        this.put(live.columns, output);
        this.live = live;
      } else if (this.isAttached) {
        // Nobody here has a kernel: what has come so far is all there is.
        this.awaited = null;
        const columns = this.saved(output);
        for (const { run } of columns) run.lose(NOT_FINISHED);
        this.put(columns, output);
      }
    }

    /** Its kernel may be able to ask for it once more. */
    private offer(output: Output, isKnown: boolean): void {
      this.stopOffering();
      const panel = liveOutputs.panelOf(this.node);
      if (!output.canAsk || !this.answer || !panel) return;
      this.stopOffering = offerAgain(panel, output.key, this.answer, isKnown);
    }

    /** The stream is over: everything stays as it is. */
    private settle(output: Output): void {
      for (const [index, { snapshot }] of output.runs.entries()) {
        this.live?.columns[index]?.run.settle(snapshot);
      }
      this.drawing?.settled();
    }

    private async showSaved(
      output: Output,
      data: ReadonlyPartialJSONObject,
      isWanted: () => boolean,
    ): Promise<void> {
      try {
        // Without its part the notebook's HTML says more than its source.
        const parts = output.runs.flatMap(({ snapshot: { part } }) => part ?? []);
        await Promise.all(parts.map((part) => loadPartWithoutKernel(part)));
      } catch (error) {
        console.error("kkjupyter: a saved view is shown as HTML", error);
        if (isWanted()) this.showHtml(data);
        return;
      }
      if (!isWanted()) return;
      this.put(this.saved(output), output);
      this.drawing?.settled();
      this.shownSaved = output;
      if (this.isAttached) this.offer(output, false);
    }

    private saved({ key, runs }: Pick<Output, "key" | "runs">): Column[] {
      const notebook = new NotebookContext({}, key);
      return runs.map(({ name, snapshot }) => {
        return { name, run: new Run(() => {}, snapshot), link: null, notebook };
      });
    }

    private put(columns: readonly Column[], { isComparison, earlier }: Output): void {
      const hadFocus = this.node.contains(document.activeElement);
      this.clear();
      const [first] = columns;
      if (first && !isComparison) this.answer = drawRun(first, this.actions);
      const newest = this.answer ?? drawColumns(columns, this.actions);
      const drawEarlier = (run: RunOutput) => {
        const [saved] = this.saved({ key: "", runs: [run] });
        return drawRun(saved as Column, this.actions);
      };
      const drawing = withEarlier(newest, earlier, drawEarlier);
      this.drawing = drawing;
      this.node.replaceChildren(drawing.element);
      if (this.isAttached) drawing.attached();
      // The focus was on the button that has asked for this.
      if (hadFocus) newest.element.querySelector<HTMLElement>(CANCEL)?.focus(QUIETLY);
    }

    private clear(): void {
      this.stopOffering();
      this.stopOffering = () => {};
      this.shownSaved = null;
      this.answer = null;
      this.drawing?.dispose();
      this.drawing = null;
      if (this.live) liveOutputs.release(this.live);
      this.live = null;
    }

    /** As JupyterLab shows it in a notebook that is not trusted. */
    private showHtml(data: ReadonlyPartialJSONObject): void {
      this.clear();
      const html = data["text/html"];
      if (html === undefined) {
        const text = data["text/plain"];
        const pre = document.createElement("pre");
        pre.textContent = Array.isArray(text) ? text.join("") : String(text ?? "");
        this.node.replaceChildren(pre);
        return;
      }
      const text = Array.isArray(html) ? html.join("") : String(html);
      this.addClass("jp-RenderedHTMLCommon");
      this.node.innerHTML = this.options.sanitizer.sanitize(text);
    }
  }

  return {
    id: "kkjupyter:mime",
    description:
      "Shows streams while they run, and saved ones as they were shown, without a kernel.",
    dataType: "json",
    // Before text/html (50), and before the widget (-10) that may stand beside it for other front ends;
    // in Voila that has to draw what runs.
    rank: isVoila(document) ? -5 : -20,
    rendererFactory: {
      safe: true, // remote text is text here; HTML goes through the sanitiser
      mimeTypes: [MIME_TYPE],
      createRenderer: (options) => new OutputView(options),
    },
  };
}
