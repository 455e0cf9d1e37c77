// A page that was not told of the end of a run finds out.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Report } from "../../src/kernel/messages";
import { Page } from "../support/page";
import { snapshot, status } from "../support/states";

let page: Page;
let keys = 0;
const streaming = status({ state: "streaming", count: 2 });
const done = status({ state: "done", count: 3 });
const goesOn: Report = { state: streaming, end: 2 };
const isOver: Report = { state: done, end: 2 };
/** The kernel does not know the run. */
const notKnown = null;

async function open(options = {}): Promise<HTMLElement> {
  page = new Page(`watched${++keys}`, snapshot({ text: "ab", status: streaming }), options);
  return await page.show();
}

function answer(report: object | null): void {
  const asked = page.control.at(-1);
  const kind = page.asked.at(-1) === "cancel" ? "ack" : "state";
  const known = report !== notKnown;
  asked?.reply({ status: "ok", known, answer: report && { kind, ...report } });
}

function press(): void {
  document.querySelector("button")?.click();
}

function pass(seconds: number): void {
  vi.advanceTimersByTime(seconds * 1_000);
}

/** Heartbeats, as a kernel sends them. */
function beats(seconds: number, runs = [3]): void {
  for (let passed = 0; passed < seconds; passed += 2) {
    page.beat(runs);
    pass(2);
  }
}

beforeEach(() => {
  vi.useFakeTimers();
});

afterEach(() => {
  page.remove();
  page.end();
  document.body.replaceChildren();
  vi.useRealTimers();
});

test("while the heartbeat names the run, nothing is asked", async () => {
  await open();
  beats(600);
  expect([page.asked, page.sent]).toEqual([[], []]);
});

test("a heartbeat of another version, which names nothing, is a sign of life", async () => {
  await open();
  for (let n = 0; n < 100; n++) {
    page.iopub("kkjupyter_running", { running: 1 });
    pass(2);
  }
  expect(page.asked).toEqual([]);
});

test("a run that the heartbeat does not name is asked about on both roads", async () => {
  const el = await open();
  pass(2.1);
  page.beat([4, 5]);
  expect(page.asked).toEqual(["state"]);
  expect(page.control[0]?.content).toEqual({ kind: "state", key: page.model.get("key") });
  expect(page.sent).toEqual([{ kind: "state" }]);
  answer({ ...isOver, end: 4 });
  expect(el.textContent).toContain("✓ 3 items");
  expect(page.sent.at(-1)).toEqual({ kind: "need", offset: 2 });
  page.hear({ kind: "delta", offset: 2, text: "cd", status: done });
  pass(0.1);
  expect(el.querySelector("[role=log]")?.textContent).toBe("abcd");
  beats(60, [4]);
  expect(page.asked).toEqual(["state"]);
});

test("a view that was just drawn may not have begun", async () => {
  await open();
  page.beat([4]);
  pass(1.9);
  page.beat([4]);
  expect(page.asked).toEqual([]);
});

test("when no heartbeat comes any more the kernel is asked, less and less often", async () => {
  const el = await open();
  beats(10);
  pass(5);
  expect(page.asked).toEqual([]);
  pass(2);
  expect(page.asked).toEqual(["state"]);
  answer(goesOn);
  expect(el.textContent).toContain("2 items");
  pass(900);
  expect(page.asked.length).toBeGreaterThan(3);
  expect(page.asked.length).toBeLessThan(8);
});

test("a run that ended before its first heartbeat is asked about soon", async () => {
  const el = await open();
  pass(3.1);
  expect(page.asked).toEqual(["state"]);
  answer(isOver);
  expect(el.textContent).toContain("✓ 3 items");
  pass(600);
  expect(page.asked).toEqual(["state"]);
});

test("text that comes is a sign of life, too", async () => {
  await open();
  for (let n = 0; n < 100; n++) {
    page.hear({ kind: "delta", offset: 2 + n, text: "x", status: streaming });
    pass(2);
  }
  expect(page.asked).toEqual([]);
});

test("when the kernel has had more items for a whole beat, some text was lost", async () => {
  const el = await open();
  page.beat([4, 3], 2, [9, 5]); // its text may still be on its way
  expect(page.asked).toEqual([]);
  page.beat([4, 3], 2, [9, 6]);
  expect(page.asked).toEqual([]);
  page.beat([4, 3], 2, [9, 6]);
  expect(page.asked).toEqual(["state"]);
  answer({ known: true, state: status({ state: "streaming", count: 6 }), end: 4 });
  expect(page.sent.at(-1)).toEqual({ kind: "need", offset: 2 });
  page.hear({ kind: "delta", offset: 2, text: "cd", status: streaming });
  pass(0.1);
  expect(el.querySelector("[role=log]")?.textContent).toBe("abcd");
});

