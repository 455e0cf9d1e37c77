// Each line of standard input is {"script": JAVASCRIPT}, the body of an async function with `scope` in scope. Each
// is answered by a line {"value": what it returned} or {"error": {name, message, ...}}. Returns when there are no more.
import { createInterface } from "node:readline";

export const say = (message) => process.stdout.write(JSON.stringify(message) + "\n");

const AsyncFunction = (async () => {}).constructor;

export async function runScripts(scope) {
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      const run = new AsyncFunction(...Object.keys(scope), JSON.parse(line).script);
      say({ value: (await run(...Object.values(scope))) ?? null });
    } catch (error) {
      const { name, message, cause } = error;
      say({ error: { ...error, name, message, cause: cause?.message ?? cause } });
    }
  }
}
