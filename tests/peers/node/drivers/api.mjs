// What the peers' servers offer to our client in these tests and in `make bench`.
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// `release` gives a callback back where the protocol knows that; `client` is the API of whoever calls.
export function makeApi(release, client) {
  let open = 0;
  let produced = 0;
  let kept;
  return {
    // values
    add: (a, b) => a + b,
    echo: (value) => value,
    describe: (...args) => [args.length, ...args.map((arg) => (arg === null ? "null" : typeof arg))],
    math: { grade1: { add: (a, b) => a + b } },
    settings: { theme: "light", empty: null },
    Counter: class {
      constructor(start, step = 1) {
        this.start = start;
        this.step = step;
      }
    },
    slow: (ms) => sleep(ms),
    die: () => process.exit(1),
    rich: () => ({ when: new Date(0), tags: new Set([1]), big: 10n, map: new Map([["a", NaN]]) }),
    undef: () => undefined,
    nil: () => null,

    // errors
    fail() {
      throw Object.assign(new TypeError("bad type"), { code: "E_TYPE" });
    },
    throwText() {
      throw "just text";
    },

    // callbacks, and the other direction
    async onProgress(count, callback) {
      for (let i = 1; i <= count; i++) {
        callback(i, count);
        await sleep(1);
      }
      return "done";
    },
    keep: (callback) => void (kept = callback),
    callKept: (value) => void kept(value),
    releaseKept() {
      release(kept);
      kept = undefined;
    },
    askClient: async (name) => await client().greet(name),

    // streams
    async *countdown(from) {
      for (let i = from; i >= 0; i--) yield i;
    },
    async *failingStream() {
      yield 1;
      yield 2;
      throw Object.assign(new Error("something went wrong"), { code: "E_FAIL" });
    },
    async *failsAtOnce() {
      throw new RangeError("before the first value");
    },
    async *ticks() {
      open++;
      try {
        for (let i = 0; ; i++) {
          yield i;
          await sleep(5);
        }
      } finally {
        open--;
      }
    },
    async *sleepy() {
      yield "first";
      await sleep(2000);
      yield "second";
    },
    openTicks: () => open,
    async *tokens(count) {
      for (let i = 0; i < count; i++) {
        produced++;
        yield "tok" + (i % 100);
      }
    },
    produced: () => produced,
    async *blobs(count, size) {
      for (let i = 0; i < count; i++) yield "é😀".repeat(size / 6);
    },
    data: {
      async *stream(count) {
        for (let i = 0; i < count; i++) yield `item-${i}`;
      },
    },
    async *empty() {},
    async *withReturn(count) {
      for (let i = 0; i < count; i++) yield i;
      return "the end";
    },
    async *richStream() {
      yield new Date(0);
      yield undefined;
      yield null;
      yield 10n;
    },
    async *catching() {
      for (let i = 0, caught; ; ) {
        try {
          yield caught ?? i++;
          caught = undefined;
        } catch (error) {
          caught = `caught ${error?.message ?? error}`;
        }
      }
    },

    // streams as arguments
    async sum(numbers) {
      let sum = 0;
      for await (const number of numbers) sum += number;
      return sum;
    },
    async firstOf(stream, count) {
      const taken = [];
      for await (const value of stream) {
        taken.push(value);
        if (taken.length === count) break;
      }
      return taken;
    },
    async *doubled(numbers) {
      for await (const number of numbers) yield number * 2;
    },
    async errorOf(stream) {
      try {
        for await (const _ of stream);
      } catch (error) {
        return error.message;
      }
    },
    refuseStream(_stream) {
      throw new Error("not wanted");
    },

    // what stands around a call
    guarded: () => "reached",
    shouted: (text) => text,
    metaOf: () => null,
    checked: (a, b) => a + b,
  };
}

const around = {
  guarded: () => Promise.reject(new Error("the guard says no")),
  shouted: async (_context, next) => (await next()).toUpperCase(),
  metaOf: async (context) => context.meta ?? null,
};

export const interceptors = [
  (context, next) => (around[context.method] ?? ((_context, go) => go()))(context, next),
];

// As a schema library has it: https://standardschema.dev
const twoNumbers = {
  "~standard": {
    version: 1,
    vendor: "tests",
    validate: (args) =>
      args.length === 2 && args.every((arg) => typeof arg === "number")
        ? { value: args }
        : { issues: [{ message: "two numbers are expected", path: [0] }] },
  },
};

export const validators = { checked: { input: twoNumbers } };
