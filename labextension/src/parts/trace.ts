// The trace pane: the frames of a call as a sequence diagram that grows; what a frame holds opens
// below its arrow.

import type { Pane, PaneContext } from "../panes/pane";
import { make, setText } from "../ui/element";
import { suppressShortcuts } from "../ui/shortcuts";
import { addStyle } from "../ui/styles";
import { asText, type Row, Rows } from "./trace/rows";
import css from "./trace/trace.css";

export function makePane(context: PaneContext): Pane {
  return new TracePane(context.label);
}

class TracePane implements Pane {
  readonly element = make("div", "kkj-trace");
  readonly hasOwnHeight = true;
  private readonly heading = make("div", "kkj-trace-around");
  private readonly summary = make("div", "kkj-trace-around");
  private readonly body = document.createElement("tbody");
  private trace = new Rows();
  private drawn: DrawnRow[] = [];
  private pending = "";
  private frame = 0;

  constructor(label: string) {
    addStyle(document, "trace", css);
    suppressShortcuts(this.element);
    const table = document.createElement("table");
    table.setAttribute("aria-label", `Frames of ${label}`);
    const head = table.createTHead().insertRow();
    for (const content of [["time"], [], ends(), [], ["size"]]) {
      const cell = document.createElement("th");
      cell.append(...content);
      head.append(cell);
    }
    table.append(this.body);
    const scrolled = make("div", "kkj-trace-table");
    scrolled.append(table);
    this.element.append(this.heading, scrolled, this.summary);
  }

  append(source: string): void {
    this.pending += source;
    this.frame ||= requestAnimationFrame(() => this.flush());
  }

  replace(source: string): void {
    this.trace = new Rows();
    this.pending = "";
    this.append(source);
  }

  flush(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.element.closest(".kkj")?.classList.add("kkj-lineless");
    const { trace, drawn, body } = this;
    trace.add(this.pending);
    this.pending = "";
    setText(this.heading, trace.heading);
    setText(this.summary, trace.summary);
    for (const gone of drawn.splice(trace.rows.length)) gone.element.remove();
    // After a replacement every row is a new one, but what is open in the page stays open.
    for (const index of trace.changed) {
      const row = trace.rows[index];
      if (!row) continue;
      let known = drawn[index];
      if (!known) {
        known = new DrawnRow();
        drawn[index] = known;
        body.append(known.element);
      }
      known.show(row);
    }
    trace.changed.clear();
  }

  copied(source: string): string {
    return asText(source);
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
  }
}

class DrawnRow {
  readonly element = document.createElement("tr");
  private readonly time = this.cell("kkj-trace-number");
  private readonly left = this.side();
  private readonly middle = this.cell("");
  private readonly right = this.side();
  private readonly size = this.cell("kkj-trace-number");
  private readonly label = document.createElement("b");
  private readonly detail = make("span", "kkj-trace-detail");
  private payload: HTMLElement | null = null;

  constructor() {
    this.middle.append(this.line("div"));
  }

  show(row: Row): void {
    const kinds = [row.run ? "kkj-trace-run" : "", `kkj-trace-${row.direction}`];
    this.element.className = kinds.join(" ").trim();
    setText(this.time, row.time);
    showSide(this.left, row.direction === "in" ? "◀" : "");
    showSide(this.right, row.direction === "out" ? "▶" : "");
    setText(this.size, row.size);
    setText(this.label, row.label);
    const hint = row.payload === undefined ? "" : " {…}";
    setText(this.detail, (row.detail ? ` ${row.detail}` : "") + hint);
    if (row.payload !== undefined) {
      this.payload ??= this.makeFoldable();
      setText(this.payload, row.payload);
    } else if (this.payload) {
      this.payload = null;
      this.middle.replaceChildren(this.line("div"));
    }
  }

  private makeFoldable(): HTMLElement {
    const details = document.createElement("details");
    const payload = document.createElement("pre");
    details.append(this.line("summary"), payload);
    this.middle.replaceChildren(details);
    return payload;
  }

  private line(tag: "div" | "summary"): HTMLElement {
    const line = make(tag, "kkj-trace-label");
    line.append(this.label, this.detail);
    return line;
  }

  private side(): HTMLElement {
    const side = make("div", "");
    this.cell("kkj-trace-side").append(side);
    return side;
  }

  private cell(className: string): HTMLTableCellElement {
    const cell = this.element.insertCell();
    cell.className = className;
    return cell;
  }
}

/** The end of an arrow: its tip, or the line as far as the lifeline. */
function showSide(side: HTMLElement, tip: string): void {
  side.className = tip ? "kkj-trace-tip" : "kkj-trace-end";
  setText(side, tip);
}

function ends(): Node[] {
  return [make("span", "", "notebook"), make("i", "", " ⟷ "), make("span", "", "server")];
}
