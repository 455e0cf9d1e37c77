// The bar below a box by which its height is changed, with the pointer or with keys.

import { make } from "./element";
import { suppressShortcuts } from "./shortcuts";

/** Of text; keys move by it. */
const LINE_PX = 17;
const LEAST_PX = 3 * LINE_PX;
const PAGE_LINES = 10;

export class HeightHandle {
  readonly element = make("div", "kkj-handle");
  /** Whether the reader has chosen a height. */
  isSet = false;

  /**
   * @param box gets the height as its `--kkj-height`
   * @param changed is told of a new one
   */
  constructor(
    private readonly box: HTMLElement,
    label: string,
    private readonly changed: () => void,
  ) {
    const { element } = this;
    element.setAttribute("role", "separator");
    element.setAttribute("aria-orientation", "horizontal");
    element.setAttribute("aria-label", `Height of ${label}, in lines`);
    element.title = "Drag for another height; double-click for the usual one";
    element.tabIndex = 0;
    suppressShortcuts(element);
    element.addEventListener("pointerdown", (event) => this.drag(event));
    element.addEventListener("keydown", (event) => this.pressed(event));
    element.addEventListener("dblclick", () => this.reset());
    this.tell();
  }

  /** Say the present height to those who hear it. */
  tell(): void {
    const lines = String(Math.round(this.box.clientHeight / LINE_PX));
    if (this.element.ariaValueNow !== lines) this.element.ariaValueNow = lines;
  }

  private set(px: number): void {
    // A higher one would show nothing more, and the handle would no longer be under the pointer.
    const height = Math.max(LEAST_PX, Math.min(px, this.box.scrollHeight));
    this.box.style.setProperty("--kkj-height", `${height}px`);
    this.isSet = true;
    this.tell();
    this.changed();
  }

  private reset(): void {
    this.box.style.removeProperty("--kkj-height");
    this.isSet = false;
    this.tell();
    this.changed();
  }

  private drag(start: PointerEvent): void {
    if (start.button) return;
    start.preventDefault();
    const { element } = this;
    const heightPx = this.box.clientHeight;
    const moved = ({ clientY }: PointerEvent) => this.set(heightPx + clientY - start.clientY);
    element.setPointerCapture(start.pointerId);
    element.addEventListener("pointermove", moved);
    element.addEventListener(
      "lostpointercapture",
      () => element.removeEventListener("pointermove", moved),
      { once: true },
    );
  }

  private pressed(event: KeyboardEvent): void {
    const presentPx = this.box.clientHeight;
    const heights: Record<string, number> = {
      ArrowUp: presentPx - LINE_PX,
      ArrowDown: presentPx + LINE_PX,
      PageUp: presentPx - PAGE_LINES * LINE_PX,
      PageDown: presentPx + PAGE_LINES * LINE_PX,
      Home: LEAST_PX,
      End: Number.POSITIVE_INFINITY,
    };
    const height = heights[event.key];
    if (height === undefined) return;
    event.preventDefault();
    this.set(height);
  }
}
