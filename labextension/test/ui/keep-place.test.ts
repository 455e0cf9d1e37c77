import { beforeEach, expect, test } from "vitest";
import { keepPlace } from "../../src/ui/keep-place";
import { giveSizes, type Sizes } from "../support/boxes";

/** A page of 1,000 px that is scrolled, a frame in it, and what is read in the frame. */
let scroll: Sizes;
let frame: HTMLElement;
let content: HTMLElement;
let at: { top: number; height: number; hiddenAbove: number };

beforeEach(() => {
  const page = document.createElement("div");
  page.style.overflowY = "auto";
  scroll = { scrollHeight: 9_000, clientHeight: 1_000, scrollTop: 2_000 };
  giveSizes(page, scroll);
  frame = page.appendChild(document.createElement("div"));
  content = frame.appendChild(document.createElement("div"));
  document.body.replaceChildren(page);
  at = { top: 2_300, height: 400, hiddenAbove: 0 };
  rect(page, () => [0, 1_000]);
  const top = () => at.top - scroll.scrollTop;
  rect(frame, () => [top(), top() + at.height]);
  rect(content, () => [top() - at.hiddenAbove, top() - at.hiddenAbove + 2_000]);
});

function rect(element: Element, edges: () => [top: number, bottom: number]): void {
  element.getBoundingClientRect = () => {
    const [top, bottom] = edges();
    return new DOMRect(0, top, 500, bottom - top);
  };
}

/** The frame shows the whole of what it shows a part of. */
function unfold(): void {
  at.hiddenAbove = 0;
  at.height = 2_000;
}

test("the lines that are read stay where they are", () => {
  at.hiddenAbove = 1_600;
  const before = content.getBoundingClientRect().top;
  keepPlace(frame, content, unfold);
  expect(content.getBoundingClientRect().top).toBe(before);
  expect(scroll.scrollTop).toBe(3_600);
});

test("what is below a frame that is out of sight above stays", () => {
  at.top = 1_000;
  at.hiddenAbove = 1_600;
  keepPlace(frame, content, unfold);
  expect(frame.getBoundingClientRect().bottom).toBe(-600);
});

test("what is above a frame that only comes into sight stays", () => {
  at.top = 2_900;
  at.hiddenAbove = 1_600;
  keepPlace(frame, content, unfold);
  expect(scroll.scrollTop).toBe(2_000);
});

test("where nothing moves nothing is scrolled", () => {
  keepPlace(frame, content, unfold);
  expect(scroll.scrollTop).toBe(2_000);
});
