// A box that grows at its end keeps that end in sight, until the reader goes away from it.
//
// Only the reader ends it, and what tells of a reader is a wheel, a finger, a key or a pressed scroll
// bar. A scroll event does not: it comes a frame after what caused it, and a layout causes it, too.

const AT_END_PX = 8;
const UP_KEYS = ["ArrowUp", "PageUp", "Home"];

export class AutoScroller {
  /** A pointer is down in the box, perhaps on its scroll bar. */
  private isHeld = false;
  private topPx = 0;
  private touchedAtPx = 0;

  /** @param moved is told when the box has been scrolled */
  constructor(
    private readonly box: HTMLElement,
    private following: boolean,
    private readonly moved: () => void = () => {},
  ) {
    const passive = { passive: true };
    box.addEventListener("scroll", () => this.scrolled());
    box.addEventListener("wheel", (event) => this.wheeled(event), passive);
    box.addEventListener("keydown", (event) => this.pressed(event));
    box.addEventListener("click", (event) => this.clicked(event));
    box.addEventListener("focusin", (event) => this.focused(event));
    box.addEventListener("pointerdown", () => this.hold());
    box.addEventListener("touchstart", (event) => this.touched(event), passive);
    box.addEventListener("touchmove", (event) => this.touched(event), passive);
  }

  /** Something was added: show it, if the reader is at the end. */
  follow(): void {
    if (!this.following || this.isHeld || this.isSelecting()) return;
    this.box.scrollTop = this.box.scrollHeight;
    this.topPx = this.box.scrollTop;
  }

  /** The reader wants the end; what is marked is no longer wanted then. */
  jump(): void {
    if (this.isSelecting()) document.getSelection()?.removeAllRanges();
    this.following = true;
    this.isHeld = false;
    this.follow();
  }

  /** How much there is below what is seen. */
  get belowPx(): number {
    const { scrollTop, scrollHeight, clientHeight } = this.box;
    return scrollHeight - scrollTop - clientHeight;
  }

  private leave(): void {
    if (this.box.scrollTop > 0) this.following = false;
  }

  private scrolled(): void {
    const { scrollTop } = this.box;
    if (scrollTop < this.topPx) {
      if (this.isHeld) this.following = false;
    } else if (scrollTop > this.topPx) this.arrive();
    this.topPx = scrollTop;
    this.moved();
  }

  private arrive(): void {
    if (this.belowPx < AT_END_PX) this.following = true;
  }

  private wheeled({ deltaY, ctrlKey }: WheelEvent): void {
    if (ctrlKey) return; // it zooms
    if (deltaY < 0) this.leave();
    else if (deltaY > 0) this.arrive();
  }

  private pressed({ key, shiftKey, target }: KeyboardEvent): void {
    const isPageUp = key === " " && shiftKey && target === this.box;
    if (isPageUp || UP_KEYS.includes(key)) this.leave();
  }

  /** What is unfolded is to be read: it does not run away. */
  private clicked({ target }: Event): void {
    if (target instanceof Element && target.closest("summary")) this.leave();
  }

  /** Who went to it with keys wants to see it. */
  private focused({ target }: FocusEvent): void {
    if (target !== this.box && (target as Element).matches(":focus-visible")) this.leave();
  }

  private touched({ touches, type }: TouchEvent): void {
    const atPx = touches[0]?.clientY ?? 0;
    if (type === "touchmove" && atPx > this.touchedAtPx) this.leave();
    this.touchedAtPx = atPx;
  }

  /** Until the pointer is up again; a browser may not tell when it was down on the scroll bar. */
  private hold(): void {
    if (this.isHeld) return;
    this.isHeld = true;
    const ends = ["pointerup", "pointercancel", "pointermove"] as const;
    const released = ({ type, buttons }: PointerEvent) => {
      if (type === "pointermove" && buttons) return;
      for (const end of ends) window.removeEventListener(end, released, true);
      this.isHeld = false;
      this.follow();
    };
    for (const end of ends) window.addEventListener(end, released, true);
  }

  /** Text that is being marked must not run away from under the pointer. */
  private isSelecting(): boolean {
    const selection = document.getSelection();
    return Boolean(selection && !selection.isCollapsed && this.box.contains(selection.anchorNode));
  }
}
