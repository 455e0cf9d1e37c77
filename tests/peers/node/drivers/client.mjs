// A client that does as it is told: node client.mjs WHICH CODEC TARGET. TARGET is an address or, as JSON,
// the command of a server to start and speak to over its standard streams. It runs scripts, see scripts.mjs,
// with these in scope: `api`, `channel`, `kkrpc`, `sleep(ms)`, `until(condition)` for up to 5 s, `read(stream)` for
// all its values, `construct(name, args)`, and `meta`, an object whose entries go with every request where the
// protocol has a place for them.
import { spawn } from "node:child_process";
import { load } from "./peer.mjs";
import { runScripts } from "./scripts.mjs";

const [which, codec, target] = process.argv.slice(2);
const { kkrpc, ...peer } = await load(which);

let child;
function dial() {
  if (!target.startsWith("[")) return peer.dial(target, codec);
  const [program, ...args] = JSON.parse(target);
  child = spawn(program, args, { stdio: ["pipe", "pipe", "inherit"] });
  return peer.onPipes(child.stdout, child.stdin, codec);
}

const meta = {};
const channel = peer.channel(dial(), codec, {
  expose: { greet: (name) => `hello ${name}` },
  meta: () => (Object.keys(meta).length ? meta : undefined),
});
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));
const scope = {
  api: channel.getAPI(),
  channel,
  kkrpc,
  meta,
  sleep,
  async until(condition) {
    const deadline = performance.now() + 5000;
    while (!(await condition())) {
      if (performance.now() > deadline) throw new Error(`waited in vain for ${condition}`);
      await sleep(1);
    }
  },
  async read(stream) {
    const values = [];
    for await (const value of await stream) values.push(value);
    return values;
  },
  construct: (name, args) => peer.construct(channel, name, args),
};

await runScripts(scope);
child?.kill();
process.exit(0);
