import { expect, test } from "vitest";
import type { MimeRegistry, OutputPanel } from "../../src/lab/jupyterlab";
import { mimeRenderer, renderersOf } from "../../src/lab/mime-forms";
import { useScope } from "../../src/lab/shared-modules";

const FORMS = { data: { "text/html": "<b>x</b>" }, metadata: { "text/html": { a: 1 } } };

class Renderers {
  readonly asked: unknown[] = [];
  isDisposed = false;
  readonly registry = {
    preferredMimeType: (_: object, safe: string) => {
      this.asked.push(safe);
      return this.mime;
    },
    createModel: (options: object) => options,
    createRenderer: () => ({
      renderModel: async (model: object) => void this.asked.push(model),
      dispose: () => {
        this.isDisposed = true;
      },
    }),
  } as unknown as MimeRegistry;

  constructor(private readonly mime: string | undefined) {}
}

function lumino(attached: unknown[]): void {
  const attach = (_: unknown, host: unknown) => attached.push(host);
  const get = async () => () => ({ Widget: { attach } });
  useScope({ "@lumino/widgets": { "2.0.0": { get } } });
}

test.each([
  [true, "any"],
  [false, "ensure"],
])("a value is trusted as its output is (%s)", async (trusted, safe) => {
  const attached: unknown[] = [];
  lumino(attached);
  const renderers = new Renderers("text/html");
  const host = document.body.appendChild(document.createElement("div"));
  const render = mimeRenderer(
    () => renderers.registry,
    () => trusted,
  );
  const undo = await render(FORMS, host);
  expect(renderers.asked).toEqual([safe, { ...FORMS, trusted }]);
  expect(attached).toEqual([host]);
  undo?.();
  expect(renderers.isDisposed).toBe(true);
});

test("what was taken away meanwhile is not attached", async () => {
  const attached: unknown[] = [];
  lumino(attached);
  const { registry } = new Renderers("text/html");
  const render = mimeRenderer(
    () => registry,
    () => true,
  );
  expect(await render(FORMS, document.createElement("div"))).not.toBeNull();
  expect(attached).toEqual([]);
});

test.each([undefined, new Renderers(undefined).registry])("no renderer", async (registry) => {
  lumino([]);
  const render = mimeRenderer(
    () => registry,
    () => true,
  );
  expect(await render(FORMS, document.body)).toBeNull();
});

test("a notebook and a console have renderers", () => {
  const { registry } = new Renderers("text/html");
  const has = (panel: object) => renderersOf(panel as OutputPanel);
  expect(has({ content: { rendermime: registry } })).toBe(registry);
  expect(has({ console: { rendermime: registry } })).toBe(registry);
  expect(renderersOf(undefined)).toBeUndefined();
});
