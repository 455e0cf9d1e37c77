// A scrolled list of rows of one height, of which only those in sight are in the page.

export const ROW_PX = 24;
const AROUND_ROWS = 12;
/** Browsers draw nothing below some millions of pixels: beyond it scrolling takes larger steps. */
const TALLEST_PX = 8_000_000;
/** What the box shows where nothing is laid out. */
const BOX_PX = 408;

export class Viewport {
  /** The rows in the page, by their place from the top. */
  readonly drawn = new Map<number, HTMLElement>();
  private places = 0;

  /**
   * @param box is scrolled
   * @param sizer is as high as all rows, below a head of the height of a row
   * @param body holds the rows in sight
   * @param drawPlace makes the element of a row
   */
  constructor(
    private readonly box: HTMLElement,
    private readonly sizer: HTMLElement,
    private readonly body: HTMLElement,
    private readonly drawPlace: (place: number) => HTMLElement,
  ) {}

  /** There are so many rows now. */
  resize(places: number): void {
    if (places === this.places) return;
    this.places = places;
    this.sizer.style.height = `${ROW_PX + this.tall}px`;
  }

  /** Draw what is in sight; returns the rows that are new in the page. */
  draw(): HTMLElement[] {
    const top = this.box.scrollTop;
    const offset = top * this.scale;
    const first = Math.max(0, Math.floor(offset / ROW_PX) - AROUND_ROWS);
    const last = Math.min(this.places, Math.ceil((offset + this.view) / ROW_PX) + AROUND_ROWS);
    for (const place of this.drawn.keys()) {
      if (place < first || place >= last) this.drop(place);
    }
    const fresh: HTMLElement[] = [];
    let before: HTMLElement | null = null;
    for (let place = first; place < last; place++) {
      let element = this.drawn.get(place);
      if (!element) {
        element = this.drawPlace(place);
        this.drawn.set(place, element);
        if (before) before.after(element);
        else this.body.prepend(element);
        fresh.push(element);
      }
      before = element;
    }
    this.body.style.transform = `translateY(${top + first * ROW_PX - offset}px)`;
    return fresh;
  }

  /** Draw all rows anew, next time. */
  forget(): void {
    this.body.replaceChildren();
    this.drawn.clear();
  }

  /** Draw this row anew, next time. */
  drop(place: number): void {
    this.drawn.get(place)?.remove();
    this.drawn.delete(place);
  }

  toEnd(): void {
    this.box.scrollTop = this.box.scrollHeight;
  }

  /** Scroll, if need be, so that a row can be seen. */
  reveal(place: number): void {
    const offset = this.box.scrollTop * this.scale;
    const above = place * ROW_PX;
    const wanted = Math.min(Math.max(offset, above + ROW_PX - this.view), above);
    if (wanted !== offset) this.box.scrollTop = wanted / this.scale;
  }

  /** How many rows fit into the box. */
  get page(): number {
    return Math.max(1, Math.floor(this.view / ROW_PX));
  }

  get isScrolled(): boolean {
    return this.places * ROW_PX > this.view;
  }

  private get tall(): number {
    return Math.min(this.places * ROW_PX, TALLEST_PX);
  }

  private get view(): number {
    return (this.box.clientHeight || BOX_PX) - ROW_PX;
  }

  /** How many pixels of rows go by with each pixel scrolled. */
  private get scale(): number {
    const real = this.places * ROW_PX;
    return real > TALLEST_PX ? (real - this.view) / (TALLEST_PX - this.view) : 1;
  }
}
