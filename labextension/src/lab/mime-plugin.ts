// The renderer of saved outputs.

import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import type { ReadonlyPartialJSONObject } from "@lumino/coreutils";
import { MIME_TYPE } from "../run/saved-form";
import css from "../ui/style.css";
import { addStyle } from "../ui/styles";
import { drawSaved, type Saved } from "./saved-view";
import { shared } from "./shared-modules";

type LuminoWidgets = typeof import("@lumino/widgets");

export async function mimePlugin(): Promise<IRenderMime.IExtension> {
  const { Widget } = await shared<LuminoWidgets>("@lumino/widgets");

  class SavedView extends Widget implements IRenderMime.IRenderer {
    private saved: Saved | null = null;
    private drawings = 0;

    constructor(private readonly options: IRenderMime.IRendererOptions) {
      super();
    }

    async renderModel({ data }: IRenderMime.IMimeModel): Promise<void> {
      this.drawings += 1;
      const drawing = this.drawings;
      const saved = await this.draw(data);
      if (this.isDisposed || drawing !== this.drawings) {
        saved?.dispose();
        return;
      }
      this.saved?.dispose();
      this.saved = saved;
      if (saved) this.node.replaceChildren(saved.element);
      else this.showHtml(data["text/html"]);
      if (this.isAttached) saved?.attached();
    }

    private async draw(data: ReadonlyPartialJSONObject): Promise<Saved | null> {
      const { latexTypesetter } = this.options;
      addStyle(this.node.ownerDocument, "style", css);
      try {
        return await drawSaved(data, (element) => latexTypesetter?.typeset(element));
      } catch (error) {
        console.error("kkjupyter: a saved view is shown as HTML", error);
        return null;
      }
    }

    override dispose(): void {
      this.saved?.dispose();
      super.dispose();
    }

    protected override onAfterAttach(): void {
      this.saved?.attached();
    }

    /** As JupyterLab shows it in a notebook that is not trusted. */
    private showHtml(html: unknown): void {
      const text = Array.isArray(html) ? html.join("") : String(html ?? "");
      this.addClass("jp-RenderedHTMLCommon");
      this.node.innerHTML = this.options.sanitizer.sanitize(text);
    }
  }

  return {
    id: "kkjupyter:mime",
    description: "Shows saved streams as they were shown live, without a kernel.",
    dataType: "json",
    // Before text/html, which stands next to it in the notebook.
    rank: 0,
    rendererFactory: {
      safe: true, // remote text is text here; HTML goes through the sanitiser
      mimeTypes: [MIME_TYPE],
      createRenderer: (options) => new SavedView(options),
    },
  };
}
