import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Pane, PartModule } from "../../src/panes/pane";
import { PaneContainer } from "../../src/panes/pane-container";
import { Run } from "../../src/run/run";
import { snapshot, status } from "../support/states";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A pane that shows its source in capitals. */
function loud(): PartModule {
  return {
    makePane: () => {
      const element = document.createElement("p");
      let source = "";
      const draw = () => {
        element.textContent = source.toUpperCase();
      };
      const pane: Pane = {
        element,
        hasOwnHeight: true,
        append: (more) => {
          source += more;
          draw();
        },
        replace: (all) => {
          source = all;
          draw();
        },
        flush: draw,
        ended: () => element.classList.add("ended"),
        copied: (all) => `<${all}>`,
        dispose: () => {},
      };
      return pane;
    },
  };
}

function make(part: string | null, load: (part: string) => Promise<PartModule>) {
  const run = new Run(() => {}, snapshot({ text: "abc", part, pane: part ?? "text" }));
  const container = new PaneContainer(run, { label: "x" }, load);
  run.listen({
    appended: (text) => container.append(text),
    replaced: (text) => container.replace(text),
    changed: () => {},
  });
  return { run, container };
}

test("a part that is there at once is all that is seen", async () => {
  const { run, container } = make("loud-1", async () => loud());
  expect(container.element.childElementCount).toBe(0);
  run.receive({ kind: "delta", offset: 3, text: "def", status: status() });
  await vi.advanceTimersByTimeAsync(0);
  expect(container.element.innerHTML).toBe("<p>ABCDEF</p>");
  expect(await container.copied("x")).toBe("<x>");
  await vi.advanceTimersByTimeAsync(1_000);
  expect(container.element.innerHTML).toBe("<p>ABCDEF</p>");
  container.ended();
  expect(container.element.querySelector(".ended")).not.toBeNull();
});

test("a part that is late leaves the source readable meanwhile", async () => {
  let give = (_: PartModule) => {};
  const { run, container } = make("loud-1", () => new Promise((resolve) => (give = resolve)));
  await vi.advanceTimersByTimeAsync(500);
  expect(container.element.textContent).toBe("abc");
  run.receive({ kind: "delta", offset: 3, text: "def", status: status() });
  give(loud());
  await vi.advanceTimersByTimeAsync(0);
  expect(container.element.innerHTML).toBe("<p>ABCDEF</p>");
});

test("without the part it stays text, and says so on the console", async () => {
  const said = vi.spyOn(console, "error").mockImplementation(() => {});
  const { container } = make("loud-1", () => Promise.reject(new Error("no kernel")));
  await vi.advanceTimersByTimeAsync(0);
  expect(container.element.textContent).toBe("abc");
  expect(said).toHaveBeenCalledOnce();
  said.mockRestore();
});

test("a view that becomes another one changes its pane", async () => {
  const { run, container } = make(null, async () => loud());
  expect(container.element.textContent).toBe("abc");
  const anew = snapshot({ text: "xyz", part: "loud-1", pane: "loud" });
  run.receive({ kind: "reset", ...anew });
  await vi.advanceTimersByTimeAsync(0);
  expect(container.element.innerHTML).toBe("<p>XYZ</p>");
  run.receive({ kind: "reset", ...snapshot({ text: "uvw", part: "loud-1", pane: "loud" }) });
  expect(container.element.innerHTML).toBe("<p>UVW</p>");
});

test("a part that comes after the end still says what is copied", async () => {
  let give = (_: PartModule) => {};
  const loading = new Promise<PartModule>((resolve) => (give = resolve));
  const { container } = make("loud-1", () => loading);
  container.dispose();
  const copied = container.copied("x");
  give(loud());
  expect(await copied).toBe("<x>");
});

test("without the part it is the source that is copied", async () => {
  const said = vi.spyOn(console, "error").mockImplementation(() => {});
  const { container } = make("loud-1", () => Promise.reject(new Error("no kernel")));
  expect(await container.copied("x")).toBe("x");
  said.mockRestore();
});

test("a part that comes too late is not shown", async () => {
  let give = (_: PartModule) => {};
  const { run, container } = make("loud-1", () => new Promise((resolve) => (give = resolve)));
  run.receive({ kind: "reset", ...snapshot({ text: "xyz" }) });
  give(loud());
  await vi.advanceTimersByTimeAsync(1_000);
  expect(container.element.textContent).toBe("xyz");
  container.dispose();
});

test("a pane has a height and follows its end, unless it looks after that itself", async () => {
  const { container } = make(null, async () => loud());
  expect(container.element.querySelector(".kkj-frame [role=log]")?.textContent).toBe("abc");
  const { container: own } = make("loud-1", async () => loud());
  await vi.advanceTimersByTimeAsync(0);
  expect(own.element.querySelector(".kkj-frame")).toBeNull();
});

test("the width of the view is known before the part is there", () => {
  const { container } = make("loud-1", () => new Promise(() => {}));
  expect(container.element.dataset.pane).toBe("loud-1");
});

test("a run that was lost and is found again grows on", () => {
  const { run, container } = make(null, async () => loud());
  const shown = () => container.element.querySelector<HTMLElement>(".kkj-frame")?.dataset.shown;
  expect(shown()).toBe("live");
  run.lose("kernel stopped");
  container.ended();
  expect(shown()).toBe("whole");
  Object.defineProperty(run, "over", { value: false });
  run.receive({ kind: "reset", ...snapshot({ text: "xyz" }) });
  expect(shown()).toBe("live");
  expect(container.element.textContent).toBe("xyz");
});
