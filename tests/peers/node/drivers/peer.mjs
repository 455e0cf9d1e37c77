// Which kkrpc the drivers run: the one from npm beside them, or a bundle named on the command line.
// A bundle is one module that exports RPCChannel, WebSocketClientIO, WebSocketServerIO and, from the
// package `ws`, WebSocketServer and WebSocket.
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";

export async function load(which) {
  const library =
    which === "npm"
      ? { ...(await import("kkrpc")), ...(await import("ws")) }
      : await import(pathToFileURL(resolve(which)).href);
  // The peers' client uses the global one, which Node has since version 22; the same for all here.
  globalThis.WebSocket = library.WebSocket;
  return library;
}

// Before 0.7 there was no choice of codec per channel, and an unknown option does no harm.
export const options = (codec, more = {}) => ({ serialization: { version: codec }, ...more });

export const say = (message) => process.stdout.write(JSON.stringify(message) + "\n");
