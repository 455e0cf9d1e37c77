// A client that does as it is told: node client.mjs WHICH CODEC URL. Each line of standard input is
// {"script": JAVASCRIPT}, the body of an async function with `api`, `channel` and `sleep` in scope; each is
// answered by a line {"value": what it returned} or {"error": {name, message, ...}}.
import { createInterface } from "node:readline";
import { load, options, say } from "./peer.mjs";

const [which, codec, url] = process.argv.slice(2);
const { RPCChannel, WebSocketClientIO } = await load(which);
const AsyncFunction = (async () => {}).constructor;

const channel = new RPCChannel(new WebSocketClientIO({ url }), options(codec));
const api = channel.getAPI();
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

for await (const line of createInterface({ input: process.stdin })) {
  try {
    const run = new AsyncFunction("api", "channel", "sleep", JSON.parse(line).script);
    say({ value: (await run(api, channel, sleep)) ?? null });
  } catch (error) {
    const { name, message, cause } = error;
    say({ error: { ...error, name, message, cause: cause?.message ?? cause } });
  }
}
process.exit(0);
