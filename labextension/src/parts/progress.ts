// The progress pane: what is done at present, a bar, and figures: the rate, the time that is left.

import type { RunState } from "../kernel/messages";
import type { Pane, PaneContext } from "../panes/pane";
import { make, setText } from "../ui/element";
import { addStyle } from "../ui/styles";
import {
  describeProgress,
  figures,
  isComplete,
  type Mark,
  readMarks,
  recent,
  shareOf,
} from "./progress/marks";
import css from "./progress/progress.css";

export function makePane(context: PaneContext): Pane {
  return new ProgressPane(context);
}

class ProgressPane implements Pane {
  readonly element = make("div", "kkj-progress");
  readonly hasOwnHeight = true;
  private readonly label = make("div", "kkj-progress-label");
  private readonly track = make("div", "kkj-progress-track");
  private readonly bar = make("div", "kkj-progress-bar");
  private readonly figures = make("div", "kkj-progress-figures");
  private marks: Mark[] = [];
  private rest = "";
  private frame = 0;
  private state: RunState = "streaming";

  constructor({ label }: PaneContext) {
    addStyle(document, "progress", css);
    this.track.setAttribute("role", "progressbar");
    this.track.setAttribute("aria-label", label);
    this.track.append(this.bar);
    this.element.append(this.label, this.track, this.figures);
  }

  append(source: string): void {
    const lines = (this.rest + source).split("\n");
    this.rest = lines.pop() ?? "";
    this.marks = recent([...this.marks, ...readMarks(lines)]);
    this.frame ||= requestAnimationFrame(() => this.flush());
  }

  replace(source: string): void {
    this.marks = [];
    this.rest = "";
    this.append(source);
  }

  flush(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const newest = this.marks.at(-1);
    if (!newest) return;
    const share = shareOf(newest);
    this.element.dataset.progress = isComplete(newest, this.state) ? "complete" : this.state;
    setText(this.label, newest.label);
    this.label.hidden = !newest.label;
    this.track.hidden = share === null;
    this.bar.style.width = `${(share ?? 0) * 100}%`;
    if (share === null) this.track.removeAttribute("aria-valuenow");
    else this.track.setAttribute("aria-valuenow", String(Math.floor(share * 100)));
    this.track.setAttribute("aria-valuetext", describeProgress(this.marks, this.state));
    setText(this.figures, figures(this.marks, this.state));
  }

  ended(state: RunState = "done"): void {
    this.state = state;
    this.flush();
  }

  copied(source: string): string {
    // Only what is over is copied, perhaps by a pane that has not been told how it ended.
    const state = this.state === "streaming" ? null : this.state;
    return `${describeProgress(readMarks(source.split("\n")), state)}\n`;
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
  }
}
