import { beforeEach, expect, test, vi } from "vitest";
import { HeightHandle } from "../../src/ui/height-handle";
import { giveSizes, type Sizes } from "../support/boxes";

let box: HTMLElement;
let size: Sizes;
let handle: HeightHandle;
const changed = vi.fn();

beforeEach(() => {
  changed.mockClear();
  size = { scrollHeight: 2_000, clientHeight: 408, scrollTop: 0 };
  box = document.createElement("div");
  giveSizes(box, size);
  // What the style sheet does.
  const style = Object.create(box.style, {
    setProperty: {
      value: (_: string, value: string) => {
        size.clientHeight = Number.parseInt(value, 10);
      },
    },
    removeProperty: {
      value: () => {
        size.clientHeight = 408;
      },
    },
  });
  Object.defineProperty(box, "style", { value: style });
  handle = new HeightHandle(box, "countdown(5)", changed);
});

function press(key: string): boolean {
  const event = new KeyboardEvent("keydown", { key, cancelable: true });
  handle.element.dispatchEvent(event);
  return event.defaultPrevented;
}

function pointer(type: string, clientY: number, button = 0): void {
  const event = new PointerEvent(type, { clientY, button, pointerId: 1, cancelable: true });
  handle.element.dispatchEvent(event);
}

test("it is a separator with a name and a value", () => {
  const { element } = handle;
  expect(element.getAttribute("role")).toBe("separator");
  expect(element.getAttribute("aria-label")).toBe("Height of countdown(5), in lines");
  expect(element.ariaValueNow).toBe("24");
  expect(element.dataset.lmSuppressShortcuts).toBe("true");
});

test("keys change the height by lines and pages, to the least and the whole", () => {
  press("ArrowUp");
  expect(size.clientHeight).toBe(391);
  expect(handle.element.ariaValueNow).toBe("23");
  press("ArrowDown");
  press("PageDown");
  expect(size.clientHeight).toBe(578);
  press("End");
  expect(size.clientHeight).toBe(2_000);
  press("Home");
  expect(size.clientHeight).toBe(51);
  expect(press("ArrowUp")).toBe(true);
  expect(size.clientHeight).toBe(51);
  expect(press("a")).toBe(false);
  expect(changed).toHaveBeenCalledTimes(6);
  expect(handle.isSet).toBe(true);
});

test("it is dragged, until the pointer is let go", () => {
  handle.element.setPointerCapture = () => {};
  pointer("pointerdown", 500, 2);
  pointer("pointermove", 600);
  expect(size.clientHeight).toBe(408);
  pointer("pointerdown", 500);
  pointer("pointermove", 600);
  expect(size.clientHeight).toBe(508);
  pointer("pointermove", 400);
  expect(size.clientHeight).toBe(308);
  pointer("lostpointercapture", 400);
  pointer("pointermove", 900);
  expect(size.clientHeight).toBe(308);
});

test("a double-click gives the usual height back", () => {
  press("ArrowDown");
  handle.element.dispatchEvent(new MouseEvent("dblclick"));
  expect(size.clientHeight).toBe(408);
  expect(handle.isSet).toBe(false);
});
