// The colours of a plot. It is drawn on a canvas, which does not follow the page's theme by itself.

import { make } from "../../ui/element";

/** As kkjupyter/notebook/views/plot/picture.py has them: they stand out on white and on black. */
const LINES = [
  ...["#3b82c4", "#d97a1f", "#3a9d5d", "#c9504f", "#8a6fb5", "#93705c"],
  ...["#c76fa0", "#2a9aa3", "#8f8f2b", "#7f7f7f", "#5b6fd0", "#b0653a"],
];

/** The colour of the series at `index`. */
export function colourOf(index: number): string {
  return LINES[index % LINES.length] as string;
}

/** The colours of axes and grid: those of the theme. */
export class ThemeColours {
  /** To be put into the page, where the theme reaches it. */
  readonly element = make("div", "kkj-plot-theme");
  ink = "";
  grid = "";

  private frame = 0;

  /** @param changed is called when the theme has changed */
  constructor(private readonly changed: () => void) {
    // plot.css lets a change of these colours take a moment. The end of that is an event that comes with
    // any theme of any front end, and not before the new colours are there. JupyterLab hides its
    // notebooks while it changes its theme, which cancels it.
    for (const event of ["transitionend", "transitioncancel"]) {
      this.element.addEventListener(event, () => this.schedule());
    }
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
  }

  /** Look at the theme; whether the colours are others than before. */
  read(): boolean {
    const { color, borderTopColor } = getComputedStyle(this.element);
    if (color === this.ink && borderTopColor === this.grid) return false;
    this.ink = color;
    this.grid = borderTopColor;
    return true;
  }

  /** Both colours change at once. */
  private schedule(): void {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      if (this.read()) this.changed();
    });
  }
}
