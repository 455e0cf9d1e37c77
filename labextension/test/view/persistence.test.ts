// What a page does for the notebook file, alone and beside other pages that have it open.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type Bundle, type FromKernel, MIME_TYPE, type ToKernel } from "../../src/kernel/messages";
import { Run } from "../../src/run/run";
import { NotebookContext, type Surroundings } from "../../src/view/notebook-context";
import { persistOutput } from "../../src/view/persistence";
import { Signal } from "../support/page";
import { status } from "../support/states";

const KEY = "output";

interface Output {
  output_type: string;
  data: Bundle;
}

function bundle(state: string, text = "ab"): Bundle {
  return { [MIME_TYPE]: { key: KEY, state }, "text/plain": text };
}

/** As JupyterLab 4.2 makes them: without a prototype. */
function bare(data: Bundle): Bundle {
  return Object.assign(Object.create(null), data);
}

/** A notebook with one cell, and what has the live output of a run. */
class Page {
  readonly outputs: Output[] = [
    { output_type: "display_data", data: bare(bundle("streaming", "")) },
  ];
  readonly changed = new Signal();
  readonly statusChanged = new Signal();
  readonly saveState = new Signal();
  readonly sent: ToKernel[] = [];
  readonly run: Run;
  private readonly listeners = new Set<(message: FromKernel) => void>();
  readonly stop: () => void;

  constructor(clientID = 0, others: number[] = [], collaborative = false) {
    const { outputs, changed } = this;
    const model = {
      get length() {
        return outputs.length;
      },
      get: (index: number) => {
        const { data } = outputs[index] as Output;
        return { data, toJSON: () => outputs[index] };
      },
      set: (index: number, output: Output) => {
        outputs[index] = output;
        changed.emit({});
      },
      changed,
    };
    const updateOutputs = (start: number, end: number, given: Output[]) => {
      outputs.splice(start, end - start, ...given);
      changed.emit({});
    };
    // As JupyterLab 4.2 has them; later ones keep each output in a map of its own kind.
    const ymodel = { get: () => ({ get: (index: number) => outputs[index] }) };
    const cell = { outputs: model, sharedModel: { ymodel, updateOutputs } };
    const ids = [clientID, ...others];
    const awareness = { clientID, getStates: () => new Map(ids.map((id) => [id, {}])) };
    const around = {
      kernel: { statusChanged: this.statusChanged },
      context: {
        model: { collaborative, cells: { length: 1, get: () => cell }, sharedModel: { awareness } },
        saveState: this.saveState,
      },
    } as unknown as Surroundings;
    const link = {
      key: KEY,
      send: (content: ToKernel) => void this.sent.push(content),
      hear: (heard: (message: FromKernel) => void) => {
        this.listeners.add(heard);
        return () => this.listeners.delete(heard);
      },
    };
    const snapshot = { text: "ab", end: 2, left_out: 0, view: "text", pane: "text", part: null };
    this.run = new Run(() => {}, { ...snapshot, status: status({ state: "streaming", count: 2 }) });
    this.stop = persistOutput(link, new NotebookContext(around, KEY), [this.run], () =>
      bundle(this.run.status.state),
    );
  }

  /** The kernel tells this page something. */
  tell(message: FromKernel): void {
    for (const heard of [...this.listeners]) heard(message);
  }

  end(): void {
    this.run.receive({ kind: "end", end: 2, status: status({ state: "done", count: 2 }) });
  }

  /** What another page has written arrives. */
  arrive(index: number, data: Bundle): void {
    this.outputs.splice(index, 0, { output_type: "display_data", data });
    this.changed.emit({});
  }

  get texts(): unknown[] {
    return this.outputs.map(({ data }) => data["text/plain"]);
  }

  get states(): unknown[] {
    return this.outputs.map(({ data }) => (data[MIME_TYPE] as { state: string }).state);
  }
}

let page: Page;

beforeEach(() => {
  vi.useFakeTimers();
  page = new Page();
});
afterEach(() => {
  page.stop();
  vi.useRealTimers();
});

test("the kernel's static output is asked for where its own update found nothing", () => {
  page.end();
  vi.advanceTimersByTime(2_000);
  expect(page.sent).toEqual([{ kind: "bundle" }]);
  page.tell({ kind: "bundle", bundle: bundle("done", "the kernel's") });
  expect(page.texts).toEqual(["the kernel's"]);
});

test("a kernel that was restarted right after it told the end: the page writes what it has", () => {
  page.end();
  vi.advanceTimersByTime(2_000);
  page.tell({ kind: "unknown" });
  expect(page.states).toEqual(["done"]);
});

test("a kernel that was shut down right after it told the end is not asked", () => {
  page.end();
  page.statusChanged.emit("dead");
  vi.advanceTimersByTime(2_000);
  expect(page.sent).toEqual([]);
  expect(page.states).toEqual(["done"]);
});

test("the page that comes second waits for the first", () => {
  page.stop();
  page = new Page(7, [3]);
  page.end();
  vi.advanceTimersByTime(2_000);
  expect(page.sent).toEqual([]);
  vi.advanceTimersByTime(10_000);
  expect(page.sent).toEqual([{ kind: "bundle" }]);
});

test.each([0, 1])("of what two pages wrote at once, every page keeps the first (%i)", (index) => {
  page.end();
  vi.advanceTimersByTime(2_000);
  page.tell({ kind: "bundle", bundle: bundle("done", "mine") });
  page.arrive(index, bundle("done", "theirs"));
  page.arrive(2, { "text/plain": "another output" });
  vi.advanceTimersByTime(1);
  expect(page.texts).toEqual([index ? "mine" : "theirs", "another output"]);
});

test("a save in mid-stream has what came, and nobody is told of a change", () => {
  const changes = vi.fn();
  page.changed.connect(changes);
  page.saveState.emit("started");
  expect(page.texts).toEqual(["ab"]);
  expect(page.states).toEqual(["streaming"]);
  expect(changes).not.toHaveBeenCalled();
});

test("where the server writes the file, a save in mid-stream tells it what came", () => {
  page.stop();
  page = new Page(0, [1], true);
  const changes = vi.fn();
  page.changed.connect(changes);
  page.saveState.emit("started");
  expect(page.texts).toEqual(["ab"]);
  expect(changes).toHaveBeenCalledOnce();
});
