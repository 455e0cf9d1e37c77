import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Run } from "../../src/run/run";
import { drawColumns } from "../../src/view/comparison";
import { NotebookContext } from "../../src/view/notebook-context";
import { snapshot, status } from "../support/states";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function column(name: string, title: string) {
  const run = new Run(() => {}, snapshot({ status: status({ title, state: "done", count: 2 }) }));
  return { name, run, link: null, notebook: new NotebookContext({}, "") };
}

test("what stands above a column is not said again in its state line", () => {
  const { element, dispose } = drawColumns([column("Ann", "Ann"), column("Bob", "words('Bob')")]);
  const [same, other] = element.querySelectorAll(".kkj-column");
  expect(same?.classList.contains("kkj-named")).toBe(true);
  expect(other?.classList.contains("kkj-named")).toBe(false);
  expect(element.querySelector(".kkj-figures")?.textContent).toContain("2 items");
  expect(element.querySelector<HTMLElement>(".kkj-all button")?.hidden).toBe(true);
  dispose();
});
