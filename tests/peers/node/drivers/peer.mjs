// Which kkrpc the drivers run: the one from npm beside them, or a bundle named on the command line.
// ../../README.md says what a bundle exports. Its generation shows in what it offers; classic.mjs and
// compact.mjs give both the same few functions.
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { classic } from "./classic.mjs";
import { compact } from "./compact.mjs";

export async function load(which) {
  const kkrpc =
    which === "npm"
      ? { ...(await import("kkrpc")), ...(await import("ws")) }
      : await import(pathToFileURL(resolve(which)).href);
  // The peers' client uses the global one, which Node has since version 22; the same for all here.
  globalThis.WebSocket = kkrpc.WebSocket;
  return { kkrpc, ...("createTransport" in kkrpc ? compact(kkrpc) : classic(kkrpc)) };
}

export { say } from "./scripts.mjs";
