// The answer pane: reads the source frame by frame, and has its blocks drawn.

import type { Pane, PaneContext } from "../../panes/pane";
import { make } from "../../ui/element";
import { frames } from "../../ui/frames";
import { addStyle } from "../../ui/styles";
import css from "./answer.css";
import { AnswerContent } from "./content";
import { answerIn, RecordReader } from "./records";

/** So much of the source is read with one frame. */
const FRAME_CHARS = 200_000;

export class AnswerPane implements Pane {
  readonly element: HTMLElement = make("div", "kkj-answer-pane");
  private readonly content: AnswerContent;
  private reader = new RecordReader();
  private pending = "";
  private hasEnded = false;

  constructor(context: PaneContext) {
    addStyle(document, "answer", css);
    this.content = new AnswerContent(context);
    this.element.append(this.content.element);
  }

  append(source: string): void {
    this.pending += source;
    frames().request(this.drawFrame);
  }

  replace(source: string): void {
    this.content.clear();
    this.reader = new RecordReader();
    this.pending = "";
    this.append(source);
  }

  flush(): void {
    frames().cancel(this.drawFrame);
    while (this.pending) this.take();
    this.content.flush();
    this.end();
  }

  ended(): void {
    this.hasEnded = true;
    this.end();
  }

  copied(source: string): string {
    return answerIn(source);
  }

  dispose(): void {
    frames().cancel(this.drawFrame);
    this.content.clear();
  }

  private readonly drawFrame = (): void => {
    this.take();
    if (this.pending) frames().request(this.drawFrame);
    else this.end();
  };

  private take(): void {
    const source = this.pending.slice(0, FRAME_CHARS);
    this.pending = this.pending.slice(FRAME_CHARS);
    this.content.add(this.reader.read(source));
  }

  /** Once all of it is drawn. */
  private end(): void {
    if (this.hasEnded && !this.pending) this.content.ended();
  }
}
