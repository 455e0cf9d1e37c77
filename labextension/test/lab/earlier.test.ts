import { expect, test, vi } from "vitest";
import { withEarlier } from "../../src/lab/earlier";
import type { RunOutput } from "../../src/run/output-json";
import { snapshot } from "../support/states";

function drawing(text: string) {
  const element = document.createElement("p");
  element.textContent = text;
  const calls = { attached: vi.fn(), settled: vi.fn(), dispose: vi.fn() };
  return { element, ...calls };
}

const run = (text: string): RunOutput => ({ key: "", name: "", snapshot: snapshot({ text }) });
/** What a page does some time after a fold was opened or closed. */
const toggle = (fold: HTMLDetailsElement, isOpen: boolean) => {
  fold.open = isOpen;
  fold.dispatchEvent(new Event("toggle"));
};

test("without any before it, a drawing stands alone", () => {
  const newest = drawing("new");
  expect(withEarlier(newest, { runs: [], leftOut: 0 }, vi.fn())).toBe(newest);
});

test("those before it are drawn when somebody looks, once, oldest first", () => {
  const newest = drawing("new");
  const drawn: ReturnType<typeof drawing>[] = [];
  const draw = vi.fn(({ snapshot: { text } }: RunOutput) => {
    const made = drawing(text);
    drawn.push(made);
    return made;
  });
  const all = withEarlier(newest, { runs: [run("one"), run("two")], leftOut: 1 }, draw);
  const fold = all.element.querySelector("details") as HTMLDetailsElement;
  expect(fold.textContent).toBe("3 earlier answers");
  expect(draw).not.toHaveBeenCalled();
  toggle(fold, true);
  toggle(fold, false);
  toggle(fold, true);
  expect(draw).toHaveBeenCalledTimes(2);
  expect([...fold.querySelectorAll("p")].map((one) => one.textContent)).toEqual(["one", "two"]);
  expect(fold.querySelector(".kkj-notes")?.textContent).toMatch(/^1 earlier answer left out: /);
  expect(drawn[0]?.attached).toHaveBeenCalledOnce();
  expect(all.element.lastElementChild).toBe(newest.element);
  all.settled();
  expect(newest.settled).toHaveBeenCalledOnce();
  all.dispose();
  for (const one of [newest, ...drawn]) expect(one.dispose).toHaveBeenCalledOnce();
});
