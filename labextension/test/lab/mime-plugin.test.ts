import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import { beforeEach, expect, test, vi } from "vitest";
import { MIME_TYPE } from "../../src/kernel/messages";
import { mimePlugin } from "../../src/lab/mime-plugin";
import { useScope } from "../../src/lab/shared-modules";
import { partsOfPage, partUrlsOfPage } from "../../src/panes/part-loader";
import { bundle, FakeWidget } from "../support/lab";

beforeEach(() => {
  globalThis.KKJUPYTER_PARTS = { loud: "loud-1234" };
});

test("what cannot be drawn is shown as its HTML, sanitised", async () => {
  useScope({ "@lumino/widgets": { "2.0.0": { get: async () => () => ({ Widget: FakeWidget }) } } });
  const plugin = await mimePlugin();
  expect(plugin.rendererFactory.safe).toBe(true);
  const sanitizer = { sanitize: (html: string) => `clean ${html}` };
  const options = { sanitizer, mimeType: MIME_TYPE, resolver: null, linkHandler: null };
  const renderer = plugin.rendererFactory.createRenderer({ ...options, latexTypesetter: null });
  const render = (data: object) => renderer.renderModel({ data } as IRenderMime.IMimeModel);
  await render(bundle({ pane: "mine" }));
  expect(renderer.node.innerHTML).toBe("clean <p>html</p>");
  await render(bundle());
  expect(renderer.node.querySelector(".kkj-text")).not.toBeNull();
  // A part that cannot be loaded: neither the page nor the extension has it.
  partsOfPage().delete("loud-1234");
  partUrlsOfPage().delete("loud-1234");
  const said = vi.spyOn(console, "error").mockImplementation(() => {});
  await render(bundle({ pane: "loud" }));
  expect(renderer.node.innerHTML).toBe("clean <p>html</p>");
  expect(said).toHaveBeenCalledOnce();
  said.mockRestore();
});
