import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { MIME_TYPE, type Report, type Snapshot } from "../../src/kernel/messages";
import { partsOfPage } from "../../src/panes/part-loader";
import widget from "../../src/widget/widget";
import { Page } from "../support/page";
import { snapshot, status } from "../support/states";

let page: Page;
let keys = 0;
const streaming = status({ state: "streaming", count: 2 });
const goesOn: Report = { state: streaming, end: 2 };
/** How long an answer is waited for while no round trip was seen. */
const PATIENCE_MS = 4_500;

function open(state: Partial<Snapshot> = {}, options = {}): Promise<HTMLElement> {
  page = new Page(`key${++keys}`, snapshot({ text: "ab", status: streaming, ...state }), options);
  return page.show();
}

function press(el: HTMLElement): void {
  el.querySelector("button")?.click();
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

test("a view shows what came, and its state", async () => {
  const el = await open();
  expect(el.querySelector("[role=log]")?.textContent).toBe("ab");
  expect(el.querySelector(".kkj-line")?.textContent).toContain("● 2 items");
  expect(el.querySelector("button")?.getAttribute("aria-label")).toBe("Cancel countdown(5)");
});

test("two views of one model share what they know", async () => {
  await open();
  const second = document.createElement("div");
  page.hear({ kind: "delta", offset: 2, text: "cd", status: streaming });
  const remove = await widget.render({ model: page.model, el: second });
  expect(second.querySelector("[role=log]")?.textContent).toBe("abcd");
  remove();
});

test("the focused elements themselves keep the notebook's keys away", async () => {
  const el = await open();
  for (const focusable of el.querySelectorAll("button, [tabindex]")) {
    expect(focusable.getAttribute("data-lm-suppress-shortcuts")).toBe("true");
  }
});

test("Cancel goes by the control channel and by the widget's own message, in one click", async () => {
  const el = await open();
  press(el);
  const key = page.model.get("key");
  expect(page.control.map(({ content }) => content)).toEqual([{ kind: "cancel", run_id: 3, key }]);
  expect(page.sent).toEqual([{ kind: "cancel", run_id: 3 }]);
  expect(el.textContent).toContain("cancelling");
});

test("an acknowledgement on the control channel keeps the interrupt away", async () => {
  const el = await open();
  press(el);
  page.control[0]?.reply({ status: "ok", known: true, answer: { kind: "ack", ...goesOn } });
  vi.advanceTimersByTime(60_000);
  expect(page.interrupts).toBe(0);
  expect(el.textContent).toContain("cancelling");
});

test("a refusal is an answer: no interrupt, but the user is asked", async () => {
  const el = await open();
  press(el);
  page.control[0]?.reply({ status: "error" });
  vi.advanceTimersByTime(PATIENCE_MS + 1);
  expect(page.interrupts).toBe(0);
  expect(el.textContent).toContain("kernel busy: press Interrupt");
});

test("without any answer the own cell is interrupted, and at last the user asked", async () => {
  const el = await open();
  press(el);
  vi.advanceTimersByTime(PATIENCE_MS - 1);
  expect(page.interrupts).toBe(0);
  expect(el.textContent).toContain("cancelling");
  vi.advanceTimersByTime(2);
  expect(page.interrupts).toBe(1);
  expect(el.textContent).toContain("interrupting the cell");
  vi.advanceTimersByTime(2_000);
  expect(el.textContent).toContain("kernel busy: press Interrupt");
});

test("a control channel that throws is passed over, and so is a widget that does", async () => {
  const said = vi.spyOn(console, "warn").mockImplementation(() => {});
  const el = await open();
  page.broken = { control: new Error("Kernel is dead"), widget: new Error("Cannot send") };
  press(el);
  expect(el.textContent).toContain("cancelling");
  page.broken = {};
  vi.advanceTimersByTime(PATIENCE_MS + 1);
  expect(page.interrupts).toBe(1);
  page.broken = { control: new Error("Kernel is dead") };
  page.sent = [];
  vi.advanceTimersByTime(2_001);
  press(el);
  expect(page.sent).toEqual([{ kind: "cancel", run_id: 3 }]);
  page.hear({ kind: "ack", ...goesOn });
  vi.advanceTimersByTime(PATIENCE_MS + 1);
  expect(page.interrupts).toBe(1);
  said.mockRestore();
});

test("a cell that is not the view's own is never interrupted", async () => {
  const el = await open();
  page.runs("idle");
  press(el);
  vi.advanceTimersByTime(PATIENCE_MS + 1);
  expect(page.interrupts).toBe(0);
  expect(el.textContent).toContain("kernel busy: press Interrupt");
  page.hear({ kind: "ack", ...goesOn });
  expect(el.textContent).toContain("cancelling");
});

test("without a widget manager the message is the one road", async () => {
  const el = await open({}, { hasManager: false });
  press(el);
  expect(page.sent).toEqual([{ kind: "cancel", run_id: 3 }]);
  vi.advanceTimersByTime(PATIENCE_MS + 1);
  expect(el.textContent).toContain("kernel busy");
});

test("the control road can be closed", async () => {
  press(await open({}, { controlRoad: false }));
  expect(page.control).toEqual([]);
  expect(page.sent).toEqual([{ kind: "cancel", run_id: 3 }]);
});

test("after the end a page that still has the widget puts the static output there", async () => {
  await open();
  page.hear({ kind: "end", end: 2, status: status({ state: "done", count: 2 }) });
  vi.advanceTimersByTime(1_100);
  expect(page.sent).toEqual([{ kind: "bundle" }]);
  const bundle = { "text/plain": "ab" };
  page.hear({ kind: "bundle", bundle });
  expect(page.outputs).toEqual([{ output_type: "display_data", data: bundle, metadata: {} }]);
});

test("where the kernel has put it already, nothing is asked", async () => {
  await open();
  page.outputs = [{ output_type: "display_data", data: { "text/plain": "ab" }, metadata: {} }];
  page.hear({ kind: "end", end: 2, status: status({ state: "done", count: 2 }) });
  vi.advanceTimersByTime(1_100);
  expect(page.sent).toEqual([]);
});

test("a view made after the end does the same", async () => {
  await open({ status: status({ state: "done", count: 2 }) });
  vi.advanceTimersByTime(1_100);
  expect(page.sent).toEqual([{ kind: "bundle" }]);
});

test.each([
  ["restarting", "kernel restarted"],
  ["autorestarting", "kernel restarted"],
  ["dead", "kernel stopped"],
])("a kernel that is %s ends the view, and the page keeps the text", async (event, words) => {
  const el = await open();
  page.kernel.statusChanged.emit(event);
  expect(el.textContent).toContain(`${words} after 2 items`);
  expect(el.querySelector("[role=log]")?.textContent).toBe("ab");
  await vi.advanceTimersByTimeAsync(1_100);
  expect(page.outputs[0]?.data["text/plain"]).toBe(`ab\n[✕ ${words} after 2 items]`);
  expect(page.outputs[0]?.data[MIME_TYPE]).toMatchObject({ state: "lost", error: words });
});

test.each([
  [true, "kernel restarted"],
  [false, "kernel stopped"],
])("a kernel's last message ends the view before its status does: %s", async (restart, words) => {
  const el = await open();
  page.kernel.iopubMessage.emit({ header: { msg_type: "shutdown_reply" }, content: { restart } });
  expect(el.textContent).toContain(`${words} after 2 items`);
});

test("a notebook that is closed is no kernel that stopped", async () => {
  const el = await open();
  page.sessionContext.isDisposed = true;
  page.kernelChanged.emit({ newValue: null });
  expect(el.textContent).toContain("2 items");
  expect(el.textContent).not.toContain("stopped");
});

test("a notebook that is opened again begins with what the kernel says then", async () => {
  await open();
  const first = page;
  first.kernel.statusChanged.emit("dead");
  const again = snapshot({ text: "abcd", status: status({ state: "streaming", count: 4 }) });
  page = new Page(first.model.get("key"), again);
  const el = await page.show();
  expect(el.textContent).toContain("4 items");
  expect(el.textContent).not.toContain("stopped");
  // The old model may be taken away after the new one has come.
  first.remove();
  first.end();
  const second = document.createElement("div");
  const remove = await widget.render({ model: page.model, el: second });
  page.hear({ kind: "delta", offset: 4, text: "e", status: streaming });
  vi.advanceTimersByTime(50);
  expect(second.querySelector("[role=log]")?.textContent).toBe("abcde");
  remove();
});

test("what a part drew stays readable when the kernel is gone", async () => {
  const pane = { element: document.createElement("p"), append: () => {}, replace: () => {} };
  const table = { ...pane, flush: () => {}, dispose: () => {}, copied: () => "a\tb\n" };
  partsOfPage().set("table-1", Promise.resolve({ makePane: () => table }));
  await open({ text: '["a","b"]\n', pane: "table", part: "table-1" });
  page.kernel.statusChanged.emit("restarting");
  await vi.advanceTimersByTimeAsync(1_100);
  const { data } = page.outputs[0] as { data: Record<string, string> };
  expect(data["text/plain"]).toBe("a\tb\n[✕ kernel restarted after 2 items]");
  expect(data[MIME_TYPE]).toMatchObject({ source: '["a","b"]\n' });
});

test("a save in mid-stream holds the text so far, and after the end nothing is touched", async () => {
  await open();
  page.saveState.emit("completed");
  expect(page.stored["text/plain"]).toBe("first");
  page.saveState.emit("started");
  expect(page.stored["text/plain"]).toBe("ab\n[not finished when saved: ● 2 items · 0.0 s]");
  page.hear({ kind: "delta", offset: 2, text: "c", status: status({ state: "done", count: 3 }) });
  page.saveState.emit("started");
  expect(page.stored["text/plain"]).toContain("2 items");
});

test("what the page saves has a line as it is in the end", async () => {
  await open({ text: "10%\r", end: 4 });
  page.hear({
    kind: "delta",
    offset: 4,
    text: "100%\r\n5",
    status: status({ state: "streaming" }),
  });
  page.saveState.emit("started");
  expect(page.stored["text/plain"]).toMatch(/^100%\n5\n\[not finished/);
  page.kernel.statusChanged.emit("restarting");
  await vi.advanceTimersByTimeAsync(1_100);
  const { data } = page.outputs[0] as { data: Record<string, string> };
  expect(data["text/plain"]).toMatch(/^100%\n5\n\[✕ kernel restarted/);
  expect(data[MIME_TYPE]).not.toHaveProperty("source");
});

test("the kernel is told when the file has the static output, and not before", async () => {
  await open();
  const saved = () => page.sent.filter(({ kind }) => kind === "saved").length;
  const save = () => {
    page.saveState.emit("started");
    page.saveState.emit("completed");
  };
  save();
  page.hear({ kind: "end", end: 2, status: status({ state: "done", count: 2 }) });
  save(); // the widget is still in the notebook
  page.saveState.emit("started");
  page.outputs[0] = { output_type: "display_data", data: { "text/html": "x" }, metadata: {} };
  page.saveState.emit("completed"); // the file was written with the widget
  expect(saved()).toBe(0);
  page.saveState.emit("started");
  page.saveState.emit("failed");
  expect(saved()).toBe(0);
  save();
  save();
  expect(saved()).toBe(1);
});

test("Copy copies what the page holds, or asks the kernel for what it does not", async () => {
  const written: string[] = [];
  const clipboard = { writeText: async (text: string) => void written.push(text) };
  vi.stubGlobal("navigator", { ...navigator, clipboard });
  const done = status({ state: "done", count: 2 });
  press(await open({ status: done }));
  await vi.waitFor(() => expect(written).toEqual(["ab"]));
  page.remove();
  document.body.replaceChildren();
  press(await open({ text: "a…b", left_out: 7, status: done }));
  expect(page.sent).toEqual([{ kind: "copy" }]);
  page.hear({ kind: "copy", text: "all of it" });
  await vi.waitFor(() => expect(written).toEqual(["ab", "all of it"]));
  expect(document.querySelector("button")?.textContent).toBe("Copied");
  vi.unstubAllGlobals();
});

test("the button comes back on the static output", async () => {
  const el = await open();
  const area = el.parentElement as HTMLElement;
  page.hear({ kind: "end", end: 2, status: status({ state: "cancelled", count: 2 }) });
  page.remove();
  area.innerHTML = '<div data-kkj-run="3"><div class="kkj-line"><span>words</span></div></div>';
  await vi.waitFor(() => expect(area.querySelector("button")?.textContent).toBe("Copy"));
});
