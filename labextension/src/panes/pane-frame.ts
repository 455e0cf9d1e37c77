// How much of a pane is seen. While it grows, a window that follows its end; when it is finished the
// whole of it, and of what is very long the window again, until the reader asks for the rest.

import { AutoScroller } from "../ui/auto-scroll";
import { labelButton, makeButton } from "../ui/button";
import { make } from "../ui/element";
import { HeightHandle } from "../ui/height-handle";
import { keepPlace } from "../ui/keep-place";
import { suppressShortcuts } from "../ui/shortcuts";

/** What is finished and not higher than so many windows of the browser stands whole. */
const WHOLE_SCREENS = 3;
/** Notebook 7 puts outputs that are a little higher into a scrolled box of its own, at their top. */
const WHOLE_IN_NOTEBOOK_PX = 1_700;
/** The reader is away from the end when so much is below. */
const AWAY_PX = 40;

type Shown = "live" | "whole" | "folded";

export class PaneFrame {
  readonly element = make("div", "kkj-frame");
  private readonly box = make("div", "kkj-scroll");
  private readonly jump = makeButton("Jump to latest", "Jump to the latest", "down");
  private readonly fold = makeButton("", "");
  private readonly handle: HeightHandle;
  private readonly scroller: AutoScroller;
  private readonly growth = new ResizeObserver(() => this.settle());
  private shown: Shown = "live";
  /** The width at which what is finished may still turn out to be long; 0 if no longer. */
  private openWidthPx = 0;

  /** @param content the pane's own element */
  constructor(
    private readonly content: HTMLElement,
    private readonly label: string,
    isLive: boolean,
  ) {
    const { element, box, jump, fold } = this;
    box.setAttribute("role", "log");
    box.setAttribute("aria-live", "off");
    box.setAttribute("aria-label", label);
    box.tabIndex = 0;
    suppressShortcuts(box);
    box.append(content);
    this.scroller = new AutoScroller(box, isLive, () => this.mark());
    this.handle = new HeightHandle(box, label, () => this.settle());
    jump.classList.add("kkj-jump");
    jump.addEventListener("click", () => {
      // It goes away: the focus stays in the pane.
      box.focus({ preventScroll: true });
      this.scroller.jump();
      this.mark();
    });
    fold.classList.add("kkj-fold");
    fold.addEventListener("click", () => this.show(this.shown === "whole" ? "folded" : "whole"));
    for (const touch of ["pointerdown", "keydown"]) {
      element.addEventListener(touch, () => this.decided());
    }
    element.append(box, this.handle.element);
    element.dataset.shown = this.shown;
    this.growth.observe(content);
    this.mark();
  }

  /** Nothing more comes. */
  ended(): void {
    this.openWidthPx = this.content.clientWidth || Number.POSITIVE_INFINITY;
    if (this.isLong) this.decided();
    this.show(this.openWidthPx ? "whole" : "folded");
  }

  dispose(): void {
    this.growth.disconnect();
  }

  private get isLong(): boolean {
    const isNotebook = document.body.dataset.notebook !== undefined;
    const limitPx = Math.min(
      WHOLE_SCREENS * window.innerHeight,
      isNotebook ? WHOLE_IN_NOTEBOOK_PX : Number.POSITIVE_INFINITY,
    );
    return this.content.offsetHeight > limitPx;
  }

  /** Whether it is long is known; what the reader unfolds in it makes it no longer. */
  private decided(): void {
    this.openWidthPx = 0;
  }

  private show(shown: Shown): void {
    this.shown = shown;
    keepPlace(this.element, this.content, () => {
      this.element.dataset.shown = shown;
      // What was read last before it was folded is at the end, where the button is.
      if (shown === "folded" && this.fold.isConnected) this.box.scrollTop = this.box.scrollHeight;
      if (shown === "folded") this.element.append(this.fold);
      this.drawFold();
      this.mark();
    });
  }

  private drawFold(): void {
    const isFolded = this.shown === "folded";
    const name = isFolded ? `Show all of ${this.label}` : `Fold ${this.label}`;
    labelButton(this.fold, isFolded ? "Show all" : "Fold", name, isFolded ? "more" : "less");
    this.fold.ariaExpanded = String(!isFolded);
  }

  /** The content has another size, or the box. */
  private settle(): void {
    this.scroller.follow();
    if (this.openWidthPx) this.decide();
    this.mark();
  }

  /** What ended before it was drawn, or in the page, shows only later how long it is. */
  private decide(): void {
    const width = this.content.clientWidth;
    if (!width) return;
    if (this.openWidthPx === Number.POSITIVE_INFINITY) this.openWidthPx = width;
    if (width !== this.openWidthPx) this.decided();
    else if (this.isLong) {
      this.decided();
      this.show("folded");
      this.scroller.follow();
    }
  }

  /** Show where there is more, and what leads there. */
  private mark(): void {
    const { element, box, scroller, shown } = this;
    const below = scroller.belowPx;
    const isWhole = shown === "whole";
    element.classList.toggle("kkj-more-above", !isWhole && box.scrollTop > 1);
    element.classList.toggle("kkj-more-below", !isWhole && below > 1);
    if (shown !== "live" || below < AWAY_PX) this.jump.remove();
    else if (!this.jump.isConnected) box.after(this.jump);
    const isScrolled = box.scrollHeight > box.clientHeight;
    this.handle.element.hidden = isWhole || !(isScrolled || this.handle.isSet);
    this.handle.tell();
  }
}
