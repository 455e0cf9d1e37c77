// The client of Vovk 0.1.7: node client.mjs API_ROOT METADATA. It runs scripts, see ../node/drivers/scripts.mjs, with
// these in scope: `rpc(name)`, `logTokens()` of the guide, which resolves to what it has logged and when, and what
// ../node/drivers/vovk.mjs has.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import ts from "typescript";
import { runScripts } from "../node/drivers/scripts.mjs";
import { common } from "../node/drivers/vovk.mjs";

const require = createRequire(import.meta.url);
const { clientizeController } = require("vovk/client");

const [apiRoot, file] = process.argv.slice(2);
const metadata = JSON.parse(readFileSync(file, "utf8"));
const rpc = (name) => clientizeController(metadata[`${name}Controller`], { defaultOptions: { prefix: apiRoot } });

// The guide's module is for a page: in a page, addresses are relative to the server.
const plainFetch = globalThis.fetch;
globalThis.fetch = (address, init) => plainFetch(new URL(address, apiRoot), init);

async function logTokens() {
  const source = readFileSync(new URL("src/vovk/hello/HelloState.ts", import.meta.url), "utf8");
  const { outputText } = ts.transpileModule(source, {
    compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022, esModuleInterop: true },
  });
  const started = performance.now();
  const logged = [];
  const console = { log: (item) => logged.push({ item, at_ms: performance.now() - started }) };
  const module = { exports: {} };
  const load = (name) => (name.endsWith("vovk-metadata.json") ? metadata : require(name));
  new Function("exports", "require", "console", outputText)(module.exports, load, console);
  await module.exports.logTokens();
  return logged;
}

await runScripts({ ...common, rpc, logTokens });
process.exit(0);
