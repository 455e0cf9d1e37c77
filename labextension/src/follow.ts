// A pane that grows at its end keeps that end in sight, until the reader scrolls away from it.

const AT_BOTTOM_PX = 8;

export class Follower {
  private following = true;

  constructor(private readonly pane: HTMLElement) {
    pane.addEventListener("scroll", () => {
      const below = pane.scrollHeight - pane.scrollTop - pane.clientHeight;
      this.following = below < AT_BOTTOM_PX;
    });
  }

  /** Something was added: show it, if the end was in sight. */
  follow(): void {
    if (this.following && !this.selecting()) this.pane.scrollTop = this.pane.scrollHeight;
  }

  /** Text that is being marked must not run away from under the pointer. */
  private selecting(): boolean {
    const selection = document.getSelection();
    return Boolean(selection && !selection.isCollapsed && this.pane.contains(selection.anchorNode));
  }
}
