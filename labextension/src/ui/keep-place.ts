// A change of heights that leaves on the screen what the reader looks at where it is.

/**
 * Make a change and scroll the page by what it has moved.
 *
 * @param frame what becomes higher or lower
 * @param content what is read in it; it moves as a whole
 */
export function keepPlace(frame: HTMLElement, content: HTMLElement, change: () => void): void {
  const scroller = scrollerOf(frame);
  const page = scroller ? viewOf(scroller) : { top: 0, bottom: 0 };
  const { top, bottom } = frame.getBoundingClientRect();
  const isBelow = top > (page.top + page.bottom) / 2;
  const isAbove = bottom <= page.top;
  const place = () => {
    return isAbove ? frame.getBoundingClientRect().bottom : content.getBoundingClientRect().top;
  };
  const before = place();
  change();
  const moved = place() - before;
  // What the reader looks at is above it, and stays where it is by itself.
  if (scroller && moved && !isBelow) scroller.scrollTop += moved;
}

/** What scrolls `element` in the page: the notebook, the outputs of a cell, the page itself. */
function scrollerOf(element: HTMLElement): Element | null {
  for (let one = element.parentElement; one; one = one.parentElement) {
    const isScrolled = one.scrollHeight > one.clientHeight;
    if (isScrolled && /auto|scroll/.test(getComputedStyle(one).overflowY)) return one;
  }
  return document.scrollingElement;
}

function viewOf(scroller: Element): { top: number; bottom: number } {
  if (scroller === document.scrollingElement) return { top: 0, bottom: window.innerHeight };
  return scroller.getBoundingClientRect();
}
