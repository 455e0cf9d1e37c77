// A pane that grows at its end keeps that end in sight, until the reader scrolls away from it.

const AT_BOTTOM_PX = 8;

export class AutoScroller {
  private following = true;
  private topPx = 0;

  constructor(private readonly pane: HTMLElement) {
    // The event comes a frame late. What was added meanwhile is below, and nobody has scrolled: who
    // does, goes up.
    pane.addEventListener("scroll", () => {
      const { scrollTop, scrollHeight, clientHeight } = pane;
      if (scrollHeight - scrollTop - clientHeight < AT_BOTTOM_PX) this.following = true;
      else if (scrollTop < this.topPx - 1) this.following = false;
      this.topPx = scrollTop;
    });
  }

  /** Something was added: show it, if the end was in sight. */
  follow(): void {
    if (!this.following || this.selecting()) return;
    this.pane.scrollTop = this.pane.scrollHeight;
    this.topPx = this.pane.scrollTop;
  }

  /** Text that is being marked must not run away from under the pointer. */
  private selecting(): boolean {
    const selection = document.getSelection();
    return Boolean(selection && !selection.isCollapsed && this.pane.contains(selection.anchorNode));
  }
}
