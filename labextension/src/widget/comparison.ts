// Several runs side by side: a column for each, one button for all, the figures compared below.
// The Python side is kkjupyter/notebook/show/compare_screens.py.

import type { Model, Status } from "../kernel/messages";
import { readerOf } from "../panes/part-loader";
import {
  checkpointText,
  fitting,
  SAVED_BYTES,
  staticHtml,
  staticPlain,
  titleHtml,
} from "../run/saved-form";
import { duration, perSecond, whole } from "../text/numbers";
import { makeButton } from "../ui/button";
import { make, setText } from "../ui/element";
import { cancel } from "./cancel";
import { drawView } from "./live-view";
import { NotebookContext } from "./notebook-context";
import { persistOutput } from "./persistence";
import { type PageRun, pageRun } from "./run-registry";

const REDRAW_MS = 250;
const HEADS = ["", "first item", "rate", "items", "time"];

interface Column extends PageRun {
  name: string;
  model: Model;
}

export async function initializeColumns(model: Model): Promise<() => void> {
  const [notebook, columns] = await Promise.all([NotebookContext.find(model), columnsOf(model)]);
  const limitBytes = SAVED_BYTES / columns.length;
  const heading = ({ name }: Column) => `── ${name}\n`;
  const runs = columns.map(({ run }) => run);
  return persistOutput(model, notebook, runs, {
    checkpoint: () =>
      columns
        .map((column) => heading(column) + checkpointText(column.run, limitBytes))
        .join("\n\n"),
    bundle: async () => {
      const made = columns.map(async (column) => {
        const { name, run } = column;
        const read = await readerOf(run.part);
        return fitting(run, limitBytes, (source, leftOut) => {
          const text = read(source);
          return {
            html: titleHtml(name) + staticHtml(text, leftOut, run.status),
            plain: heading(column) + staticPlain(text, run.status),
          };
        });
      });
      const all = await Promise.all(made);
      return {
        "text/html": all.map(({ html }) => html).join("\n"),
        "text/plain": all.map(({ plain }) => plain).join("\n\n"),
      };
    },
  });
}

export async function drawColumns(model: Model, el: HTMLElement): Promise<() => void> {
  const columns = await columnsOf(model);
  const root = make("div", "kkj-columns");
  const grid = make("div", "kkj-grid");
  const button = makeButton("Cancel all", "Cancel all streams of this comparison");
  const line = make("div", "kkj-line kkj-all");
  const words = make("span", "kkj-words");
  line.append(words, button);
  const figures = make("table", "kkj-figures");
  const box = make("div", "kkj-figures-box");
  box.append(figures);
  root.append(line, grid, box);
  el.append(root);
  const stops: (() => void)[] = [];
  for (const column of columns) {
    const place = make("div", "kkj-column");
    place.append(make("div", "kkj-title", column.name));
    grid.append(place);
    stops.push(await drawView(column.model, place));
  }
  button.addEventListener("click", () => {
    for (const { run, model: one, notebook: finding } of columns) {
      if (!run.over) void finding.then((notebook) => cancel(run, one, notebook));
    }
  });
  const draw = () => {
    const running = columns.filter(({ run }) => !run.over).length;
    const said = `${columns.length} streams${running ? ` · ${running} running` : ""}`;
    setText(words, said);
    button.hidden = !running;
    drawFigures(figures, columns);
    if (!running) clearInterval(timer);
  };
  const timer = window.setInterval(draw, REDRAW_MS);
  draw();
  return () => {
    clearInterval(timer);
    for (const stop of stops) stop();
  };
}

async function columnsOf(model: Model): Promise<Column[]> {
  const manager = model.widget_manager as { get_model(id: string): Promise<Model> };
  const specs = model.get("columns") ?? [];
  return await Promise.all(
    specs.map(async ({ name, key }) => {
      const column = await manager.get_model(key);
      return { name, model: column, ...pageRun(column) };
    }),
  );
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

/** Time to the first item, items per second after it, how many, and how long; "–" if unknown. */
export function figuresOf(status: Status): string[] {
  const { first_item_s: first, count, elapsed_s: elapsed } = status;
  const rate = first !== null && count > 1 && elapsed > first ? (count - 1) / (elapsed - first) : 0;
  return [
    first === null ? "–" : duration(first),
    rate ? perSecond(rate) : "–",
    whole(count),
    duration(elapsed, status.state === "done" ? undefined : 0),
  ];
}
