// Several runs side by side: a column for each, one button for all, the figures compared below.
// The Python side is kkjupyter/notebook/output/columns.py and views/comparison_table.py.

import type { Status } from "../kernel/messages";
import { amount } from "../run/status-text";
import { duration, perSecond } from "../text/numbers";
import { makeButton } from "../ui/button";
import { make, setText } from "../ui/element";
import { cancel } from "./cancel";
import { type Drawing, drawRun, type NotebookActions } from "./live-view";
import type { Column } from "./shown-run";

const REDRAW_MS = 250;
const HEADS = ["", "first item", "rate", "amount", "time"];

export function drawColumns(columns: readonly Column[], actions: NotebookActions = {}): Drawing {
  const element = make("div", "kkj-columns");
  const grid = make("div", "kkj-grid");
  const button = makeButton("Cancel all", "Cancel all streams of this comparison");
  const line = make("div", "kkj-line kkj-all");
  const words = make("span", "kkj-words");
  line.append(words, button);
  const figures = make("table", "kkj-figures");
  const box = make("div", "kkj-figures-box");
  box.append(figures);
  element.append(line, grid, box);
  const places = columns.map(() => make("div", "kkj-column"));
  const drawings = columns.map((column, index) => {
    const place = places[index] as HTMLElement;
    const drawing = drawRun(column, actions);
    place.append(make("div", "kkj-title", column.name), drawing.element);
    grid.append(place);
    return drawing;
  });
  button.addEventListener("click", () => {
    for (const column of columns) if (!column.run.over) cancel(column);
  });
  let timer = 0;
  const draw = () => {
    columns.forEach(({ name, run: { status } }, index) => {
      // What stands above the column need not be said again.
      places[index]?.classList.toggle("kkj-named", (status.model || status.title) === name);
    });
    const running = columns.filter(({ run }) => !run.over).length;
    const said = `${columns.length} streams${running ? ` · ${running} running` : ""}`;
    setText(words, said);
    button.hidden = !running;
    drawFigures(figures, columns);
    clearTimeout(timer);
    if (running) timer = window.setTimeout(draw, REDRAW_MS);
  };
  draw();
  return {
    element,
    attached: () => {
      for (const drawing of drawings) drawing.attached();
    },
    settled: () => {
      for (const drawing of drawings) drawing.settled();
    },
    dispose: () => {
      clearTimeout(timer);
      for (const drawing of drawings) drawing.dispose();
    },
  };
}

function drawFigures(table: HTMLTableElement, columns: readonly Column[]): void {
  const rows = [HEADS, ...columns.map(({ name, run }) => [name, ...figuresOf(run.status)])];
  const text = JSON.stringify(rows);
  if (table.dataset.shown === text) return;
  table.dataset.shown = text;
  table.replaceChildren(
    ...rows.map((row, index) => {
      const line = make("tr", "");
      line.append(
        ...row.map((cell, column) => {
          const isHead = index === 0 || column === 0;
          if (!isHead) return make("td", "", cell);
          const head = make("th", "", cell);
          head.scope = index ? "row" : "col";
          return head;
        }),
      );
      return line;
    }),
  );
}

/** Time to the first item, how much per second after it, how much, and how long; "–" if unknown. */
export function figuresOf(status: Status): string[] {
  const { first_item_s: first, count, written = count, elapsed_s: elapsed } = status;
  const after = (written * (count - 1)) / count;
  const rate = first !== null && count > 1 && elapsed > first ? after / (elapsed - first) : 0;
  return [
    first === null ? "–" : duration(first),
    rate ? perSecond(rate) : "–",
    amount(status),
    duration(elapsed, status.state === "done" ? undefined : 0),
  ];
}
