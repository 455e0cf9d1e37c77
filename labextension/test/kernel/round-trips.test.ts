import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { KernelConnection } from "../../src/kernel/connection";
import { measureRoundTrips, patienceMs } from "../../src/kernel/round-trips";
import { Signal } from "../support/page";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

class Kernel {
  anyMessage = new Signal();
  constructor(public status = "idle") {}

  get link(): KernelConnection {
    return this as never;
  }

  send(msg_id: string, channel = "shell"): void {
    this.anyMessage.emit({ direction: "send", msg: { channel, header: { msg_id } } });
  }

  /** What comes back after so long. */
  receive(msg_id: string, afterMs = 0): void {
    vi.advanceTimersByTime(afterMs);
    const msg = { channel: "iopub", header: { msg_id: "own" }, parent_header: { msg_id } };
    this.anyMessage.emit({ direction: "recv", msg });
  }
}

test("an answer is waited for two seconds at least, and longer over a slow link", () => {
  const kernel = new Kernel();
  measureRoundTrips(kernel.link);
  kernel.send("a");
  kernel.receive("a", 20);
  expect(patienceMs(kernel.link)).toBe(2_000);
  kernel.send("b");
  kernel.receive("b", 1_400);
  expect(patienceMs(kernel.link)).toBe(4_200);
  kernel.send("c", "control");
  kernel.receive("c", 3_000);
  expect(patienceMs(kernel.link)).toBe(9_000);
  for (const id of ["d", "e", "f"]) {
    kernel.send(id);
    kernel.receive(id, 10);
  }
  expect(patienceMs(kernel.link)).toBe(2_000);
});

test("only the first answer counts, and what is nobody's answer does not", () => {
  const kernel = new Kernel();
  measureRoundTrips(kernel.link);
  kernel.send("a");
  kernel.receive("other", 1_000);
  kernel.receive("a", 200);
  kernel.receive("a", 60_000);
  expect(patienceMs(kernel.link)).toBe(3_600);
});

test("a busy kernel's answer says nothing of the link, except on the control channel", () => {
  const kernel = new Kernel("busy");
  measureRoundTrips(kernel.link);
  const unknownMs = patienceMs(kernel.link);
  kernel.send("a");
  kernel.receive("a", 9_000);
  expect(patienceMs(kernel.link)).toBe(unknownMs);
  kernel.send("b", "control");
  kernel.receive("b", 5);
  expect(patienceMs(kernel.link)).toBe(2_000);
});

test("however late an answer was, patience has an end; what never came is forgotten", () => {
  const kernel = new Kernel();
  measureRoundTrips(kernel.link);
  kernel.send("a");
  kernel.receive("a", 3_600_000);
  expect(patienceMs(kernel.link)).toBe(30_000);
  for (let n = 0; n < 100; n++) kernel.send(`unanswered ${n}`);
  for (const id of ["b", "c", "d"]) {
    kernel.send(id);
    kernel.receive(id, 10);
  }
  expect(patienceMs(kernel.link)).toBe(2_000);
});

test("each connection is listened to once, and one that tells nothing is none the worse", () => {
  const kernel = new Kernel();
  measureRoundTrips(kernel.link);
  measureRoundTrips(kernel.link);
  expect(kernel.anyMessage.slots.size).toBe(1);
  measureRoundTrips(null);
  measureRoundTrips({} as KernelConnection);
  expect(patienceMs(null)).toBeGreaterThan(2_000);
  expect(patienceMs({} as KernelConnection)).toBe(patienceMs(undefined));
});