test("text whose second sending is lost as well is asked for again", async () => {
  const el = await open();
  const needs = () => page.sent.filter(({ kind }) => kind === "need").length;
  page.hear({ kind: "delta", offset: 3, text: "d", status: streaming }); // "c" was lost
  expect(needs()).toBe(1);
  pass(2.1); // and so was the answer
  page.beat([3], 2, [0]);
  expect(needs()).toBe(2);
  page.hear({ kind: "delta", offset: 2, text: "cd", status: streaming });
  pass(2.1);
  page.beat([3], 2, [0]);
  expect(needs()).toBe(2);
  expect(el.querySelector("[role=log]")?.textContent).toBe("abcd");
});

test("items that have no text are asked about once", async () => {
  await open();
  for (let n = 0; n < 10; n++) {
    page.beat([3], 2, [6]);
    if (page.asked.length === 1) {
      answer({ known: true, state: status({ state: "streaming", count: 6 }), end: 2 });
    }
    pass(2);
  }
  expect(page.asked).toEqual(["state"]);
});

test("a kernel that says it goes quiet is left alone until it speaks again", async () => {
  await open();
  page.beat([3], null);
  pass(900);
  expect(page.asked.length).toBeLessThan(2); // the look that was due already
  const before = page.asked.length;
  page.beat([3]);
  pass(8.1);
  expect(page.asked).toHaveLength(before + 1);
});

test("a slow heartbeat is waited for", async () => {
  await open();
  for (let n = 0; n < 10; n++) {
    page.beat([3], 60);
    pass(60);
  }
  expect(page.asked).toEqual([]);
  pass(140);
  expect(page.asked).toEqual(["state"]);
});

test("a connection that is there again is a reason to ask", async () => {
  const el = await open();
  page.kernel.connectionStatusChanged.emit("connecting");
  expect(page.asked).toEqual([]);
  page.kernel.connectionStatusChanged.emit("connected");
  expect(page.asked).toEqual(["state"]);
  answer(notKnown);
  expect(el.textContent).toContain("no longer known to the kernel after 2 items");
});

test("a cancel that was acknowledged and had no effect is asked about", async () => {
  const el = await open();
  press();
  answer({ cancelled: true, ...goesOn });
  beats(3);
  expect(page.asked).toEqual(["cancel", "state"]);
  expect(el.textContent).toContain("cancelling");
  answer(isOver);
  expect(el.textContent).toContain("✓ 3 items");
});

test("a cancel of what is over shows the end at once", async () => {
  const el = await open();
  press();
  answer({ cancelled: false, ...isOver });
  expect(el.textContent).toContain("✓ 3 items");
  expect(page.interrupts).toBe(0);
});

test("a cancel of what the kernel has forgotten ends the view", async () => {
  const el = await open();
  press();
  answer(notKnown);
  expect(el.textContent).toContain("no longer known to the kernel after 2 items");
  expect(el.querySelector("button")?.textContent).toBe("Copy");
});

test("a cancel that nobody heard is sent again when the kernel lives", async () => {
  const el = await open();
  page.runs("idle");
  press();
  pass(5);
  expect(el.textContent).toContain("kernel busy: press Interrupt");
  page.beat([3]);
  expect(page.asked.at(-1)).toBe("cancel");
  answer({ cancelled: true, ...goesOn });
  expect(el.textContent).toContain("cancelling");
});

test("another kernel process is a kernel that was restarted", async () => {
  const el = await open();
  page.iopub("status", {}, { parent: "request" });
  page.iopub("status", {}, { session: "the server's own" });
  expect(el.textContent).toContain("2 items");
  page.iopub("status", {}, { session: "next kernel", parent: "request" });
  expect(el.textContent).toContain("kernel restarted after 2 items");
});

test("a heartbeat of another kernel process that happens to name the number", async () => {
  const el = await open();
  page.beat([3]);
  page.iopub("kkjupyter_running", { running: 1, runs: [3] }, { session: "next kernel" });
  expect(el.textContent).toContain("kernel restarted after 2 items");
});

test("a page without a kernel connection asks by the widget, and not for ever", async () => {
  await open({ hasManager: false });
  pass(900);
  expect(page.sent.length).toBeGreaterThan(3);
  expect(page.sent.length).toBeLessThan(8);
  page.hear({ kind: "state", ...isOver });
  expect(document.body.textContent).toContain("✓ 3 items");
});

test("nothing is listened to after the end, or after the model has gone", async () => {
  await open();
  const signals = () => {
    const { iopubMessage, connectionStatusChanged } = page.kernel;
    return iopubMessage.slots.size + connectionStatusChanged.slots.size;
  };
  expect(signals()).toBe(2);
  page.hear({ kind: "end", end: 2, status: done });
  expect(signals()).toBe(0);
  page.remove();
  page.end();
  await open();
  expect(signals()).toBe(2);
  page.end();
  expect(signals()).toBe(0);
  pass(600);
  expect(page.asked).toEqual([]);
});
