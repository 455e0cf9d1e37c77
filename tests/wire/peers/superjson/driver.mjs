// Reads one request per line, answers each with one line. What a value is, is told by a description
// of our own (see tests/support/js_values.py, which makes the same from Python values):
//
//   {"op": "read", "text": T}        parse T; describe the value; write it out again
//   {"op": "write", "described": D}  build the value D describes; write it out; describe what the
//                                    library itself reads from that
//
// The folder that holds the modules is the only argument.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const library = join(process.argv[2], "superjson");
const { version } = JSON.parse(readFileSync(join(library, "package.json"), "utf8"));
const { default: superjson } = await import(pathToFileURL(join(library, "dist", "index.js")).href);

const hexOfText = (text) =>
  Array.from({ length: text.length }, (_, i) => text.charCodeAt(i).toString(16).padStart(4, "0")).join("");

const textOfHex = (hex) =>
  (hex.match(/.{4}/g) ?? []).map((unit) => String.fromCharCode(parseInt(unit, 16))).join("");

const bytes = new DataView(new ArrayBuffer(8));

function hexOfNumber(number) {
  if (Number.isNaN(number)) return "NaN";
  bytes.setFloat64(0, number);
  return bytes.getBigUint64(0).toString(16).padStart(16, "0");
}

function numberOfHex(hex) {
  if (hex === "NaN") return NaN;
  bytes.setBigUint64(0, BigInt(`0x${hex}`));
  return bytes.getFloat64(0);
}

function describe(value, ids = new Map()) {
  if (value === null) return ["null"];
  if (typeof value === "undefined") return ["undefined"];
  if (typeof value === "boolean") return ["boolean", value];
  if (typeof value === "number") return ["number", hexOfNumber(value)];
  if (typeof value === "string") return ["string", hexOfText(value)];
  if (typeof value === "bigint") return ["bigint", value.toString()];
  if (value instanceof Date) return ["date", hexOfNumber(value.getTime())];
  if (value instanceof RegExp) return ["regexp", hexOfText(value.source), value.flags];
  if (value instanceof URL) return ["url", value.href];
  if (ArrayBuffer.isView(value)) {
    return ["typed", value.constructor.name, Array.from(value, hexOfNumber)];
  }
  if (ids.has(value)) return ["ref", ids.get(value)];
  const id = ids.size;
  ids.set(value, id);
  const inner = (item) => describe(item, ids);
  if (Array.isArray(value)) return ["array", id, value.map(inner)];
  if (value instanceof Map) {
    return ["map", id, Array.from(value, ([key, item]) => [inner(key), inner(item)])];
  }
  if (value instanceof Set) {
    // Pairs, because sort() puts undefined last whatever the comparison says.
    const pairs = Array.from(value, (item) => [JSON.stringify(describe(item)), item]);
    pairs.sort(([a], [b]) => (a < b ? -1 : 1));
    return ["set", id, pairs.map(([, item]) => inner(item))];
  }
  if (value instanceof Error) {
    return ["error", id, hexOfText(value.name), hexOfText(value.message), inner(value.cause ?? undefined)];
  }
  if (Object.getPrototypeOf(value) !== Object.prototype) {
    throw new Error(`no description for a ${value.constructor?.name}`);
  }
  const keys = new Map(Object.keys(value).map((key) => [hexOfText(key), key]));
  return ["object", id, [...keys.keys()].sort().map((hex) => [hex, inner(value[keys.get(hex)])])];
}

function build(described, made = new Map()) {
  const [kind, ...rest] = described;
  const inner = (item) => build(item, made);
  const register = (value) => (made.set(rest[0], value), value);
  switch (kind) {
    case "null":
      return null;
    case "undefined":
      return undefined;
    case "boolean":
      return rest[0];
    case "number":
      return numberOfHex(rest[0]);
    case "string":
      return textOfHex(rest[0]);
    case "bigint":
      return BigInt(rest[0]);
    case "date":
      return new Date(numberOfHex(rest[0]));
    case "regexp":
      return new RegExp(textOfHex(rest[0]), rest[1]);
    case "url":
      return new URL(rest[0]);
    case "typed":
      return globalThis[rest[0]].from(rest[1], numberOfHex);
    case "ref":
      return made.get(rest[0]);
    case "array": {
      const array = register([]);
      for (const item of rest[1]) array.push(inner(item));
      return array;
    }
    case "map": {
      const map = register(new Map());
      for (const [key, item] of rest[1]) map.set(inner(key), inner(item));
      return map;
    }
    case "set": {
      const set = register(new Set());
      for (const item of rest[1]) set.add(inner(item));
      return set;
    }
    case "error": {
      const error = register(new Error(textOfHex(rest[2])));
      error.name = textOfHex(rest[1]);
      const cause = inner(rest[3]);
      if (cause !== undefined) error.cause = cause;
      return error;
    }
    case "object": {
      const object = register({});
      for (const [hex, item] of rest[1]) object[textOfHex(hex)] = inner(item);
      return object;
    }
    default:
      throw new Error(`unknown description ${kind}`);
  }
}

function answer({ op, text, described }) {
  if (op === "version") return { version };
  if (op === "read") {
    const value = superjson.parse(text);
    return { described: describe(value), text: superjson.stringify(value) };
  }
  const written = superjson.stringify(build(described));
  return { text: written, described: describe(superjson.parse(written)) };
}

for await (const line of createInterface({ input: process.stdin })) {
  let reply;
  try {
    reply = answer(JSON.parse(line));
  } catch (error) {
    reply = { error: String(error) };
  }
  process.stdout.write(`${JSON.stringify(reply)}\n`);
}
