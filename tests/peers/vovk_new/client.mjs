// The client of Vovk 3.7.0: node client.mjs API_ROOT SCHEMA, a file as generated clients carry it. It runs scripts, see
// ../node/drivers/scripts.mjs, with these in scope: `rpc(name, segment = "")` and what ../node/drivers/vovk.mjs has.
import { readFileSync } from "node:fs";
import { createRPC } from "vovk/create-rpc";
import { runScripts } from "../node/drivers/scripts.mjs";
import { common } from "../node/drivers/vovk.mjs";

const [apiRoot, file] = process.argv.slice(2);
const schema = JSON.parse(readFileSync(file, "utf8"));
const rpc = (name, segment = "") => createRPC(schema, segment, `${name}RPC`, undefined, { apiRoot });

await runScripts({ ...common, rpc });
process.exit(0);
