import { beforeEach, expect, test, vi } from "vitest";
import { PaneFrame } from "../../src/panes/pane-frame";
import { giveSizes, type Sizes } from "../support/boxes";

let content: HTMLElement;
let box: HTMLElement;
let size: Sizes;
let resized: () => void;

beforeEach(() => {
  document.body.replaceChildren();
  vi.stubGlobal(
    "ResizeObserver",
    class {
      constructor(callback: () => void) {
        resized = callback;
      }
      observe() {}
      disconnect() {}
    },
  );
});

const SCREEN = window.innerHeight;
const shown = () => box.parentElement?.dataset.shown;
const find = (selector: string) => box.parentElement?.querySelector<HTMLElement>(selector);

function open(height: number, isLive: boolean): PaneFrame {
  content = document.createElement("div");
  const frame = new PaneFrame(content, "countdown(5)", isLive);
  document.body.append(frame.element);
  box = frame.element.querySelector(".kkj-scroll") as HTMLElement;
  size = { scrollHeight: height, clientHeight: Math.min(408, height), scrollTop: 0 };
  giveSizes(box, size);
  Object.defineProperty(content, "offsetHeight", { get: () => size.scrollHeight });
  Object.defineProperty(content, "clientWidth", { get: () => (size.scrollHeight ? 900 : 0) });
  resized();
  return frame;
}

function grow(height: number): void {
  size.scrollHeight = height;
  resized();
}

function wheelUp(): void {
  box.dispatchEvent(new WheelEvent("wheel", { deltaY: -200 }));
  box.scrollTop -= 200;
  box.dispatchEvent(new Event("scroll"));
}

test("a reader of the screen finds a log that does not speak", () => {
  open(100, true);
  expect(box.getAttribute("role")).toBe("log");
  expect(box.getAttribute("aria-live")).toBe("off");
  expect(box.getAttribute("aria-label")).toBe("countdown(5)");
  expect(box.tabIndex).toBe(0);
});

test("what grows is followed; who leaves the end is led back by a button", () => {
  open(2_000, true);
  expect(box.scrollTop).toBe(1_592);
  expect(find(".kkj-jump")).toBeNull();
  wheelUp();
  grow(2_100);
  expect(box.scrollTop).toBe(1_392);
  const jump = find(".kkj-jump");
  expect(jump?.textContent).toBe("Jump to latest");
  jump?.focus();
  jump?.click();
  expect(box.scrollTop).toBe(1_692);
  expect(find(".kkj-jump")).toBeNull();
  expect(document.activeElement).toBe(box);
  grow(2_500);
  expect(box.scrollTop).toBe(2_092);
});

test("an edge behind which there is more fades", () => {
  const frame = open(300, true);
  const more = () => {
    const { classList } = frame.element;
    return ["above", "below"].filter((side) => classList.contains(`kkj-more-${side}`));
  };
  expect(more()).toEqual([]);
  size.clientHeight = 408;
  grow(2_000);
  expect(more()).toEqual(["above"]);
  wheelUp();
  expect(more()).toEqual(["above", "below"]);
  frame.ended();
  expect(more()).toEqual([]);
});

test("the handle is there when there is more to see", () => {
  open(300, true);
  expect(find(".kkj-handle")?.hidden).toBe(true);
  size.clientHeight = 408;
  grow(2_000);
  expect(find(".kkj-handle")?.hidden).toBe(false);
});

test("what is finished stands whole, and the reader's place is kept", () => {
  const frame = open(1_000, true);
  wheelUp();
  frame.ended();
  expect(shown()).toBe("whole");
  expect(find(".kkj-fold")).toBeNull();
  expect(find(".kkj-handle")?.hidden).toBe(true);
  expect(find(".kkj-jump")).toBeNull();
});

test("what is very long stays the window it was, until all of it is asked for", () => {
  const frame = open(3 * SCREEN + 100, true);
  wheelUp();
  const { scrollTop } = box;
  frame.ended();
  expect(shown()).toBe("folded");
  expect(box.scrollTop).toBe(scrollTop);
  const fold = find(".kkj-fold");
  expect([fold?.textContent, fold?.ariaExpanded]).toEqual(["Show all", "false"]);
  fold?.click();
  expect([shown(), fold?.textContent, fold?.ariaExpanded]).toEqual(["whole", "Fold", "true"]);
  fold?.click();
  expect(shown()).toBe("folded");
  expect(box.scrollTop).toBe(size.scrollHeight - size.clientHeight);
});

test("in Notebook 7 less stands whole: it would put the rest into a box of its own", () => {
  document.body.dataset.notebook = "notebooks";
  const frame = open(1_800, true);
  frame.ended();
  expect(shown()).toBe("folded");
  delete document.body.dataset.notebook;
  const other = open(1_800, true);
  other.ended();
  expect(shown()).toBe("whole");
});

test("what was finished before begins at its top", () => {
  const frame = open(3 * SCREEN + 100, false);
  frame.ended();
  resized();
  expect([shown(), box.scrollTop]).toEqual(["folded", 0]);
});

test("how long it is may be known only when it is in the page, or drawn", () => {
  const frame = open(0, false);
  frame.ended();
  expect(shown()).toBe("whole");
  grow(1_000);
  expect(shown()).toBe("whole");
  grow(3 * SCREEN + 100);
  expect(shown()).toBe("folded");
});

test("what the reader unfolds does not fold the whole", () => {
  const frame = open(1_000, true);
  frame.ended();
  content.dispatchEvent(new Event("pointerdown", { bubbles: true }));
  grow(3 * SCREEN + 100);
  expect(shown()).toBe("whole");
});
