// The plot pane: lines that grow, values under the pointer, the newest points or all of them.
// Drawn by uPlot.

import "./plot/valid-language";
import uPlot from "uplot";
import "./plot/page-language";
import uPlotCss from "uplot/dist/uPlot.min.css";
import type { Pane, PaneContext } from "../panes/pane";
import { suppressShortcuts } from "../ui/button";
import { make } from "../ui/element";
import { addStyle } from "../ui/styles";
import css from "./plot/plot.css";
import { asTable, Points } from "./plot/points";

const HEIGHT_PX = 260;
/** A drawing that takes long is made less often: at most this share of the time is spent on it. */
const DRAWING_SHARE = 0.3;
const RANGES = [100, 1_000, 10_000];
/** As kkjupyter/notebook/views/plot/picture.py has them: they stand out on white and on black. */
const COLOURS = [
  ...["#3b82c4", "#d97a1f", "#3a9d5d", "#c9504f", "#8a6fb5", "#93705c"],
  ...["#c76fa0", "#2a9aa3", "#8f8f2b", "#7f7f7f", "#5b6fd0", "#b0653a"],
];

export function makePane(context: PaneContext): Pane {
  return new PlotPane(context);
}

class PlotPane implements Pane {
  readonly element = make("div", "kkj-plot");
  readonly hasOwnHeight = true;
  private readonly canvas = make("div", "kkj-plot-canvas");
  private readonly foot = make("div", "kkj-plot-foot");
  private readonly range: HTMLSelectElement;
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
  private readonly themed = new MutationObserver(() => this.anew());

  constructor(context: PaneContext) {
    addStyle(document, "plot", uPlotCss + css);
    this.range = this.makeRange(context.label);
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", `Plot of ${context.label}`);
    this.element.append(this.canvas, this.foot);
    this.resized.observe(this.element);
    const options = { attributes: true, attributeFilter: ["data-jp-theme-name"] };
    this.themed.observe(document.body, options);
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
    this.themed.disconnect();
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
    if (this.plot && this.drawnShape === points.shape) {
      this.plot.setData(data);
      return;
    }
    const width = this.width;
    if (!width) return; // not in the page yet: the observer calls again
    this.drawnShape = points.shape;
    this.plot?.destroy();
    this.plot = new uPlot(this.options(width), data, this.canvas);
    const legend = this.plot.root.querySelector(".u-legend");
    this.foot.replaceChildren(...(legend ? [legend] : []), this.range.parentElement as HTMLElement);
    this.showRange();
  }

  private get width(): number {
    return Math.floor(this.canvas.clientWidth);
  }

  private resize(): void {
    const width = this.width;
    if (!width) return;
    if (!this.plot) this.draw();
    else if (this.plot.width !== width) this.plot.setSize({ width, height: HEIGHT_PX });
  }

  private anew(): void {
    this.drawnShape = -1;
    this.draw();
  }

  private options(width: number): uPlot.Options {
    const style = getComputedStyle(this.element);
    const ink = style.getPropertyValue("--jp-ui-font-color2").trim() || "#767676";
    const grid = style.getPropertyValue("--jp-border-color2").trim() || "#80808040";
    const font = `11px ${style.fontFamily}`;
    const { header, isCloud } = this.points;
    const axis = {
      stroke: ink,
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
        { ...axis, size: widthOf(font), values: (_, splits) => splits.map(written) },
      ],
      legend: { live: true, markers: { width: 0, fill: (_, index) => colourOf(index - 1) } },
      cursor: { drag: { x: true, y: false, setScale: true }, points: { size: 7 } },
      series: [
        { label: header.x ?? (header.time ? "time" : "x"), ...(!header.time && { value: shown }) },
        ...header.series.map((name, index) => ({
          label: name || "y",
          stroke: colourOf(index),
          width: 1.5,
          value: shown,
          ...(isCloud && { paths: () => null, points: { show: true, size: 4 } }),
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
    box.append(select);
    return select;
  }

  /** The ranges that may be chosen; that of the view's maker among them. */
  private showRange(): void {
    const own = this.points.header.last;
    const wanted = own && !RANGES.includes(own) ? [...RANGES, own].sort((a, b) => a - b) : RANGES;
    if (this.range.childElementCount !== wanted.length + 1) {
      this.range.replaceChildren(
        new Option("all points", "all"),
        ...wanted.map((n) => new Option(`last ${n.toLocaleString("en")}`, String(n))),
      );
    }
    this.range.value = this.last === null ? "all" : String(this.last);
  }
}

function colourOf(index: number): string {
  return COLOURS[index % COLOURS.length] as string;
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

function written(value: number | null): string {
  if (value === null) return "";
  const size = Math.abs(value);
  if (size && (size >= 1e9 || size < 1e-5)) return value.toPrecision(4);
  return value.toLocaleString("en", { maximumFractionDigits: 6 });
}

function shown(_: uPlot, value: number | null): string {
  return value === null || value === undefined ? "–" : written(value);
}
