// The plot pane: lines that grow, values under the pointer, the newest points or all of them.
// Drawn by uPlot.

import "./plot/valid-language";
import uPlot from "uplot";
import "./plot/page-language";
import uPlotCss from "uplot/dist/uPlot.min.css";
import type { Pane, PaneContext } from "../panes/pane";
import { make } from "../ui/element";
import { suppressShortcuts } from "../ui/shortcuts";
import { addStyle } from "../ui/styles";
import { colourOf, ThemeColours } from "./plot/colours";
import { Legend } from "./plot/legend";
import { tickText, timeText, valueText } from "./plot/numbers";
import css from "./plot/plot.css";
import { asTable, loneAmong, Points } from "./plot/points";

const HEIGHT_PX = 260;
/** A drawing that takes long is made less often: at most this share of the time is spent on it. */
const DRAWING_SHARE = 0.3;
const RANGES = [100, 1_000, 10_000];
/** More points than these are no longer marked one by one. */
const FEW = 30;

export function makePane(context: PaneContext): Pane {
  return new PlotPane(context);
}

class PlotPane implements Pane {
  readonly element = make("div", "kkj-plot");
  readonly hasOwnHeight = true;
  private readonly canvas = make("div", "kkj-plot-canvas");
  private readonly foot = make("div", "kkj-plot-foot");
  private readonly range: HTMLSelectElement;
  private readonly colours = new ThemeColours(() => this.plot?.redraw(false));
  private readonly legend = new Legend((series, show) => {
    this.plot?.setSeries(series + 1, { show });
  });
  private points = new Points();
  private pending = "";
  private plot: uPlot | null = null;
  private drawnShape = -1;
  private last: number | null = null;
  private hasChosen = false;
  private frame = 0;
  private timer = 0;
  private drawnAtMs = 0;
  private tookMs = 0;
  private readonly resized = new ResizeObserver(() => this.resize());

  constructor(context: PaneContext) {
    addStyle(document, "plot", uPlotCss + css);
    this.range = this.makeRange(context.label);
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", `Plot of ${context.label}`);
    this.foot.append(this.legend.element, this.range.parentElement as HTMLElement);
    this.element.append(this.colours.element, this.canvas, this.foot);
    this.resized.observe(this.element);
  }

  append(source: string): void {
    this.pending += source;
    this.schedule();
  }

  replace(source: string): void {
    this.points = new Points();
    this.drawnShape = -1;
    this.pending = source;
    this.schedule();
  }

  flush(): void {
    clearTimeout(this.timer);
    this.timer = 0;
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const startedMs = performance.now();
    this.points.add(this.pending);
    this.pending = "";
    this.draw();
    this.drawnAtMs = performance.now();
    this.tookMs = this.drawnAtMs - startedMs;
  }

  ended(): void {
    this.flush();
  }

  copied(source: string): string {
    return asTable(source);
  }

  dispose(): void {
    clearTimeout(this.timer);
    cancelAnimationFrame(this.frame);
    this.resized.disconnect();
    this.colours.dispose();
    this.plot?.destroy();
    this.plot = null;
  }

  private schedule(): void {
    if (this.frame || this.timer) return;
    const restMs = this.tookMs / DRAWING_SHARE - (performance.now() - this.drawnAtMs);
    if (restMs > 16) {
      this.timer = window.setTimeout(() => {
        this.timer = 0;
        this.frame = requestAnimationFrame(() => this.flush());
      }, restMs);
    } else this.frame = requestAnimationFrame(() => this.flush());
  }

  private draw(): void {
    const { points } = this;
    if (!this.hasChosen) this.last = points.header.last ?? null;
    if (!points.length) return;
    const data = points.newest(this.last) as uPlot.AlignedData;
    this.showRange();
    if (this.plot && this.drawnShape === points.shape) {
      this.plot.setData(data);
      this.showValues(this.plot);
      return;
    }
    const width = this.width;
    if (!width) return; // not in the page yet: the observer calls again
    this.drawnShape = points.shape;
    this.plot?.destroy();
    this.colours.read();
    this.legend.name(points.header.series);
    this.plot = new uPlot(this.options(width), data, this.canvas);
    this.showValues(this.plot);
  }

