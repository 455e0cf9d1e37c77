// The legend: for each line its colour, its name and a value, which a click shows and hides.

import { make, setText } from "../../ui/element";
import { suppressShortcuts } from "../../ui/shortcuts";
import { colourOf } from "./colours";

export class Legend {
  readonly element = make("div", "kkj-plot-legend");
  private readonly x = make("span", "kkj-plot-x");
  private readonly entries: HTMLButtonElement[] = [];

  /** @param toggle shows or hides the series at this index */
  constructor(private readonly toggle: (series: number, isShown: boolean) => void) {
    this.element.append(this.x);
  }

  /** Have an entry for each of these lines; those that it has stay, hidden ones, too. */
  name(names: readonly string[]): void {
    for (const entry of this.entries.splice(names.length)) entry.remove();
    names.forEach((name, index) => {
      const entry = this.entries[index] ?? this.addEntry();
      setText(entry.children[1] as Element, name);
    });
  }

  /** @param x what x is, and which */
  show(x: string, values: readonly string[]): void {
    setText(this.x, x);
    this.entries.forEach((entry, index) => {
      setText(entry.children[2] as Element, values[index] ?? "");
    });
  }

  isShown(series: number): boolean {
    return this.entries[series]?.ariaPressed !== "false";
  }

  private addEntry(): HTMLButtonElement {
    const index = this.entries.length;
    const entry = make("button", "kkj-plot-entry");
    entry.type = "button";
    entry.title = "Show or hide this line";
    entry.ariaPressed = "true";
    suppressShortcuts(entry);
    const mark = make("span", "kkj-plot-mark");
    mark.style.background = colourOf(index);
    entry.append(mark, make("span", "kkj-plot-name"), make("span", "kkj-plot-value"));
    entry.addEventListener("click", () => {
      entry.ariaPressed = String(!this.isShown(index));
      this.toggle(index, this.isShown(index));
    });
    this.entries.push(entry);
    this.element.append(entry);
    return entry;
  }
}
