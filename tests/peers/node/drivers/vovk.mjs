// What both clients of Vovk have in the scope of their scripts.
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// An error as JSON, or a thrown value that is none.
function describe(error) {
  if (!(error instanceof Error)) return { thrown: error === undefined ? "undefined" : error };
  const { message, statusCode, cause } = error;
  return { kind: error.constructor.name, message, statusCode, cause };
}

// Reads a stream, or only `count` of it: its items, after how many milliseconds each came, and how it ended.
async function collect(call, count = Infinity) {
  const started = performance.now();
  const got = { items: [], at_ms: [], error: null };
  try {
    for await (const item of await call) {
      got.items.push(item);
      got.at_ms.push(performance.now() - started);
      if (got.items.length >= count) break;
    }
  } catch (error) {
    got.error = describe(error);
  }
  return got;
}

// What a call fails with; null if it does not.
async function failure(call) {
  try {
    await call;
    return null;
  } catch (error) {
    return describe(error);
  }
}

async function until(condition) {
  const deadline = performance.now() + 5000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${condition}`);
    await sleep(2);
  }
}

export const common = { collect, describe, failure, sleep, until };
