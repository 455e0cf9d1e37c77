import { beforeEach, expect, test, vi } from "vitest";
import type { ToKernel } from "../../src/kernel/messages";
import { Run } from "../../src/run/run";
import { snapshot, status } from "../support/states";

let sent: ToKernel[];
let now: number;
let run: Run;
const streaming = (count: number) => status({ state: "streaming", count });

function delta(offset: number, text: string, count = 1): void {
  run.receive({ kind: "delta", offset, text, status: streaming(count) });
}

beforeEach(() => {
  sent = [];
  now = 0;
  run = new Run(
    (content) => sent.push(content),
    snapshot({ text: "ab" }),
    () => now,
  );
});

test("deltas are appended", () => {
  delta(2, "cd");
  delta(4, "ef");
  expect(run.text).toBe("abcdef");
  expect(sent).toEqual([]);
});

test("what is there already is dropped, what overlaps is cut", () => {
  delta(0, "ab");
  delta(1, "bc");
  expect(run.text).toBe("abc");
});

test("time goes on while the connection is made again", () => {
  const away = { ...streaming(1), reconnecting_s: 1 };
  run.receive({ kind: "delta", offset: 2, text: "", status: away });
  now = 2_500;
  expect(run.status.reconnecting_s).toBe(3.5);
  delta(2, "c");
  expect(run.status.reconnecting_s).toBeUndefined();
});

test("a gap is asked for once, and again only after a while", () => {
  delta(5, "f");
  delta(6, "g");
  expect(run.text).toBe("ab");
  expect(sent).toEqual([{ kind: "need", offset: 2 }]);
  now = 2_500;
  delta(7, "h");
  expect(sent).toHaveLength(2);
  delta(2, "cdefgh");
  expect(run.text).toBe("abcdefgh");
  delta(20, "z");
  expect(sent).toHaveLength(3);
});

test("the end tells of what never came", () => {
  run.receive({ kind: "end", end: 9, status: status({ state: "done", count: 2 }) });
  expect(sent).toEqual([{ kind: "need", offset: 2 }]);
  delta(2, "cdefghi");
  expect(run.text).toBe("abcdefghi");
  expect(run.status.state).toBe("done");
});

test("a reset replaces everything and is told", () => {
  const replaced = vi.fn();
  run.listen({ appended: vi.fn(), replaced, changed: vi.fn() });
  const text = "head\n[… 5 characters left out …]\ntail";
  run.receive({ kind: "reset", ...snapshot({ text, end: 1_000, left_out: 5 }) });
  expect(replaced).toHaveBeenCalledWith(text);
  expect([run.text, run.leftOut]).toEqual([text, 5]);
  delta(1_000, "!");
  expect(run.text).toBe(`${text}!`);
});

test("a reset that goes on from what is here is added to it", () => {
  const listener = { appended: vi.fn(), replaced: vi.fn(), changed: vi.fn() };
  run.listen(listener);
  run.receive({ kind: "reset", ...snapshot({ text: "ab", status: streaming(1) }) });
  run.receive({ kind: "reset", ...snapshot({ text: "abcd", status: streaming(2) }) });
  expect(listener.appended.mock.calls).toEqual([["cd"]]);
  // An old answer.
  run.receive({ kind: "reset", ...snapshot({ text: "abc", status: streaming(1) }) });
  expect(run.text).toBe("abcd");
  expect(listener.replaced).not.toHaveBeenCalled();
  run.receive({ kind: "reset", ...snapshot({ text: "abce", status: streaming(3) }) });
  expect(listener.replaced).toHaveBeenCalledWith("abce");
});

test("the text of a run that is over is asked for when somebody looks at it, once", () => {
  const over = status({ state: "done", count: 2 });
  const empty = snapshot({ text: "", end: 0, withheld: true, status: over });
  const late = new Run((content) => sent.push(content), empty);
  expect(sent).toEqual([]);
  late.shown();
  late.shown();
  expect(sent).toEqual([{ kind: "need", offset: 0 }]);
  late.receive({ kind: "reset", ...snapshot({ text: "abc", end: 3, status: over }) });
  expect(late.text).toBe("abc");
});

test("time goes on between two messages, and stops at the end", () => {
  delta(2, "c");
  now = 1_500;
  expect(run.status.elapsed_s).toBe(1.5);
  run.receive({ kind: "end", end: 3, status: status({ state: "done", elapsed_s: 1.6 }) });
  now = 9_000;
  expect(run.status.elapsed_s).toBe(1.6);
});

