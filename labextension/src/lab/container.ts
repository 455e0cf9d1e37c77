// What JupyterLab loads: a module-federation container, as a prebuilt extension must be one, made by
// hand. The page calls init() with the modules it shares, and get() for the two that are named in
// package.json.

import { mimePlugin } from "./mime-plugin";
import { outputsPlugin } from "./outputs-plugin";
import { offerParts } from "./part-urls";
import { type ShareScope, useScope } from "./shared-modules";
import { streamsPlugin } from "./streams-plugin";

type Module = Record<string, unknown>;

const MODULES: Record<string, () => Promise<unknown>> = {
  "./extension": () => Promise.all([outputsPlugin(), streamsPlugin()]),
  "./mimeExtension": mimePlugin,
};

const container = {
  init(scope: ShareScope): void {
    useScope(scope);
  },

  async get(name: string): Promise<() => Module> {
    const make = MODULES[name];
    if (!make) throw new Error(`kkjupyter has no module ${name}`);
    const plugins = await make();
    return () => ({ __esModule: true, default: plugins });
  },
};

const script = document.currentScript as HTMLScriptElement | null;
if (script) offerParts(script.src);

const page = window as { _JUPYTERLAB?: Record<string, unknown> };
page._JUPYTERLAB ??= {};
page._JUPYTERLAB.kkjupyter = container;
