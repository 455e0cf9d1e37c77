// What the peers' servers offer to our client in these tests and in benchmarks/streaming.py.
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

export function makeApi() {
  let open = 0;
  return {
    // values
    add: (a, b) => a + b,
    echo: (value) => value,
    math: { grade1: { add: (a, b) => a + b } },
    settings: { theme: "light" },
    Counter: class {
      constructor(start, step = 1) {
        this.start = start;
        this.step = step;
      }
    },
    slow: (ms) => sleep(ms),
    rich: () => ({ when: new Date(0), tags: new Set([1]), big: 10n, map: new Map([["a", NaN]]) }),

    // errors
    fail() {
      throw Object.assign(new TypeError("bad type"), { code: "E_TYPE" });
    },

    // callbacks
    async onProgress(count, callback) {
      for (let i = 1; i <= count; i++) {
        callback(i, count);
        await sleep(1);
      }
      return "done";
    },

    // streams
    async *countdown(from) {
      for (let i = from; i >= 0; i--) yield i;
    },
    async *failingStream() {
      yield 1;
      yield 2;
      throw Object.assign(new Error("something went wrong"), { code: "E_FAIL" });
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
    openTicks: () => open,
    async *tokens(count) {
      for (let i = 0; i < count; i++) yield "tok" + (i % 100);
    },
    data: {
      async *stream(count) {
        for (let i = 0; i < count; i++) yield `item-${i}`;
      },
    },
  };
}
