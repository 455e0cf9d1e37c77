import { Signal } from "@lumino/signaling";
import { expect, test } from "vitest";
import { PageStreams, type PlacedEnd } from "../../src/lab/page-streams";
import { ended, Notebook, running } from "../support/lab";

function pageOf(...notebooks: Notebook[]) {
  const page = new PageStreams(Signal);
  const ends: PlacedEnd[] = [];
  page.ended.connect((_, some) => ends.push(...some));
  for (const { panel } of notebooks) page.follow(panel);
  return { page, ends };
}

test("the streams of each kernel are there once, with the notebook that has the cell", () => {
  const first = new Notebook(null, { id: "first", cellId: "a" });
  const second = new Notebook(null, { id: "second", cellId: "b" });
  const other = new Notebook(null, { id: "other", kernelId: "another" });
  const { page } = pageOf(first, second, other);
  for (const notebook of [first, second]) {
    notebook.sayStreams(running({ run_id: 3, cell_id: "b" }), running({ run_id: 4, cell_id: "z" }));
  }
  other.sayStreams(running());
  const [kernel, another] = page.byKernel();
  expect(kernel?.streams.map(({ panel, stream }) => [panel.id, stream.runId])).toEqual([
    ["second", 3],
    ["first", 4], // whose cell is gone
  ]);
  expect(another?.kernelId).toBe("another");
  expect(page.byKernel()).toHaveLength(2);
});

test("those that the kernel does not name are counted", () => {
  const notebook = new Notebook();
  const { page } = pageOf(notebook);
  notebook.say(53, 2, { runs: [3], counts: [1], streams: [running()] });
  expect(page.byKernel()[0]?.more).toBe(52);
});

test("an end is told once, however many notebooks hear of it", () => {
  const first = new Notebook(null, { id: "first", cellId: "a" });
  const second = new Notebook(null, { id: "second", cellId: "b" });
  const { ends } = pageOf(first, second);
  for (const notebook of [first, second]) {
    notebook.sayEnded([ended({ cell_id: "b" })], "message");
  }
  expect(ends.map(({ panel }) => panel.id)).toEqual(["second"]);
});

test("a notebook that is closed is followed no more", () => {
  const notebook = new Notebook();
  const { page, ends } = pageOf(notebook);
  notebook.sayStreams(running());
  notebook.disposed.emit(undefined);
  expect(page.byKernel()).toEqual([]);
  notebook.sayEnded([ended()]);
  expect(ends).toEqual([]);
});
