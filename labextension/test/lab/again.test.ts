// The button that asks for an output once more: when it is there, and what it brings.

import { afterEach, beforeEach, expect, test } from "vitest";
import { MIME_TYPE } from "../../src/kernel/messages";
import { offerAgain } from "../../src/lab/again";
import type { OutputPanel } from "../../src/lab/jupyterlab";
import { liveOutputs } from "../../src/lab/live-outputs";
import type { RunDrawing } from "../../src/view/live-view";
import { Signal } from "../support/page";

const asked: { kind: string; reply(answer: object | null, known?: boolean): void }[] = [];
const kernel = {
  clientId: "page",
  username: "user",
  iopubMessage: new Signal(),
  anyMessage: new Signal(),
  statusChanged: new Signal(),
  connectionStatusChanged: new Signal(),
  sendControlMessage: ({ content }: { content: { kind: string } }) => {
    const future = { onReply: (_: object) => {}, done: new Promise(() => {}) };
    asked.push({
      kind: content.kind,
      reply: (answer, known = true) => future.onReply({ content: { status: "ok", known, answer } }),
    });
    return future;
  },
};
const bundle = (key: string) => ({ [MIME_TYPE]: { key, state: "done" }, "text/plain": key });
let outputs: { data: object }[];
let stop = () => {};
let ask: (() => void) | null | undefined;
const drawing = {
  offerAgain: (given: (() => void) | null) => {
    ask = given;
  },
} as RunDrawing;

function panel(): OutputPanel {
  const cell = {
    outputs: {
      get length() {
        return outputs.length;
      },
      get: (index: number) => ({ ...outputs[index], toJSON: () => outputs[index] }),
      set: (index: number, output: { data: object }) => {
        outputs[index] = output;
      },
    },
  };
  const sessionContext = {
    session: { kernel },
    ready: Promise.resolve(),
    iopubMessage: new Signal(),
    kernelChanged: new Signal(),
  };
  const context = { model: { cells: { length: 1, get: () => cell } }, sessionContext };
  return { sessionContext, context, node: document.body, disposed: new Signal() } as never;
}

beforeEach(() => {
  asked.length = 0;
  ask = undefined;
  outputs = [{ data: bundle("other") }, { data: bundle("old") }];
});

afterEach(() => stop());

test("of a saved output the kernel is asked whether it can", async () => {
  stop = offerAgain(panel(), "old", drawing, false);
  await Promise.resolve();
  expect(ask).toBeUndefined();
  expect(asked.map(({ kind }) => kind)).toEqual(["askable"]);
  asked[0]?.reply({ kind: "askable", again: true });
  expect(ask).toBeTypeOf("function");
  asked[0]?.reply({ kind: "askable", again: false });
  expect(ask).toBeNull();
});

test.each(["another process", "a kernel that is restarted"])("%s cannot", async (which) => {
  stop = offerAgain(panel(), "old", drawing, which !== "another process");
  await Promise.resolve();
  if (which === "another process") asked[0]?.reply(null, false);
  else kernel.statusChanged.emit("restarting");
  expect(ask).toBeNull();
});

test("what the kernel has begun takes the place of the output, and of no other", async () => {
  stop = offerAgain(panel(), "old", drawing, true);
  await Promise.resolve();
  expect(asked).toEqual([]);
  ask?.();
  expect(asked.map(({ kind }) => kind)).toEqual(["again"]);
  asked[0]?.reply({ kind: "asked" });
  expect(outputs[1]?.data).toEqual(bundle("old"));
  asked[0]?.reply({ kind: "again", bundle: bundle("new") });
  expect(outputs.map(({ data }) => data)).toEqual([bundle("other"), bundle("new")]);
});

test("every page that shows it is told, until it shows something else", () => {
  const shown = panel();
  liveOutputs.watch({
    forEach: (visit: (one: OutputPanel) => void) => visit(shown),
    widgetAdded: new Signal(),
  } as never);
  stop = offerAgain(shown, "old", drawing, true);
  const tell = (key: string) => {
    const header = { msg_type: "kkjupyter_view" };
    const content = { key: "old", kind: "again", bundle: bundle(key) };
    (shown.sessionContext.iopubMessage as unknown as Signal).emit({ header, content });
  };
  tell("new");
  expect(outputs[1]?.data).toEqual(bundle("new"));
  outputs[1] = { data: bundle("old") };
  stop();
  tell("newer");
  expect(outputs[1]?.data).toEqual(bundle("old"));
});