  /** In the legend: the values under the pointer, or the last ones. */
  private showValues({ data, cursor }: uPlot): void {
    const { header } = this.points;
    const at = cursor.idx ?? null;
    const [xs, ...lines] = data as [number[], ...(number | null)[][]];
    const x = xs[at ?? xs.length - 1] as number;
    const values = lines.map((ys) => {
      return valueText(at === null ? ys.findLast((y) => typeof y === "number") : ys[at]);
    });
    const name = header.x ?? (header.time ? "" : "x");
    this.legend.show(`${name} ${header.time ? timeText(x) : valueText(x)}`.trim(), values);
  }

  private get width(): number {
    return Math.floor(this.canvas.clientWidth);
  }

  private resize(): void {
    const width = this.width;
    if (!width) return;
    if (!this.plot) this.draw();
    else if (this.plot.width !== width) this.plot.setSize({ width, height: HEIGHT_PX });
    // It was out of sight, perhaps while the theme was changed.
    else if (this.colours.read()) this.plot.redraw(false);
  }

  private options(width: number): uPlot.Options {
    const { colours } = this;
    const font = `11px ${getComputedStyle(this.element).fontFamily}`;
    const { header, isCloud } = this.points;
    const grid = () => colours.grid;
    const axis = {
      stroke: () => colours.ink,
      font,
      grid: { stroke: grid, width: 1 },
      ticks: { stroke: grid, width: 1, size: 4 },
    };
    return {
      width,
      height: HEIGHT_PX,
      scales: { x: { time: header.time } },
      axes: [
        { ...axis, size: 28 },
        { ...axis, size: widthOf(font), values: (_, splits) => splits.map(tickText) },
      ],
      legend: { show: false },
      cursor: { drag: { x: true, y: false, setScale: true }, points: { size: 7 } },
      hooks: { setCursor: [(plot) => this.showValues(plot)] },
      series: [
        {},
        ...header.series.map((_, index) => ({
          show: this.legend.isShown(index),
          stroke: colourOf(index),
          width: 1.5,
          points: isCloud ? { show: true, size: 4 } : marksOf(index),
          ...(isCloud && { paths: () => null }),
        })),
      ],
    };
  }

  private makeRange(label: string): HTMLSelectElement {
    const select = document.createElement("select");
    select.setAttribute("aria-label", `Points of ${label} that are drawn`);
    suppressShortcuts(select);
    select.addEventListener("change", () => {
      this.hasChosen = true;
      this.last = select.value === "all" ? null : Number(select.value);
      this.draw();
    });
    const box = make("label", "kkj-plot-range");
    box.hidden = true;
    box.append(select);
    return select;
  }

  /** The ranges that may be chosen, that of the view's maker among them; none if all are too long. */
  private showRange(): void {
    const own = this.points.header.last;
    const known = own && !RANGES.includes(own) ? [...RANGES, own] : RANGES;
    const wanted = known.filter((n) => n < this.points.length).sort((a, b) => a - b);
    (this.range.parentElement as HTMLElement).hidden = !wanted.length;
    if (this.range.childElementCount !== wanted.length + 1) {
      this.range.replaceChildren(
        new Option("all points", "all"),
        ...wanted.map((n) => new Option(`last ${n.toLocaleString("en")}`, String(n))),
      );
    }
    this.range.value = this.last === null ? "all" : String(this.last);
  }
}

/** Points are marked where they are few, and always where a line cannot be seen: between two gaps. */
function marksOf(index: number): uPlot.Series.Points {
  return {
    show: (_plot, _series, first, last) => last - first < FEW,
    filter: (plot, series, isShown, gaps) => {
      return isShown || !gaps?.length ? null : loneAmong(plot.data[series] as (number | null)[]);
    },
    size: 5,
    width: 0,
    fill: colourOf(index),
  };
}

/** Room for the numbers at the y axis, so that it does not move while they change. */
function widthOf(font: string): (plot: uPlot, values: string[] | null) => number {
  let widest = 36;
  return (plot, values) => {
    plot.ctx.save();
    plot.ctx.font = font;
    for (const value of values ?? []) {
      widest = Math.max(widest, Math.ceil(plot.ctx.measureText(value).width) + 14);
    }
    plot.ctx.restore();
    return widest;
  };
}
