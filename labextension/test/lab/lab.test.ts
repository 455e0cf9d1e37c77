import type { IRenderMime } from "@jupyterlab/rendermime-interfaces";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Reply } from "../../src/kernel/control-channel";
import { cancelAll } from "../../src/lab/cancel-all";
import type { NotebookPanel } from "../../src/lab/jupyterlab";
import { mimePlugin } from "../../src/lab/mime-plugin";
import { offerParts } from "../../src/lab/part-urls";
import { watchRunning } from "../../src/lab/running-count";
import { drawSaved } from "../../src/lab/saved-view";
import { type ShareScope, shared, useScope } from "../../src/lab/shared-modules";
import { partsOfPage, partUrlsOfPage } from "../../src/panes/part-loader";
import { MIME_TYPE } from "../../src/run/saved-form";
import { status } from "../support/states";

declare global {
  var KKJUPYTER_PARTS: Record<string, string>;
}

beforeEach(() => {
  vi.useFakeTimers();
  globalThis.KKJUPYTER_PARTS = { loud: "loud-1234" };
});
afterEach(() => {
  vi.useRealTimers();
  document.body.replaceChildren();
});

// ---- the page's shared modules

function version(name: string, loaded = false) {
  return { get: async () => () => name, loaded };
}

test("of a shared module the version in use is taken, else the newest", async () => {
  useScope({
    used: { "1.2.0": version("old", true), "1.10.0": version("new") },
    unused: { "1.2.0": version("old"), "1.10.0": version("new"), "1.9.9": version("middle") },
  });
  expect(await shared("used")).toBe("old");
  expect(await shared("unused")).toBe("new");
  await expect(shared("missing")).rejects.toThrow("shares no missing");
});

// ---- saved outputs

function bundle(changes: object = {}, plain = "some <b>text</b>\n") {
  const saved = { view: "text", pane: "text", left_out: 0, ...status({ state: "done" }) };
  return { [MIME_TYPE]: { ...saved, ...changes }, "text/plain": plain, "text/html": "<p>html</p>" };
}

async function shown(bundle: Parameters<typeof drawSaved>[0]) {
  const saved = await drawSaved(bundle, undefined);
  saved?.attached();
  vi.advanceTimersByTime(50);
  return saved?.element;
}

test("a saved output looks like a live view that has ended", async () => {
  const element = await shown(bundle({ count: 412, elapsed_s: 10.84, first_item_s: 0.31 }));
  expect(element?.querySelector(".kkj-words")?.textContent).toBe(
    "412 items · first 0.31 s · 10.8 s",
  );
  expect(element?.querySelector(".kkj-text")?.textContent).toBe("some <b>text</b>\n");
  expect(element?.querySelector("button")?.textContent).toBe("Copy");
  expect(element?.querySelector("b")).toBeNull();
});

test("the line that tells text/plain how it ended is not shown twice", async () => {
  const plain = "word\n[■ cancelled after 2 items]";
  const element = await shown(bundle({ state: "cancelled", count: 2 }, plain));
  expect(element?.querySelector(".kkj-text")?.textContent).toBe("word\n");
  expect(element?.querySelector(".kkj-words")?.textContent).toBe("cancelled after 2 items");
});

test("a source of its own comes before the plain text", async () => {
  expect(
    (await shown(bundle({ source: "the source" })))?.querySelector(".kkj-text")?.textContent,
  ).toBe("the source");
});

test("a pane of ours comes from its part, without a kernel", async () => {
  const element = document.createElement("p");
  const pane = { element, append: () => {}, replace: () => {}, flush: () => {}, dispose: () => {} };
  partsOfPage().set("loud-1234", Promise.resolve({ makePane: () => pane }));
  const drawn = await shown(bundle({ view: "loud", pane: "loud" }));
  await vi.advanceTimersByTimeAsync(0);
  expect(drawn?.contains(element)).toBe(true);
});

test.each([
  ["a pane of the user's own", { pane: "mine" }],
  ["a pane that is not named", { pane: undefined }],
  ["no state", { state: undefined }],
  ["a state of another version", { state: "paused" }],
  ["a count that is none", { count: "many" }],
])("%s cannot be drawn", async (_, changes) => {
  expect(await drawSaved(bundle(changes), undefined)).toBeNull();
});

test("no bundle of ours cannot be drawn", async () => {
  expect(await drawSaved({ "text/plain": "x" }, undefined)).toBeNull();
});

class FakeWidget {
  readonly node = document.createElement("div");
  isAttached = true;
  isDisposed = false;
  addClass(name: string) {
    this.node.classList.add(name);
  }
  dispose() {}
  onAfterAttach() {}
}

test("what cannot be drawn is shown as its HTML, sanitised", async () => {
  useScope({ "@lumino/widgets": { "2.0.0": { get: async () => () => ({ Widget: FakeWidget }) } } });
  const plugin = await mimePlugin();
  expect(plugin.rendererFactory.safe).toBe(true);
  const sanitizer = { sanitize: (html: string) => `clean ${html}` };
  const options = { sanitizer, mimeType: MIME_TYPE, resolver: null, linkHandler: null };
  const renderer = plugin.rendererFactory.createRenderer({ ...options, latexTypesetter: null });
  const render = (data: object) => renderer.renderModel({ data } as IRenderMime.IMimeModel);
  await render(bundle({ pane: "mine" }));
  expect(renderer.node.innerHTML).toBe("clean <p>html</p>");
  await render(bundle());
  expect(renderer.node.querySelector(".kkj-text")).not.toBeNull();
  // A part that cannot be loaded: neither the page nor the extension has it.
  partsOfPage().delete("loud-1234");
  partUrlsOfPage().delete("loud-1234");
  const said = vi.spyOn(console, "error").mockImplementation(() => {});
  await render(bundle({ pane: "loud" }));
  expect(renderer.node.innerHTML).toBe("clean <p>html</p>");
  expect(said).toHaveBeenCalledOnce();
  said.mockRestore();
});

