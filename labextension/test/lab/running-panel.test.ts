import { Signal } from "@lumino/signaling";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { PageStreams } from "../../src/lab/page-streams";
import { runningManager } from "../../src/lab/running-panel";
import { Notebook, running } from "../support/lab";

const [cancel, cancelAll, show] = [vi.fn(), vi.fn(), vi.fn()];
let notebook: Notebook;
let changes: number;
let page: PageStreams;

beforeEach(() => {
  vi.useFakeTimers();
  for (const mock of [cancel, cancelAll, show]) mock.mockReset();
  notebook = new Notebook();
  page = new PageStreams(Signal);
  page.follow(notebook.panel);
});
afterEach(() => {
  vi.useRealTimers();
});

function makeManager() {
  changes = 0;
  const manager = runningManager({
    page,
    icon: {},
    LuminoSignal: Signal,
    cancel,
    cancelAll,
    show,
  });
  manager.runningChanged.connect(() => {
    changes += 1;
  });
  return manager;
}

test("each stream is a row with its state, its Cancel and the way to its cell", () => {
  const manager = makeManager();
  expect(manager.running()).toEqual([]);
  notebook.sayStreams(running(), running({ run_id: 4, count: 0, elapsed_s: 7, state: "waiting" }));
  const [first, second] = manager.running();
  expect([first?.label(), first?.detail?.()]).toEqual(["chat('tides')", "12 items"]);
  expect(first?.labelTitle()).toBe("chat('tides')\nNotebook: notebook.ipynb");
  expect(second?.detail?.()).toBe("waiting 7 s");
  second?.shutdown?.();
  expect(cancel).toHaveBeenCalledWith(notebook.panel, 4);
  first?.open?.();
  expect(show).toHaveBeenCalledWith(notebook.panel, notebook.panel.content.widgets[0]);
  notebook.say(0, null);
  expect(manager.running()).toEqual([]);
});

test("Cancel All is once for each kernel", () => {
  const manager = makeManager();
  const other = new Notebook(null, { kernelId: "another" });
  const same = new Notebook();
  for (const { panel } of [other, same]) page.follow(panel);
  for (const one of [notebook, other, same]) one.sayStreams(running());
  manager.shutdownAll();
  expect(cancelAll.mock.calls).toEqual([[notebook.panel], [other.panel]]);
});

test("those that are not named have one row, without a Cancel", () => {
  const manager = makeManager();
  notebook.say(6, 2, { runs: [3], counts: [1], streams: [running()] });
  const [, more] = manager.running();
  expect(more?.label()).toBe("5 more streams");
  expect(more?.shutdown).toBeUndefined();
});

test("the list is made anew only when it reads differently", () => {
  makeManager();
  notebook.sayStreams(running());
  expect(changes).toBe(1);
  notebook.sayStreams(running({ elapsed_s: 4.1 }));
  expect(changes).toBe(1);
  // Silence is told as it grows, between heartbeats.
  vi.advanceTimersByTime(3_900);
  expect(changes).toBe(1);
  vi.advanceTimersByTime(2_000);
  expect(changes).toBe(3);
  notebook.say(0, null);
  expect(changes).toBe(4);
  vi.advanceTimersByTime(60_000);
  expect(vi.getTimerCount()).toBe(0);
});
