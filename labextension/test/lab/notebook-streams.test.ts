import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { EndedStream } from "../../src/kernel/messages";
import { NotebookStreams } from "../../src/lab/notebook-streams";
import { ended, Notebook, running } from "../support/lab";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** The numbers that were known, each time that they changed. */
function follow(notebook: Notebook) {
  const seen: number[] = [];
  const ends: EndedStream[] = [];
  const streams: NotebookStreams = new NotebookStreams(notebook.panel, {
    changed: () => {
      if (streams.count !== (seen.at(-1) ?? 0)) seen.push(streams.count);
    },
    ended: (some) => ends.push(...some),
  });
  return { streams, seen, ends };
}

test("the number of streams is what the kernel says, until it ends", () => {
  const notebook = new Notebook();
  const { streams, seen } = follow(notebook);
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
  streams.dispose();
  notebook.say(1);
  expect(seen).toHaveLength(5);
});

test("a kernel that says when it will speak again is waited for", () => {
  const notebook = new Notebook();
  const { seen } = follow(notebook);
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
});

test.each([
  [
    "says so",
    (n: Notebook) => n.iopubMessage.emit({ header: { msg_type: "shutdown_reply" }, content: {} }),
  ],
  ["is another one", (n: Notebook) => n.kernelChanged.emit({})],
  ["cannot be reached any more", (n: Notebook) => n.connectionStatusChanged.emit("disconnected")],
])("the streams of a kernel are gone at once when it %s", (_, end) => {
  const notebook = new Notebook();
  const { streams, seen } = follow(notebook);
  notebook.sayStreams(running());
  expect(streams.streams).toHaveLength(1);
  end(notebook);
  expect(seen).toEqual([1, 0]);
  expect(streams.streams).toEqual([]);
});

test("a connection that is made anew does not end a stream", () => {
  const notebook = new Notebook();
  const { seen } = follow(notebook);
  notebook.sayStreams(running());
  notebook.connectionStatusChanged.emit("connecting");
  expect(seen).toEqual([1]);
});

test("what has ended is told, also by the message that says that nothing runs", () => {
  const notebook = new Notebook();
  const { ends } = follow(notebook);
  notebook.say(1);
  notebook.sayEnded([ended()]);
  expect(ends).toEqual([ended()]);
});

test("a rate is the items between two heartbeats that are not too close", () => {
  const notebook = new Notebook();
  const { streams } = follow(notebook);
  const rate = () => streams.streams[0]?.rate;
  notebook.sayStreams(running({ count: 100, elapsed_s: 10 }));
  expect(rate()).toBeNull();
  notebook.sayStreams(running({ count: 130, elapsed_s: 10.3 }));
  expect(rate()).toBeNull();
  notebook.sayStreams(running({ count: 340, elapsed_s: 12 }));
  expect(rate()).toBe(120);
  notebook.sayStreams(running({ count: 341, elapsed_s: 12.1 }));
  expect(rate()).toBe(120);
  notebook.sayStreams(running({ count: 340, elapsed_s: 14 }));
  expect(rate()).toBe(0);
});

test("the rate of an answer is that of what is written, once its unit is known", () => {
  const notebook = new Notebook();
  const { streams } = follow(notebook);
  const rate = () => streams.streams[0]?.rate;
  const say = (elapsed_s: number, written: number, unit: string) =>
    notebook.sayStreams(running({ count: 9, elapsed_s, written, unit }));
  say(10, 400, "characters");
  say(12, 800, "characters");
  expect(rate()).toBe(200);
  say(14, 300, "tokens");
  expect(rate()).toBeNull();
  say(16, 340, "tokens");
  expect(rate()).toBe(20);
  expect(streams.streams[0]).toMatchObject({ written: 340, unit: "tokens" });
});
