// The progress pane: a bar, a rate, the time that is left.

import type { Pane, PaneContext } from "../panes/pane";
import { addStyle } from "../ui/styles";
import { describeProgress, type Mark, readMarks, recent, shareOf } from "./progress/marks";
import css from "./progress/progress.css";

export function makePane(context: PaneContext): Pane {
  return new ProgressPane(context);
}

class ProgressPane implements Pane {
  readonly element = document.createElement("div");
  readonly hasOwnHeight = true;
  private readonly bar = document.createElement("div");
  private readonly track = document.createElement("div");
  private readonly words = document.createElement("div");
  private marks: Mark[] = [];
  private rest = "";
  private frame = 0;
  private isOver = false;

  constructor({ label }: PaneContext) {
    addStyle(document, "progress", css);
    this.element.className = "kkj-progress";
    this.track.className = "kkj-progress-track";
    this.track.setAttribute("role", "progressbar");
    this.track.setAttribute("aria-label", label);
    this.bar.className = "kkj-progress-bar";
    this.track.append(this.bar);
    this.element.append(this.track, this.words);
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
    this.isOver = false;
    this.append(source);
  }

  flush(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    const newest = this.marks.at(-1);
    if (!newest) return;
    const share = shareOf(newest);
    const words = describeProgress(this.marks, this.isOver);
    this.track.hidden = share === null;
    this.bar.style.width = `${(share ?? 0) * 100}%`;
    if (share === null) this.track.removeAttribute("aria-valuenow");
    else this.track.setAttribute("aria-valuenow", String(Math.floor(share * 100)));
    this.track.setAttribute("aria-valuetext", words);
    if (this.words.textContent !== words) this.words.textContent = words;
  }

  ended(): void {
    this.isOver = true;
    this.flush();
  }

  copied(source: string): string {
    const words = describeProgress(readMarks(source.split("\n")), true);
    return `${words}\n`;
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
  }
}
