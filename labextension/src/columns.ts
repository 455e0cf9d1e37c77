// Several runs side by side: a column for each, one button for all, the figures compared below.
// The Python side is kkjupyter/notebook/columns.py.

import { labelButton, makeButton } from "./button";
import { cancel } from "./cancel";
import { lookAfter } from "./ending";
import { duration, perSecond, whole } from "./format";
import { Host } from "./host";
import { readable } from "./panes";
import { type Session, session } from "./sessions";
import { checkpointText, staticHtml, staticPlain, titleHtml } from "./static";
import type { Model, Status } from "./types";
import { drawView } from "./view";

const REDRAW_MS = 250;
const HEADS = ["", "first item", "rate", "items", "time"];

interface Column extends Session {
  name: string;
  model: Model;
}

export async function initializeColumns(model: Model): Promise<() => void> {
  const [host, columns] = await Promise.all([Host.find(model), columnsOf(model)]);
  const runs = columns.map(({ run }) => run);
  const inEach = (write: (column: Column, index: number) => string) =>
    columns.map((column, n) => `── ${column.name}\n${write(column, n)}`).join("\n\n");
  return lookAfter(model, host, runs, {
    checkpoint: () => inEach(({ run }) => checkpointText(run)),
    bundle: async () => {
      const texts = await Promise.all(runs.map((run) => readable(run.text, run.part)));
      const htmlOf = ({ name, run }: Column, index: number) =>
        titleHtml(name) + staticHtml(texts[index] ?? "", run.leftOut, run.status);
      return {
        "text/html": columns.map(htmlOf).join("\n"),
        "text/plain": inEach(({ run }, index) => staticPlain(texts[index] ?? "", run.status)),
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
  const figures = make("table", "kkj-figures") as HTMLTableElement;
  const box = make("div", "kkj-figures-box");
  box.append(figures);
  root.append(line, grid, box);
  el.append(root);
  const stops: (() => void)[] = [];
  for (const column of columns) {
    const place = make("div", "kkj-column");
    const title = make("div", "kkj-title");
    title.textContent = column.name;
    place.append(title);
    grid.append(place);
    stops.push(await drawView(column.model, place));
  }
  button.addEventListener("click", () => {
    for (const { run, model: one, host: finding } of columns) {
      if (!run.over) void finding.then((host) => cancel(run, one, host));
    }
  });
  const draw = () => {
    const running = columns.filter(({ run }) => !run.over).length;
    const said = `${columns.length} streams${running ? ` · ${running} running` : ""}`;
    if (words.textContent !== said) words.textContent = said;
    button.hidden = !running;
    labelButton(button, "Cancel all", "Cancel all streams of this comparison");
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
      return { name, model: column, ...session(column) };
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
      const line = document.createElement("tr");
      line.append(
        ...row.map((cell, column) => {
          const isHead = index === 0 || column === 0;
          const element = document.createElement(isHead ? "th" : "td");
          if (isHead) element.scope = index === 0 ? "col" : "row";
          element.textContent = cell;
          return element;
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

function make(tag: "div" | "span" | "table", className: string): HTMLElement {
  const element = document.createElement(tag);
  element.className = className;
  return element;
}
