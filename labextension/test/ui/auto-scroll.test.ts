import { beforeEach, expect, test } from "vitest";
import { AutoScroller } from "../../src/ui/auto-scroll";

let pane: HTMLElement;
let scroller: AutoScroller;
let size: { scrollHeight: number; clientHeight: number; scrollTop: number };

beforeEach(() => {
  size = { scrollHeight: 400, clientHeight: 400, scrollTop: 0 };
  pane = document.createElement("div");
  const bottom = () => Math.max(0, size.scrollHeight - size.clientHeight);
  Object.defineProperties(pane, {
    scrollHeight: { get: () => size.scrollHeight },
    clientHeight: { get: () => size.clientHeight },
    scrollTop: {
      get: () => Math.min(size.scrollTop, bottom()),
      set: (top: number) => {
        size.scrollTop = Math.max(0, Math.min(top, bottom()));
      },
    },
  });
  scroller = new AutoScroller(pane);
});

/** The event, which comes a frame after what moved the pane. */
const scrolled = () => pane.dispatchEvent(new Event("scroll"));
const below = () => size.scrollHeight - pane.scrollTop - size.clientHeight;

function grow(px: number): void {
  size.scrollHeight += px;
}

test("the end stays in sight", () => {
  for (let n = 0; n < 5; n++) {
    grow(100);
    scroller.follow();
    scrolled();
  }
  expect(below()).toBe(0);
});

test("what was added before the event came has not been scrolled away from", () => {
  grow(100);
  scroller.follow();
  grow(300); // drawn, or typeset, before the event of the first
  scrolled();
  scroller.follow();
  expect(below()).toBe(0);
});

test("who scrolls up is left there, and followed again at the end", () => {
  grow(1_000);
  scroller.follow();
  scrolled();
  pane.scrollTop -= 100;
  scrolled();
  grow(100);
  scroller.follow();
  expect(below()).toBe(200);
  pane.scrollTop += 150;
  scrolled();
  scroller.follow();
  expect(below()).toBe(50); // on the way down
  pane.scrollTop += 45;
  scrolled();
  grow(500);
  scroller.follow();
  expect(below()).toBe(0);
});

test("a pane that shrinks, as one with typeset formulas, goes on following", () => {
  grow(1_000);
  scroller.follow();
  scrolled();
  grow(-200);
  pane.scrollTop = size.scrollTop; // the browser's doing
  scrolled();
  grow(50);
  scroller.follow();
  expect(below()).toBe(0);
});
