// Values by MIME type, drawn by the renderers of the notebook (or console) in which they are shown.

import type { RenderMime } from "../panes/pane";
import type { MimeRegistry, OutputPanel } from "./jupyterlab";
import { shared } from "./shared-modules";

type LuminoWidgets = typeof import("@lumino/widgets");

/** The renderers of a panel, as far as it has any. */
export function renderersOf(panel: OutputPanel | undefined): MimeRegistry | undefined {
  return panel?.content?.rendermime ?? panel?.console?.rendermime;
}

/**
 * @param registry finds the renderers; undefined if there are none
 * @param isTrusted whether the output is: scripts run and styles apply only then
 */
export function mimeRenderer(
  registry: () => MimeRegistry | undefined,
  isTrusted: () => boolean,
): RenderMime {
  return async ({ data, metadata }, host) => {
    const { Widget } = await shared<LuminoWidgets>("@lumino/widgets");
    const known = registry();
    const trusted = isTrusted();
    const mime = known?.preferredMimeType(data, trusted ? "any" : "ensure");
    if (!known || mime === undefined) return null;
    const renderer = known.createRenderer(mime);
    await renderer.renderModel(known.createModel({ data, metadata, trusted }));
    // It may have been taken away meanwhile; a widget can only be attached in the page.
    if (host.isConnected) Widget.attach(renderer, host);
    return () => renderer.dispose();
  };
}
