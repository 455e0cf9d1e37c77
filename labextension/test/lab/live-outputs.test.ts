// An output that the lab extension draws: in every page of the kernel, and the same one to its end.

import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type FromKernel, MIME_TYPE, type Status } from "../../src/kernel/messages";
import type { OutputPanel } from "../../src/lab/jupyterlab";
import { liveOutputs } from "../../src/lab/live-outputs";
import { mimePlugin } from "../../src/lab/mime-plugin";
import { useScope } from "../../src/lab/shared-modules";
import type { PaneContext } from "../../src/panes/pane";
import { partsOfPage } from "../../src/panes/part-loader";
import { FakeWidget } from "../support/lab";
import { Signal } from "../support/page";
import { status } from "../support/states";

let keys = 0;
let key: string;
let notebook: Notebook;

type Asked = { type: string; content: { key?: string; kind?: string } };

/** A notebook with a kernel, as far as the extension knows it. */
class Notebook {
  readonly node = document.body.appendChild(document.createElement("div"));
  readonly iopubMessage = new Signal();
  readonly disposed = new Signal();
  readonly asked: (Asked & { reply(content: object): void })[] = [];
  readonly kernel = {
    clientId: "this page",
    username: "user",
    iopubMessage: this.iopubMessage,
    anyMessage: new Signal(),
    statusChanged: new Signal(),
    connectionStatusChanged: new Signal(),
    sendControlMessage: ({
      header,
      content,
    }: {
      header: { msg_type: string };
      content: object;
    }) => {
      const future = { onReply: (_: object) => {}, done: new Promise(() => {}) };
      const reply = (answer: object) => future.onReply({ content: answer });
      this.asked.push({ type: header.msg_type, content, reply });
      return future;
    },
  };
  session: object | null = { kernel: this.kernel };
  readonly sessionContext: object;
  private readonly widgetAdded = new Signal();

  constructor() {
    const { node, disposed, iopubMessage } = this;
    const self = this;
    const sessionContext = {
      iopubMessage,
      kernelChanged: new Signal(),
      ready: Promise.resolve(),
      get session() {
        return self.session;
      },
    };
    const panel = { node, disposed, sessionContext } as unknown as OutputPanel;
    const { widgetAdded } = this;
    liveOutputs.watch({
      forEach: (visit: (one: OutputPanel) => void) => visit(panel),
      widgetAdded,
    } as never);
    this.sessionContext = sessionContext;
  }

  /** JupyterLab's "New View for Notebook". Returns how it is closed. */
  openAgain(): () => void {
    const { node, sessionContext } = this;
    const disposed = new Signal();
    this.widgetAdded.emit({ node, disposed, sessionContext });
    return () => disposed.emit(undefined);
  }

  say(msg_type: string, content: object, session = "this page"): void {
    const parent_header = { session };
    this.iopubMessage.emit({ header: { msg_type, session: "kernel" }, parent_header, content });
  }

  tell(message: FromKernel): void {
    this.say("kkjupyter_view", { key, ...message });
  }
}

function data(changes: object = {}) {
  const run = { key, view: "text", pane: "text", part: null, left_out: 0, source: "", end: 0 };
  return { [MIME_TYPE]: { ...run, ...status(), ...changes }, "text/plain": "streaming from f()" };
}

async function renderer(latexTypesetter: object | null = null) {
  useScope({ "@lumino/widgets": { "2.0.0": { get: async () => () => ({ Widget: FakeWidget }) } } });
  const { rendererFactory } = await mimePlugin();
  const sanitizer = { sanitize: (html: string) => html };
  const made = rendererFactory.createRenderer({ sanitizer, latexTypesetter } as never);
  notebook.node.append(made.node);
  return {
    node: made.node,
    draw: (data: object) => made.renderModel({ data } as IRenderMime.IMimeModel),
    dispose: () => made.dispose(),
  };
}

function delta(offset: number, text: string, changes: Partial<Status> = {}): void {
  notebook.tell({
    kind: "delta",
    offset,
    text,
    status: status({ state: "streaming", count: 1, ...changes }),
  });
  vi.advanceTimersByTime(300);
}

const log = (node: HTMLElement) => node.querySelector("[role=log]")?.textContent;

beforeEach(() => {
  vi.useFakeTimers();
  globalThis.KKJUPYTER_PARTS = {};
  key = `output${++keys}`;
  notebook = new Notebook();
});
afterEach(() => {
  notebook.disposed.emit(undefined);
  document.body.replaceChildren();
  vi.useRealTimers();
});

test("the kernel asks who is there, and every page with the extension answers", () => {
  notebook.say("kkjupyter_hello", {});
  expect(notebook.asked.map(({ type }) => type)).toEqual(["kkjupyter_page"]);
});

test("what this page has asked for is known before it is drawn, and nothing is asked", async () => {
  notebook.say("display_data", { data: data() });
  delta(0, "a");
  const view = await renderer();
  await view.draw(data());
  delta(1, "b");
  expect(log(view.node)).toBe("ab");
  expect(notebook.asked).toEqual([]);
});