test("the rate slides over the last seconds", () => {
  for (let count = 0; count <= 100; count += 10) {
    now = count * 100;
    delta(run.text.length, "x", count);
  }
  expect(run.rate).toBeCloseTo(10, 0);
  now += 2_000;
  expect(run.rate).toBeLessThan(7);
  now += 60_000;
  expect(run.rate).toBeNull();
});

test("silence is counted from the last item, not from the last message", () => {
  now = 3_000;
  delta(2, "c", 1);
  now = 5_000;
  delta(3, "", 1);
  expect(run.silence_s).toBe(2);
  delta(3, "d", 2);
  expect(run.silence_s).toBe(0);
});

test("a cancel shows at once, and the kernel's streaming status does not take it back", () => {
  run.cancelReached("asked");
  expect(run.status.state).toBe("cancelling");
  delta(2, "c");
  expect([run.status.state, run.cancelStep]).toEqual(["cancelling", "asked"]);
  run.receive({ kind: "ack", state: streaming(1), end: 3 });
  run.cancelReached("busy");
  expect(run.cancelStep).toBe("acknowledged");
});

test("an answer tells the end that was missed, and what text is missing", () => {
  run.cancelReached("asked");
  const state = status({ state: "done", count: 7, elapsed_s: 4 });
  run.receive({ kind: "ack", state, end: 9 });
  expect(run.status).toMatchObject({ state: "done", count: 7, elapsed_s: 4 });
  expect(sent).toEqual([{ kind: "need", offset: 2 }]);
});

test("a run that the kernel does not know is over", () => {
  run.cancelReached("asked");
  run.receive({ kind: "unknown" });
  expect(run.status).toMatchObject({ state: "lost", error: "no longer known to the kernel" });
  // The end was on its way.
  run.receive({ kind: "end", end: 2, status: status({ state: "cancelled" }) });
  expect(run.status.state).toBe("cancelled");
});

test("a run that goes on after a cancel that did not arrive can be cancelled once more", () => {
  run.cancelReached("asked");
  run.receive({ kind: "state", state: streaming(3), end: 2 });
  expect(run.status.state).toBe("cancelling"); // it may have been asked before
  run.cancelReached("busy");
  run.receive({ kind: "state", state: streaming(4), end: 2 });
  expect([run.cancelStep, run.status.state]).toEqual(["none", "streaming"]);
});

test("an answer does not put the clock back, except at the end", () => {
  now = 5_000;
  run.receive({ kind: "state", state: streaming(3), end: 2 });
  expect(run.status.elapsed_s).toBe(5);
  const state = status({ state: "done", elapsed_s: 4 });
  run.receive({ kind: "state", state, end: 2 });
  expect(run.status.elapsed_s).toBe(4);
});

test("the kernel's own word for it is an acknowledgement", () => {
  run.cancelReached("asked");
  run.receive({ kind: "delta", offset: 2, text: "", status: status({ state: "cancelling" }) });
  expect(run.cancelStep).toBe("acknowledged");
});

test("a kernel that is gone ends the run; one that has ended stays ended", () => {
  delta(2, "c", 41);
  run.lose("kernel restarted");
  expect(run.status).toMatchObject({ state: "lost", error: "kernel restarted", count: 41 });
  run.lose("kernel stopped");
  delta(3, "d", 42);
  expect(run.status.error).toBe("kernel restarted");
  // The kernel has answered late what the page had given up to know.
  run.receive({ kind: "reset", ...snapshot({ text: "abcd", status: streaming(42) }) });
  expect([run.status.state, run.text]).toEqual(["streaming", "abcd"]);
});

test("the final form in the notebook is the whole text, whatever was missed", () => {
  const final = snapshot({ text: "abcd", status: status({ state: "done", count: 4 }) });
  run.settle(final);
  expect([run.status.state, run.text]).toEqual(["done", "abcd"]);
  run.settle({ ...final, left_out: 2, text: "a\n[…]\nd" }); // this page has more
  expect(run.text).toBe("abcd");
});

test("a source that is saved in a shorter form is known by its end", () => {
  const replaced = vi.fn();
  run.listen({ appended: vi.fn(), replaced, changed: vi.fn() });
  const final = snapshot({ text: "a", end: 2, status: status({ state: "done", count: 4 }) });
  run.settle(final);
  expect([run.status.state, run.text]).toEqual(["done", "ab"]);
  expect(replaced).not.toHaveBeenCalled();
  run.settle({ ...final, end: 3 });
  expect(replaced).toHaveBeenCalledWith("a");
});
