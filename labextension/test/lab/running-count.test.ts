import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { watchRunning } from "../../src/lab/running-count";
import { Notebook } from "../support/lab";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test("the number of streams is what the kernel says, until it ends", () => {
  const notebook = new Notebook(null);
  const seen: number[] = [];
  const stop = watchRunning(notebook.panel, (running) => seen.push(running));
  notebook.iopubMessage.emit({ header: { msg_type: "stream" }, content: { running: 7 } });
  notebook.say(0);
  notebook.say(1);
  notebook.say(1);
  notebook.say(2);
  notebook.statusChanged.emit("busy");
  notebook.statusChanged.emit("restarting");
  expect(seen).toEqual([1, 2, 0]);
  notebook.say(1);
  vi.advanceTimersByTime(9_000);
  notebook.say(1);
  vi.advanceTimersByTime(9_000);
  expect(seen).toEqual([1, 2, 0, 1]);
  vi.advanceTimersByTime(2_000); // nobody says anything any more
  expect(seen).toEqual([1, 2, 0, 1, 0]);
  stop();
  notebook.say(1);
  expect(seen).toHaveLength(5);
});

test("a kernel that says when it will speak again is waited for", () => {
  const notebook = new Notebook(null);
  const seen: number[] = [];
  const stop = watchRunning(notebook.panel, (running) => seen.push(running));
  notebook.say(1, 60);
  vi.advanceTimersByTime(299_000);
  expect(seen).toEqual([1]);
  vi.advanceTimersByTime(2_000);
  expect(seen).toEqual([1, 0]);
  notebook.say(2, null); // it speaks again when something happens
  vi.advanceTimersByTime(24 * 3_600_000);
  expect(seen).toEqual([1, 0, 2]);
  notebook.say(0, null);
  expect(seen).toEqual([1, 0, 2, 0]);
  stop();
});
