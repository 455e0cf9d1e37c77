// The blocks of an answer, one below the other, for each alternative apart.

import type { PaneContext } from "../../panes/pane";
import { whole } from "../../text/numbers";
import { make } from "../../ui/element";
import { MarkdownContent } from "../markdown/content";
import { type Block, imageBlock, lineBlock, SoundBlock } from "./block";
import { CallCard } from "./call-card";
import type { AnswerRecord } from "./records";
import { Thought } from "./thought";

/** An answer has some dozens; a page cannot bear any number of them. */
const MOST_BLOCKS = 2_000;

/** One alternative. */
interface Choice {
  element: HTMLElement;
  latest: Block | null;
  sound: SoundBlock | null;
}

export class AnswerContent {
  readonly element = make("div", "kkj-answers");
  private readonly choices = new Map<number, Choice>();
  private readonly calls = new Map<number, CallCard>();
  private readonly blocks = new Set<Block>();
  /** The cards whose arguments have changed. */
  private readonly changed = new Set<CallCard>();

  constructor(private readonly context: PaneContext) {}

  add(records: AnswerRecord[]): void {
    for (const record of records) {
      if (record.kind === "gap") this.addGap(record.text);
      else this.addTo(this.choice(record.choice), record);
    }
    for (const card of this.changed) card.draw();
    this.changed.clear();
  }

  flush(): void {
    for (const block of this.blocks) block.flush?.();
  }

  ended(): void {
    for (const block of this.blocks) block.ended?.();
  }

  clear(): void {
    for (const block of this.blocks) block.dispose?.();
    for (const known of [this.choices, this.calls, this.blocks, this.changed]) known.clear();
    this.element.replaceChildren();
  }

  private addTo(choice: Choice, { kind, text, extra, isWhole }: AnswerRecord): void {
    const name = typeof extra === "string" && extra ? extra : kind;
    const seconds = typeof extra === "number" ? extra : null;
    switch (kind) {
      case "text":
        this.continued(choice, TextBlock)?.append(text);
        break;
      case "refusal":
        this.continued(choice, Refusal)?.append(text);
        break;
      case "think":
        this.continued(choice, Thought)?.append(text, seconds ?? 0);
        break;
      case "thought":
        if (choice.latest instanceof Thought) choice.latest.over(seconds);
        break;
      case "call":
        this.card(choice, seconds)?.named(text);
        break;
      case "args":
        this.card(choice, seconds)?.append(text, isWhole);
        break;
      case "anew":
        this.card(choice, seconds)?.replace(text, isWhole);
        break;
      case "result":
        if (seconds === null) this.put(choice, lineBlock(text, "value"));
        else this.card(choice, seconds)?.returned(text);
        break;
      case "image":
        this.put(choice, imageBlock(text, name));
        break;
      case "audio":
        choice.sound ??= this.put(choice, new SoundBlock());
        choice.sound?.show(text, name);
        break;
      case "error":
        this.put(choice, lineBlock(text ? `error: ${text}` : "error", "error"));
        break;
      case "role":
        this.put(choice, lineBlock(text, "heading"));
        break;
      case "cut":
        this.put(choice, lineBlock(`stopped: ${text}`));
        break;
      case "value":
        this.put(choice, lineBlock(text, "value"));
        break;
      default:
        this.put(choice, lineBlock(`[${text}]`));
    }
  }

  private addGap(chars: string): void {
    if (!this.choices.size) this.choice(0);
    for (const choice of this.choices.values()) {
      this.put(choice, lineBlock(`… ${chars} characters left out …`));
    }
    for (const card of this.calls.values()) card.broken();
  }

  private choice(number: number): Choice {
    let choice = this.choices.get(number);
    if (!choice) {
      const element = make("div", "kkj-choice");
      element.append(make("div", "kkj-answer-heading kkj-choice-name", `choice ${number + 1}`));
      choice = { element, latest: null, sound: null };
      this.choices.set(number, choice);
      const later = [...this.choices].find(([other]) => other > number);
      this.element.insertBefore(element, later?.[1].element ?? null);
    }
    return choice;
  }

  /** The block that grows, if it is one of these; else a new one. Null if there are too many. */
  private continued<Growing extends Block>(
    choice: Choice,
    kind: new (context: PaneContext) => Growing,
  ): Growing | null {
    if (choice.latest instanceof kind) return choice.latest;
    return this.put(choice, new kind(this.context));
  }

  private card(choice: Choice, number: number | null): CallCard | null {
    const known = this.calls.get(number ?? -1);
    const card = known ?? this.put(choice, new CallCard());
    if (!card) return null;
    this.calls.set(number ?? -1, card);
    this.changed.add(card);
    return card;
  }

  private put<Kind extends Block>(choice: Choice, block: Kind): Kind | null {
    if (this.blocks.size > MOST_BLOCKS) {
      block.dispose?.();
      return null;
    }
    // A card may still grow when others have begun.
    if (!(choice.latest instanceof CallCard)) choice.latest?.ended?.();
    this.blocks.add(block);
    choice.latest = block;
    choice.element.append(block.element);
    if (this.blocks.size > MOST_BLOCKS) {
      const note = `more than ${whole(MOST_BLOCKS)} parts: the others are not drawn`;
      choice.element.append(lineBlock(note).element);
    }
    return block;
  }
}

class TextBlock extends MarkdownContent implements Block {}

class Refusal implements Block {
  readonly element = make("div", "kkj-refusal");
  private readonly content: MarkdownContent;

  constructor(context: PaneContext) {
    this.content = new MarkdownContent(context);
    this.element.append(make("div", "kkj-answer-note", "refused"), this.content.element);
  }

  append(text: string): void {
    this.content.append(text);
  }

  flush(): void {
    this.content.flush();
  }

  ended(): void {
    this.content.ended();
  }

  dispose(): void {
    this.content.dispose();
  }
}
