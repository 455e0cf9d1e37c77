import { beforeEach, expect, test, vi } from "vitest";
import { IdleQueue } from "../../src/ui/idle";

let idle: IdleQueue;
let callbacks: ((deadline: { timeRemaining(): number }) => void)[];
let clockMs: number;

beforeEach(() => {
  idle = new IdleQueue();
  callbacks = [];
  clockMs = 0;
  vi.stubGlobal("requestIdleCallback", (callback: never) => callbacks.push(callback));
  vi.spyOn(performance, "now").mockImplementation(() => clockMs);
  return () => {
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
    vi.useRealTimers();
  };
});

/** The page is idle for so long. */
async function rest(forMs: number): Promise<void> {
  const untilMs = clockMs + forMs;
  for (const callback of callbacks.splice(0)) callback({ timeRemaining: () => untilMs - clockMs });
  await new Promise((resolve) => setTimeout(resolve));
}

function work(name: string, done: string[], takesMs: number) {
  return async () => {
    clockMs += takesMs;
    await Promise.resolve();
    done.push(name);
  };
}

test("it works while there is time for another piece like the last", async () => {
  const done: string[] = [];
  for (const name of ["a", "b", "c", "d"]) idle.request(work(name, done, 10));
  expect(callbacks).toHaveLength(1);
  await rest(25);
  expect(done).toEqual(["a", "b"]);
  await rest(0);
  expect(done).toEqual(["a", "b", "c"]);
  await rest(50);
  expect(done).toEqual(["a", "b", "c", "d"]);
  expect(callbacks).toHaveLength(0);
});

test("one piece at a time: nothing is begun while another is waited for", async () => {
  const done: string[] = [];
  let loaded = () => {};
  idle.request(() => new Promise<void>((resolve) => (loaded = resolve)));
  idle.request(work("b", done, 1));
  await rest(50);
  expect([done, callbacks]).toEqual([[], []]);
  loaded();
  await rest(50);
  await rest(50);
  expect(done).toEqual(["b"]);
});

test("a piece that is cancelled is not done", async () => {
  const done: string[] = [];
  const piece = work("a", done, 1);
  idle.request(piece);
  idle.cancel(piece);
  await rest(50);
  expect(done).toEqual([]);
});

test("a browser that does not tell when it is idle works, too", async () => {
  vi.stubGlobal("requestIdleCallback", undefined);
  vi.useFakeTimers();
  const done: string[] = [];
  for (const name of ["a", "b"]) idle.request(work(name, done, 10));
  await vi.advanceTimersByTimeAsync(100);
  expect(done).toEqual(["a", "b"]);
});