test("the parts are offered below the container's address", () => {
  offerParts("http://host/lab/extensions/kkjupyter/kkjupyter.js");
  expect(partUrlsOfPage().get("loud-1234")).toBe(
    "http://host/lab/extensions/kkjupyter/parts/loud.js?v=loud-1234",
  );
});

// ---- the streams of a notebook

class Signal {
  slots = new Set<(sender: unknown, args: never) => void>();
  connect = (slot: (sender: unknown, args: never) => void) => Boolean(this.slots.add(slot));
  disconnect = (slot: (sender: unknown, args: never) => void) => this.slots.delete(slot);
  emit = (args: unknown) => {
    for (const slot of this.slots) slot(null, args as never);
  };
}

/** A notebook whose kernel answers on the control channel, or not. */
class Notebook {
  asked: object[] = [];
  interrupts = 0;
  iopubMessage = new Signal();
  kernelChanged = new Signal();
  statusChanged = new Signal();
  cell = document.createElement("div");

  constructor(private readonly answer: Reply | null | "throws") {}

  get panel(): NotebookPanel {
    const kernel = {
      clientId: "client",
      username: "user",
      interrupt: async () => {
        this.interrupts += 1;
      },
      sendControlMessage: (message: { content: object }) => {
        if (this.answer === "throws") throw new Error("Kernel is dead");
        this.asked.push(message.content);
        const done = new Promise(() => {});
        const future = { onReply: (_: { content?: Reply }) => {}, done };
        queueMicrotask(() => {
          if (typeof this.answer === "object" && this.answer)
            future.onReply({ content: this.answer });
        });
        return future;
      },
    };
    const { iopubMessage, kernelChanged, statusChanged } = this;
    const sessionContext = { session: { kernel }, iopubMessage, kernelChanged, statusChanged };
    return { sessionContext, content: { widgets: [{ node: this.cell }] } } as never;
  }

  say(running: number, next_s?: number | null) {
    const header = { msg_type: "kkjupyter_running" };
    this.iopubMessage.emit({ header, content: { running, next_s } });
  }
}

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

test("all streams are cancelled on the control channel", async () => {
  const notebook = new Notebook({ status: "ok", runs: [3, 4] });
  expect(await cancelAll(notebook.panel)).toEqual({ via: "control", cancelled: 2 });
  expect(notebook.asked).toEqual([{ all: true }]);
  expect(notebook.interrupts).toBe(0);
});

test.each([
  ["its own cell", "[*]:", "kkj", true],
  ["another cell", "[3]:", "kkj", false],
  ["a cell with a saved output", "[*]:", "kkj kkj-static", false],
  ["a cell without a view", "[*]:", "other", false],
])(
  "without an answer the kernel is interrupted only in a view's own cell: %s",
  async (...given) => {
    const [, prompt, view, interrupted] = given;
    const notebook = new Notebook(null);
    notebook.cell.innerHTML = `<div class="jp-InputPrompt">${prompt}</div><div class="${view}"></div>`;
    const outcome = cancelAll(notebook.panel);
    await vi.advanceTimersByTimeAsync(4_400);
    expect(notebook.interrupts).toBe(0);
    await vi.advanceTimersByTimeAsync(200);
    expect(await outcome).toEqual({ via: interrupted ? "interrupt" : "none" });
    expect(notebook.interrupts).toBe(interrupted ? 1 : 0);
  },
);

test("a kernel that refuses is not interrupted", async () => {
  const notebook = new Notebook({ status: "error" });
  notebook.cell.innerHTML = '<div class="jp-InputPrompt">[*]:</div><div class="kkj"></div>';
  expect(await cancelAll(notebook.panel)).toEqual({ via: "none" });
  expect(notebook.interrupts).toBe(0);
});

test("where the control channel throws, the next road is taken at once", async () => {
  const said = vi.spyOn(console, "warn").mockImplementation(() => {});
  const notebook = new Notebook("throws");
  notebook.cell.innerHTML = '<div class="jp-InputPrompt">[*]:</div><div class="kkj"></div>';
  expect(await cancelAll(notebook.panel)).toEqual({ via: "interrupt" });
  expect(notebook.interrupts).toBe(1);
  said.mockRestore();
});

test("the container gives the page its two modules", async () => {
  await import("../../src/lab/container");
  const page = globalThis as unknown as { _JUPYTERLAB: Record<string, Container> };
  const container = page._JUPYTERLAB.kkjupyter as Container;
  container.init({
    "@lumino/widgets": { "2.0.0": { get: async () => () => ({ Widget: FakeWidget }) } },
  });
  const factory = await container.get("./mimeExtension");
  expect(factory()).toMatchObject({ __esModule: true, default: { id: "kkjupyter:mime" } });
  await expect(container.get("./other")).rejects.toThrow("no module ./other");
});

interface Container {
  init(scope: ShareScope): void;
  get(name: string): Promise<() => object>;
}
