// A peer on a message bus: node bus.mjs BUNDLE BROKER NAME ROLE LOCAL_ID [REMOTE_ID]. With the ROLE "server" it
// exposes drivers/api.mjs, as a "client" nothing. It runs scripts, see scripts.mjs, with `api`, `read(stream)`,
// `sleep(ms)` and `closed` (how many of its generators have ended) in scope.
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { makeApi } from "./api.mjs";
import { runScripts } from "./scripts.mjs";

const [bundle, broker, name, role, localPeerId, remotePeerId] = process.argv.slice(2);
const kkrpc = await import(pathToFileURL(resolve(bundle)).href);
const ids = { localPeerId, remotePeerId };
const transport = kkrpc.natsTransport
  ? kkrpc.natsTransport({ servers: broker, subject: name, ...ids })
  : kkrpc.redisStreamsTransport({ url: broker, stream: name, ...ids });
const expose = role === "server" ? makeApi(kkrpc.releaseCallback, () => channel.getAPI()) : undefined;
const channel = new kkrpc.RPCChannel(transport, { expose, timeout: 20_000 });
// It connects when it sends for the first time; this every receiver drops.
await transport.send({ t: "cbr", ids: [] });
await runScripts({
  api: channel.getAPI(),
  sleep: (ms) => new Promise((done) => setTimeout(done, ms)),
  async read(stream) {
    const values = [];
    for await (const value of await stream) values.push(value);
    return values;
  },
});
process.exit(0);