test("its formulas are set by the notebook, whether the kernel or the renderer came first", async () => {
  const typeset = vi.fn();
  const element = document.createElement("p");
  const pane = { element, append: () => {}, replace: () => {}, flush: () => {}, dispose: () => {} };
  let context: PaneContext | undefined;
  const makePane = (given: PaneContext) => {
    context = given;
    return pane;
  };
  partsOfPage().set("loud-1", Promise.resolve({ makePane }));
  const shown = data({ pane: "loud", part: "loud-1" });
  notebook.say("display_data", { data: shown });
  const view = await renderer({ typeset });
  await view.draw(shown);
  await vi.advanceTimersByTimeAsync(0);
  void context?.typeset?.(element);
  expect(typeset).toHaveBeenCalledWith(element);
});

test("at the end nothing is replaced", async () => {
  notebook.say("display_data", { data: data() });
  const view = await renderer();
  await view.draw(data());
  delta(0, "ab");
  const [element, pane] = [view.node.firstElementChild, view.node.querySelector("[role=log]")];
  notebook.tell({ kind: "end", end: 2, status: status({ state: "done", count: 2 }) });
  const { source, ...done } = data({ state: "done", count: 2 })[MIME_TYPE];
  await view.draw({ [MIME_TYPE]: done, "text/plain": "ab" });
  expect(view.node.firstElementChild).toBe(element);
  expect(view.node.querySelector("[role=log]")).toBe(pane);
  expect(view.node.textContent).toContain("✓ 2 items");
  expect(source).toBe("");
});

test("a page that missed the end learns of it from the notebook", async () => {
  notebook.say("display_data", { data: data() });
  const view = await renderer();
  await view.draw(data());
  delta(0, "a");
  const { source: _, ...done } = data({ state: "done", count: 3 })[MIME_TYPE];
  await view.draw({ [MIME_TYPE]: done, "text/plain": "abc" });
  vi.advanceTimersByTime(50);
  expect(log(view.node)).toBe("abc");
  expect(view.node.textContent).toContain("✓ 3 items");
});

test("a page that comes later asks for what has come, and is told the rest", async () => {
  const view = await renderer();
  await view.draw(data());
  await vi.advanceTimersByTimeAsync(0);
  const [page, snapshot] = notebook.asked;
  expect([page?.type, snapshot?.content]).toEqual(["kkjupyter_page", { key, kind: "snapshot" }]);
  const now = { view: "text", pane: "text", part: null, left_out: 0, text: "abc", end: 3 };
  const streaming = status({ state: "streaming", count: 3 });
  const answer = { kind: "reset", ...now, status: streaming };
  snapshot?.reply({ status: "ok", known: true, answer });
  delta(3, "d");
  expect(log(view.node)).toBe("abcd");
});

test.each([
  ["a kernel that does not know it", { status: "ok", known: false, answer: null }],
  ["a kernel that never answers", null],
])("%s: what was saved is all there is", async (_, reply) => {
  const view = await renderer();
  await view.draw({
    ...data({ state: "streaming", count: 2, source: undefined, end: undefined }),
    "text/plain": "ab\n[not finished when saved: ● 2 items · 0.0 s]",
  });
  await vi.advanceTimersByTimeAsync(0);
  if (reply) notebook.asked.find(({ content }) => content.kind)?.reply(reply);
  await vi.advanceTimersByTimeAsync(10_000);
  expect(log(view.node)).toBe("ab\n");
  expect(view.node.textContent).toContain("✕ not finished when saved after 2 items");
});

test("a notebook without a kernel shows what was saved", async () => {
  notebook.session = null;
  const view = await renderer();
  await view.draw(data({ state: "streaming", count: 2, source: "ab" }));
  await vi.advanceTimersByTimeAsync(0);
  expect(view.node.textContent).toContain("✕ not finished when saved after 2 items");
});

test("of what another page has asked for, only that is kept which this page shows", async () => {
  notebook.say("display_data", { data: data() }, "another page");
  expect(liveOutputs.get(key)).toBeUndefined();
});

test("what is over and not drawn any more is forgotten", async () => {
  notebook.say("display_data", { data: data() });
  const view = await renderer();
  await view.draw(data());
  notebook.tell({ kind: "end", end: 0, status: status({ state: "done" }) });
  expect(liveOutputs.get(key)).toBeDefined();
  view.dispose();
  expect(liveOutputs.get(key)).toBeUndefined();
});

test("what is over and was never drawn is forgotten after a while", () => {
  notebook.say("display_data", { data: data() });
  notebook.tell({ kind: "end", end: 0, status: status({ state: "done" }) });
  expect(liveOutputs.get(key)).toBeDefined();
  vi.advanceTimersByTime(20_000);
  expect(liveOutputs.get(key)).toBeUndefined();
});

test("two views of a notebook hear each thing once, and either goes on without the other", async () => {
  const close = notebook.openAgain();
  notebook.say("display_data", { data: data() });
  const [first, second] = [await renderer(), await renderer()];
  await first.draw(data());
  await second.draw(data());
  delta(0, "a");
  first.dispose();
  notebook.disposed.emit(undefined);
  delta(1, "b");
  expect(log(second.node)).toBe("ab");
  second.dispose();
  close();
  expect(liveOutputs.get(key)).toBeUndefined();
});
