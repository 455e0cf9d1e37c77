import { beforeEach, expect, test, vi } from "vitest";
import { AutoScroller } from "../../src/ui/auto-scroll";
import { giveSizes, type Sizes } from "../support/boxes";

let box: HTMLElement;
let scroller: AutoScroller;
let size: Sizes;

beforeEach(() => {
  size = { scrollHeight: 400, clientHeight: 400, scrollTop: 0 };
  box = document.createElement("div");
  giveSizes(box, size);
  document.body.replaceChildren(box);
  scroller = new AutoScroller(box, true);
});

/** The event, which comes a frame after what moved the box. */
const scrolled = () => box.dispatchEvent(new Event("scroll"));

function grow(px: number): void {
  size.scrollHeight += px;
  scroller.follow();
}

function wheel(deltaY: number): void {
  box.dispatchEvent(new WheelEvent("wheel", { deltaY }));
  box.scrollTop += deltaY;
  scrolled();
}

function pointer(type: string, buttons = 0): void {
  box.dispatchEvent(new PointerEvent(type, { bubbles: true, buttons }));
}

const press = (key: string) => box.dispatchEvent(new KeyboardEvent("keydown", { key }));

test("the end stays in sight", () => {
  for (let n = 0; n < 5; n++) {
    grow(100);
    scrolled();
  }
  expect(scroller.belowPx).toBe(0);
});

test("what was added before the event came has not been scrolled away from", () => {
  grow(100);
  size.scrollHeight += 300; // drawn, or typeset, before the event of the first
  scrolled();
  grow(0);
  expect(scroller.belowPx).toBe(0);
});

test("a layout that moves the box up is not the reader", () => {
  grow(1_000);
  scrolled();
  box.scrollTop -= 600; // formulas were set, a picture was laid out
  scrolled();
  grow(50);
  expect(scroller.belowPx).toBe(0);
});

test("a box that shrinks, as one with typeset formulas, goes on following", () => {
  grow(1_000);
  scrolled();
  size.scrollHeight -= 200;
  box.scrollTop = size.scrollTop; // the browser's doing
  scrolled();
  grow(50);
  expect(scroller.belowPx).toBe(0);
});

test("who turns the wheel up is left there at once, and followed again at the end", () => {
  grow(1_000);
  scrolled();
  box.dispatchEvent(new WheelEvent("wheel", { deltaY: -100 }));
  grow(100); // before the box has moved
  expect(scroller.belowPx).toBe(100);
  wheel(-100);
  grow(100);
  expect(scroller.belowPx).toBe(300);
  wheel(250);
  grow(0);
  expect(scroller.belowPx).toBe(50); // on the way down
  wheel(45);
  grow(500);
  expect(scroller.belowPx).toBe(0);
});

test("a wheel that turns by a pixel at a time gets away, too", () => {
  grow(1_000);
  scrolled();
  wheel(-1);
  wheel(-1);
  grow(100);
  expect(scroller.belowPx).toBe(102);
});

test("a wheel that zooms is not for the box, nor one where nothing is above", () => {
  grow(1_000);
  const zoom = new WheelEvent("wheel", { deltaY: -100 });
  box.dispatchEvent(Object.defineProperty(zoom, "ctrlKey", { value: true }));
  grow(100);
  expect(scroller.belowPx).toBe(0);
  box.scrollTop = 0;
  size.scrollHeight = size.clientHeight;
  box.dispatchEvent(new WheelEvent("wheel", { deltaY: -100 }));
  grow(100);
  expect(scroller.belowPx).toBe(0);
});

test.each(["ArrowUp", "PageUp", "Home"])("the key %s leaves the end", (key) => {
  grow(1_000);
  press(key);
  grow(100);
  expect(scroller.belowPx).toBe(100);
});

test("other keys do not", () => {
  grow(1_000);
  for (const key of ["ArrowDown", "End", "a", " ", "Shift"]) press(key);
  grow(100);
  expect(scroller.belowPx).toBe(0);
});

test("a scroll bar that is dragged is the reader's, and nothing moves while it is held", () => {
  grow(1_000);
  scrolled();
  pointer("pointerdown", 1);
  grow(100);
  expect(scroller.belowPx).toBe(100);
  box.scrollTop = 0;
  scrolled();
  pointer("pointerup");
  grow(100);
  expect(box.scrollTop).toBe(0);
});

test("a click changes nothing, even if a browser does not tell of its end", () => {
  grow(1_000);
  pointer("pointerdown", 1);
  pointer("pointermove", 1);
  grow(100);
  expect(scroller.belowPx).toBe(100);
  pointer("pointermove"); // no button is down
  expect(scroller.belowPx).toBe(0);
});

test("a finger that draws the text down leaves the end", () => {
  const touch = (type: string, clientY: number) => {
    box.dispatchEvent(Object.assign(new Event(type), { touches: [{ clientY }] }));
  };
  grow(1_000);
  touch("touchstart", 100);
  touch("touchmove", 80);
  grow(100);
  expect(scroller.belowPx).toBe(0);
  touch("touchmove", 120);
  grow(100);
  expect(scroller.belowPx).toBe(100);
});

test("what is unfolded does not run away", () => {
  const summary = box.appendChild(document.createElement("summary"));
  grow(1_000);
  summary.click();
  grow(100);
  expect(scroller.belowPx).toBe(100);
});

test("a jump goes to the end, and follows it, whatever is marked", () => {
  box.textContent = "some text";
  grow(1_000);
  wheel(-300);
  document.getSelection()?.setBaseAndExtent(box, 0, box, 1);
  scroller.jump();
  expect(scroller.belowPx).toBe(0);
  grow(100);
  expect(scroller.belowPx).toBe(0);
});

test("text that is being marked does not run away", () => {
  box.textContent = "some text";
  grow(1_000);
  document.getSelection()?.setBaseAndExtent(box, 0, box, 1);
  grow(100);
  expect(scroller.belowPx).toBe(100);
  document.getSelection()?.removeAllRanges();
});

test("what does not follow from the beginning stays at its top, and tells of scrolling", () => {
  const moved = vi.fn();
  const still = new AutoScroller(box, false, moved);
  size.scrollHeight = 1_000;
  still.follow();
  expect(box.scrollTop).toBe(0);
  scrolled();
  expect(moved).toHaveBeenCalledOnce();
});
